"""Debian's packages for another suite and architecture than this machine's, from the mirrors that its apt uses.

No mirror's name is written down here: apt says from where this machine has its packages, and with which options.
"""

import hashlib
import os
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.vm.cache import Cache

LISTS_S = 86_400.0
"""So old may the lists of packages be before the archive is asked again."""

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_CHOSEN = re.compile(r"^Inst (\S+) .*?\((\S+) ", re.MULTILINE)


class UnavailableError(Exception):
    """This machine can't get or make something; says what, and why."""


def run(command: Sequence[str | Path], *, timeout_s: float = 1_800.0, cwd: Path | None = None) -> str:
    """Run a program to its end; what it prints. Raises UnavailableError with its last lines when it fails."""
    words = list(map(str, command))
    try:
        done = subprocess.run(
            words, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise UnavailableError(f"{words[0]}: {failure}") from failure
    if done.returncode != 0:
        last = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines()[-12:]
        raise UnavailableError("\n".join([f"{' '.join(words)[:200]} ended with {done.returncode}", *last]))
    return done.stdout.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Archive:
    """Packages of one suite ("bookworm") for one architecture ("amd64")."""

    suite: str
    architecture: str
    cache: Cache

    @property
    def name(self) -> str:
        """For files and messages."""
        return f"{self.suite}-{self.architecture}"

    def sources(self) -> list[str]:
        """Lines for apt's list of sources: this machine's, with the suite in the place of its own."""
        own = dict(
            line.split("=", 1) for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines() if line
        )
        codename = own.get("VERSION_CODENAME", "").strip('"')
        told = run(
            [
                "apt-get",
                "indextargets",
                "--format",
                "$(REPO_URI) $(CODENAME) $(COMPONENT)",
                "Created-By: Packages",
                "Origin: Debian",
            ]
        )
        signed = f"[signed-by={_KEYRING}] " if _KEYRING.exists() else ""
        lines = []
        for uri, release, component in sorted(
            {tuple(line.split()) for line in told.splitlines() if len(line.split()) == 3}
        ):
            if codename and component == "main" and release.startswith(codename):
                lines.append(f"deb {signed}{uri} {self.suite}{release.removeprefix(codename)} main")
        if not lines:
            raise UnavailableError("apt on this machine has no list of Debian's packages. Next: apt-get update")
        return lines

    def options(self) -> str:
        """How this machine's apt fetches (a proxy, say), as lines of apt.conf."""
        return run(["apt-config", "dump", "--no-empty", "Acquire"])

    def versions(self, packages: Sequence[str]) -> str:
        """What would be installed for these, with the version of each; made for a key of the cache.

        It is kept until the lists are fetched again: apt takes two seconds to answer.
        """
        command, fetched = self._apt()
        asked = hashlib.sha256("\n".join(packages).encode()).hexdigest()[:16]
        kept = fetched.with_name(f"versions-{asked}")
        if not kept.exists() or kept.stat().st_mtime_ns <= fetched.stat().st_mtime_ns:
            told = run([*command, "install", "--simulate", "--no-install-recommends", *packages])
            found = sorted(f"{name} {version}" for name, version in _CHOSEN.findall(told))
            new = kept.with_name(f"{kept.name}.{os.getpid()}")
            new.write_text("\n".join(found), encoding="utf-8")
            new.replace(kept)
        return kept.read_text(encoding="utf-8")

    def plan(self, status: Path, *arguments: str) -> str:
        """What apt-get would do on a machine with this status file of dpkg, which has these lists. Changes nothing."""
        command, _ = self._apt()
        return run([*command, "-o", f"Dir::State::status={status}", "--simulate", *arguments])

    def unpack(self, into: Path, packages: Sequence[str], *, variant: str, options: Sequence[str | Path] = ()) -> None:
        """Make a root of these packages, by mmdebstrap. Variant "extract" only unpacks them; "minbase" is a Debian."""
        conf = into.parent / f"{into.name}.apt.conf"
        conf.write_text(self.options(), encoding="utf-8")
        command: list[str | Path] = ["mmdebstrap", f"--variant={variant}", f"--architectures={self.architecture}"]
        command += [f"--aptopt={conf}", f"--include={','.join(packages)}", *options]
        try:
            run([*command, self.suite, into, *self.sources()])
        finally:
            conf.unlink()

    def _apt(self) -> tuple[list[str], Path]:
        """apt-get with lists of its own, as if nothing was installed; and the file that says when they were fetched."""
        home = self.cache.directory / f"lists-{self.name}"
        sources, status = home / "sources.list", home / "status"
        for each in ("lists/partial", "cache/archives/partial"):
            (home / each).mkdir(parents=True, exist_ok=True)
        fetched = home / "fetched"
        lines = "\n".join(self.sources()) + "\n"
        options = [
            f"Dir::Etc::sourcelist={sources}",
            "Dir::Etc::sourceparts=/dev/null",
            f"Dir::State={home}",
            f"Dir::State::status={status}",
            f"Dir::Cache={home}/cache",
            f"APT::Architecture={self.architecture}",
            f"APT::Architectures={self.architecture}",
            "APT::Get::List-Cleanup=false",
            "Acquire::Languages=none",
        ]
        command = ["apt-get", "--quiet=2", *(word for each in options for word in ("-o", each))]
        known = fetched.exists() and sources.exists() and sources.read_text(encoding="utf-8") == lines
        if not known or time.time() - fetched.stat().st_mtime > LISTS_S:
            sources.write_text(lines, encoding="utf-8")
            status.touch()
            try:
                run([*command, "-o", "APT::Update::Error-Mode=any", "update"])
                fetched.touch()
            except UnavailableError:
                if not known:
                    raise
        return command, fetched
