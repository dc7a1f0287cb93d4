"""The fresh Debian of `make test-trixie`: a real one is made, entered and left behind empty."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.booted import architecture
from tests.support.fresh_debian import PACKAGES, run_in
from tests.support.installation import ROOT
from tests.vm.cache import Cache, user_cache
from tests.vm.debian import Archive, UnavailableError, run
from tests.vm.image import debian

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def archive() -> Archive:
    """Where this machine has the suite's packages from. Skips where it can't make a Debian."""
    if os.geteuid() != 0:
        pytest.skip("only root can enter another Debian")
    for tool in ("git", "mmdebstrap"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is missing; next: apt-get install {tool}")
    if not (ROOT / ".git").exists():
        pytest.skip("only git knows the last commit")
    return Archive("trixie", architecture(), Cache(user_cache()))


@pytest.fixture(scope="module")
def packed(archive: Archive) -> Path:
    """The Debian that is entered, in the cache."""
    try:
        return debian(archive, archive.cache, PACKAGES)
    except UnavailableError as reason:
        pytest.skip(f"no root of {archive.suite} can be made here: {reason}")


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which the root is made."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setenv("TMPDIR", str(work))
    return work


def test_a_command_has_what_the_tests_need_and_its_exit_code_is_told(
    archive: Archive,
    packed: Path,
    work: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The other suite's Python, the last commit, packages, and user namespaces for booted machines. Nothing remains."""
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text("[global]\nretries = 17\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIP_TIMEOUT", "170")
    asked = (
        "python3 -c 'import sys; print(sys.version_info[:2])'",
        "git rev-parse HEAD; git status --porcelain",
        "python3 -m pip config get global.retries; python3 -m pip config get :env:.timeout",
        "unshare --user echo a namespace for users",
        "cat /etc/apt/sources.list",
        "exit 7",
    )

    code = run_in(packed, archive, ["sh", "-c", "; ".join(asked)])

    head = run(["git", "-C", ROOT, "rev-parse", "HEAD"]).strip()
    said = ["(3, 13)", head, "17", "170", "a namespace for users", *archive.sources()]
    assert capfd.readouterr().out.splitlines() == said
    assert code == 7
    assert list(work.iterdir()) == []


@pytest.mark.usefixtures("packed")
def test_an_interrupted_command_ends_with_all_that_it_has_started(work: Path) -> None:
    """Also with what has left its session. Its output ends once nobody has it open any more."""
    script = ["sh", "-c", "setsid sleep infinity & echo inside; wait"]
    command = [sys.executable, "-m", "tests.support.fresh_debian", *script]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None
            assert started.stdout.readline() == "inside\n"
        finally:
            started.terminate()
        rest, _ = started.communicate(timeout=60)

    assert rest == ""
    assert started.returncode == 128 + signal.SIGTERM
    assert list(work.iterdir()) == []
    assert str(work) not in Path("/proc/self/mounts").read_text(encoding="utf-8")
