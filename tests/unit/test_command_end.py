"""How the commands of both programs end: the exit code, and the last lines on standard error."""

import os
import signal
from collections.abc import Callable

import pytest

from node.errors import ConfigError
from node.io.terminal.check_result import CheckResult, print_results
from node.io.terminal.command_end import READER_GONE, run_to_end, stop_on_signals
from node.io.terminal.output import ReaderGoneError


def raising(error: BaseException) -> Callable[[], int]:
    """A command that ends with this."""

    def command() -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("command", "code", "lines"),
    [
        (lambda: 2, 2, []),
        (
            raising(ConfigError(("x: [a] b is missing",), "x")),
            1,
            [
                "x: [a] b is missing",
                "E001 x has 1 problem. Next: correct the lines above, then run: alarm-node check --config x.",
            ],
        ),
        (raising(KeyboardInterrupt()), 1, ["stopped before its end"]),
        (raising(ReaderGoneError()), READER_GONE, []),
    ],
    ids=["done", "an error", "Ctrl-C", "no reader"],
)
def test_a_command_ends_with_its_code_and_its_reason(
    command: Callable[[], int], code: int, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """No end is a traceback."""
    assert run_to_end(command) == code

    assert capsys.readouterr().err.splitlines() == lines


def test_the_reason_is_told_in_the_language_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """That of an error and that of Ctrl-C."""
    run_to_end(raising(ConfigError((), "x")), lambda error: [f"Fehler {error.code}"])
    run_to_end(raising(KeyboardInterrupt()), say=str.upper)

    assert capsys.readouterr().err.splitlines() == ["Fehler E001", "STOPPED BEFORE ITS END"]


@pytest.mark.parametrize(
    ("found", "code"), [((True, True), 0), ((True, None), 2), ((None, False), 1), ((), 0)], ids=str
)
def test_a_check_ends_with_the_worst_that_it_found(
    found: tuple[bool | None, ...], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each result is a line."""
    assert print_results(CheckResult(ok, "text") for ok in found) == code

    assert len(capsys.readouterr().out.splitlines()) == len(found)


def test_a_service_is_stopped_by_either_signal() -> None:
    """It hears which one it was."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    heard: list[str] = []
    try:
        stop_on_signals(heard.append)
        for number in before:
            os.kill(os.getpid(), number)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

    assert heard == ["sigterm", "sigint"]
