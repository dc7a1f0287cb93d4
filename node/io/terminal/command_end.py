"""How a command of either program ends: its exit code, and the last lines on standard error.

0 done. 1 a failure that the last line explains, the findings of a check, or Ctrl-C before the end. 2 it can't be told,
or wrong usage. 141 the reader of the output has gone (as after ``| head``).
"""

import signal
from collections.abc import Callable, Sequence

from node.errors import AlarmNodeError
from node.io.terminal.output import ReaderGoneError, explain, printing

FAILED = 1
READER_GONE = 141
"""128 plus the number of SIGPIPE, as shells report a command that this signal killed."""


def in_english(error: AlarmNodeError) -> Sequence[str]:
    """The lines that explain an error."""
    return (*error.problems, str(error))


def run_to_end(
    command: Callable[[], int],
    lines_of: Callable[[AlarmNodeError], Sequence[str]] = in_english,
    say: Callable[[str], str] = str,
) -> int:
    """Run the command; its exit code, or that of an end before its time, which is explained on standard error."""
    try:
        with printing():
            return command()
    except AlarmNodeError as error:
        explain(*lines_of(error))
    except ReaderGoneError:
        return READER_GONE
    except KeyboardInterrupt:
        explain(say("stopped before its end"))
    return FAILED


def stop_on_signals(stop: Callable[[str], None]) -> None:
    """From here on SIGTERM and SIGINT stop a service; ``stop`` gets the signal's name: ``sigterm``."""

    def ask(number: int, _frame: object) -> None:
        stop(signal.Signals(number).name.lower())

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)


def reload_on_hangup(reload: Callable[[], None]) -> None:
    """From here on SIGHUP lets a service read its configuration again."""
    signal.signal(signal.SIGHUP, lambda _number, _frame: reload())
