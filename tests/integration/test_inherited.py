"""Whoever starts the tests, and however: what they start begins as on a fresh machine."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import node

HERE = Path(node.__file__).parents[1]
IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE, signal.SIGUSR1)
ENVIRONMENT = {"LC_ALL": "C", "LANGUAGE": "de", "TZ": "Asia/Kathmandu", "NOTIFY_SOCKET": "/nowhere"}


def as_a_background_job() -> None:
    """What a shell's ``&``, ``nohup``, and worse may do to a process before it begins."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    os.umask(0o077)


def test_a_program_that_a_test_starts_inherits_nothing_odd() -> None:
    """Its signals end it, others may read its files, and it speaks English in UTC."""
    status = subprocess.run(["cat", "/proc/self/status"], stdout=subprocess.PIPE, check=True, text=True).stdout
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)

    ignored = int(fields["SigIgn"], 16)

    assert [each.name for each in IGNORED if ignored >> (each - 1) & 1] == []
    assert (int(fields["SigBlk"], 16), int(fields["Umask"], 8)) == (0, 0o022)
    assert ENVIRONMENT.items() & os.environ.items() == set()


def test_the_tests_may_be_started_by_anybody() -> None:
    """The test above, as a runner's background job."""
    one = test_a_program_that_a_test_starts_inherits_nothing_odd.__name__

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"{Path(__file__)}::{one}"],
        cwd=HERE,
        env={**os.environ, **ENVIRONMENT},
        preexec_fn=as_a_background_job,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout
