"""``python -m tests.support.fresh_debian COMMAND…``: runs a command in a fresh Debian of another suite.

The command's working directory is a clone of the last commit. It is root on a machine that has little more than make,
git and Python. Its exit code is this program's.

1. It has this machine's processor, network and devices, but a root and processes of its own. When the command has
   ended or is interrupted, all its processes are killed, and the root is removed.
2. pip and apt get their packages from where this machine's do. Nothing inside can change this machine's settings.
3. The user's cache is the only directory of this machine that the command may write. It may be empty or missing.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.vm.cache import Cache, cache_home, user_cache
from tests.vm.debian import Archive, UnavailableError, run
from tests.vm.image import debian

SOURCE = Path(__file__).parents[2]
PACKAGES = (
    *("make", "git", "sudo", "ca-certificates", "procps", "iproute2"),
    *("python3", "python3-venv", "python3-pip"),
)
"""What somebody who has cloned this repository has. The Makefile installs the rest."""

SETTINGS = ("/etc/pip.conf", "/etc/xdg/pip", "/etc/ssl/certs", "/etc/hosts", "/etc/resolv.conf")
"""Copied where this machine has them: how pip reaches its index, whom it trusts, and how names are resolved."""

SHARED = "/opt"
"""To be read inside: a package index that lies on this machine's own disk."""

PASSED = ("PIP_", "SSL_CERT_", "TERM", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
"""How the variables begin that the command gets of this environment, in capital or small letters."""

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

# The first process of a PID namespace, in a mount namespace of its own: all mounts are gone when it has ended.
# It stays the parent of the command, because somebody must reap orphans.
# pivot_root rather than chroot: in a chroot the kernel refuses user namespaces, and systemd-nspawn needs one.
ENTER = """
root=$1 cache=$2 shared=$3
shift 3
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
if [ -d "$cache" ]; then mount --bind "$cache" "$root/root/.cache"; fi
if [ -d "$shared" ]; then mount --bind -o ro "$shared" "$root$shared"; fi
cd "$root"
pivot_root . .
umount --lazy .
cd /srv/clone
code=0
"$@" || code=$?
exit $code
"""


def run_in(packed: Path, archive: Archive, command: Sequence[str]) -> int:
    """Run the command in this Debian, which gets its packages from this archive; the command's exit code."""
    # /tmp is often in memory, and too small for this.
    work = Path(tempfile.mkdtemp(prefix="alarm-node-", dir=os.environ.get("TMPDIR", "/var/tmp")))  # noqa: S108 - mkdtemp
    try:
        root = work / "root"
        _furnish(root, packed, archive)
        return _enter(root, command)
    finally:
        shutil.rmtree(work)


def _furnish(root: Path, packed: Path, archive: Archive) -> None:
    root.mkdir()
    run(["tar", "--extract", "--numeric-owner", f"--file={packed}", f"--directory={root}"])
    (root / "etc/apt/sources.list").write_text("\n".join(archive.sources()) + "\n", encoding="utf-8")
    (root / "etc/apt/apt.conf.d/99mmdebstrap").write_text(archive.options(), encoding="utf-8")
    for setting in map(Path, SETTINGS):
        _copy(setting, root / setting.relative_to("/"))
    _copy(Path.home() / ".config/pip", root / "root/.config/pip")
    (root / "root/.cache").mkdir()
    run(["git", "clone", "--quiet", "--no-hardlinks", SOURCE, root / "srv/clone"])


def _copy(own: Path, to: Path) -> None:
    """Copy a file or a directory of this machine over the root's, if it is there. Links are followed.

    What the root has there goes first: it may be a link, and out here that leads into this machine.
    """
    if not own.exists():
        return
    if to.is_dir() and not to.is_symlink():
        shutil.rmtree(to)
    else:
        to.unlink(missing_ok=True)
    if own.is_dir():
        shutil.copytree(own, to, ignore_dangling_symlinks=True)
    else:
        shutil.copy(own, to)


def _enter(root: Path, command: Sequence[str]) -> int:
    environ = {name: value for name, value in os.environ.items() if name.upper().startswith(PASSED)}
    environ |= {"HOME": "/root", "LANG": "C.UTF-8", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"}
    namespaces = ["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child"]
    inside = subprocess.Popen(
        [*namespaces, "sh", "-euc", ENTER, "sh", root, cache_home(), SHARED, *command],
        env=environ,
        stdin=subprocess.DEVNULL,
    )
    try:
        return inside.wait()
    finally:
        # Without its first process the kernel kills all others of the namespace, and only then does unshare end.
        with suppress(FileNotFoundError):
            children = Path(f"/proc/{inside.pid}/task/{inside.pid}/children").read_text(encoding="ascii")
            for each in children.split():
                os.kill(int(each), signal.SIGKILL)
        inside.wait()


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)  # a second one would leave behind what the first one is clearing away
    sys.exit(128 + number)


def main() -> int:
    """Do what the command line asks for; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.fresh_debian", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--suite", default="trixie", help="Debian's name for it (default: %(default)s)")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    parsed = parser.parse_args()
    for ending in ENDING:
        signal.signal(ending, _end)
    try:
        architecture = run(["dpkg", "--print-architecture"]).strip()
        archive = Archive(parsed.suite, architecture, Cache(user_cache()))
        return run_in(debian(archive, archive.cache, PACKAGES), archive, parsed.command)
    except UnavailableError as reason:
        print(f"no Debian {parsed.suite} can be made here: {reason}", file=sys.stderr)  # noqa: T201 - its answer
        return 1


if __name__ == "__main__":
    sys.exit(main())
