"""What the kernel says of its boot and its clock, compared with what it says to others."""

import ctypes
import os
import shutil
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from node.io import health
from node.io.health import kernel
from tests.support.machine import make_tree

ASK_ADJTIMEX = r"""
#include <stdio.h>
#include <sys/timex.h>

int main(void)
{
    struct timex timex = {.modes = 0};

    printf("%d %d %zu", adjtimex(&timex), TIME_ERROR, sizeof timex);
    return 0;
}
"""


def test_the_kernel_boot_is_that_of_proc() -> None:
    """The boot id is what /proc holds, without its newline."""
    boot = health.kernel_boot()

    assert f"{boot}\n" == Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    assert str(uuid.UUID(boot)) == boot


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["missing", "garbled"])
def test_a_kernel_boot_that_cannot_be_read_is_empty(content: bytes | None, tmp_path: Path) -> None:
    """Without /proc nothing is known of the kernel's boot, and nothing is raised."""
    if content is not None:
        make_tree(tmp_path, {"proc/sys/kernel/random/boot_id": content})

    assert health.kernel_boot(tmp_path) == ""


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler to ask the kernel in its own words")
def test_the_clock_is_as_the_kernel_tells_a_c_program(tmp_path: Path) -> None:
    """The C library's own header and structure lead to the same answer, and to no more bytes than were set aside."""
    program = tmp_path / "ask"
    subprocess.run(["cc", "-x", "c", "-o", program, "-"], input=ASK_ADJTIMEX, text=True, check=True)

    status, time_error, size = map(int, subprocess.check_output([program], text=True).split())

    assert health.clock_synchronised(tmp_path) is (None if status < 0 else status != time_error)
    assert size <= kernel.TIMEX_ROOM


@pytest.mark.parametrize(("status", "synchronised"), [(0, True), (1, True), (4, True), (5, False), (-1, None)], ids=str)
def test_the_clock_is_free_while_nothing_steers_it(
    status: int, synchronised: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TIME_ERROR means not synchronised, and leap seconds don't matter; a refusal, that it can't be told."""
    monkeypatch.setattr(ctypes, "CDLL", lambda name: type("Library", (), {"adjtimex": lambda self, timex: status})())

    assert health.clock_synchronised(tmp_path) is synchronised


@pytest.mark.parametrize(
    ("touched_s", "synchronised"), [(None, False), (0.0, True), (80_000.0, True), (90_000.0, False), (-1e9, True)]
)
def test_timesyncd_is_asked_first(
    touched_s: float | None, synchronised: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It touches a file at each synchronisation, several times an hour. A service may not ask the kernel."""
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("the kernel is asked"))
    directory = tmp_path / "run/systemd/timesync"
    directory.mkdir(parents=True)
    if touched_s is not None:
        (directory / "synchronized").touch()
        os.utime(directory / "synchronized", (0.0, time.time() - touched_s))

    assert health.clock_synchronised(tmp_path) is synchronised
