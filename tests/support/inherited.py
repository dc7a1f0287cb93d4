"""What this process got from whoever started it, and what the programs that the tests start shall not inherit.

A shell ignores SIGINT in its background jobs and ``nohup`` ignores SIGHUP; a runner may block signals, have a strict
umask, another language or time zone, or be a service of systemd.
"""

import os
import signal
import time

_KEEP = {signal.SIGKILL, signal.SIGSTOP}
_PYTHONS = {signal.SIGPIPE, signal.SIGXFSZ}  # Python ignores them itself, and starts programs without that
_OF_A_SERVICE = (
    "CREDENTIALS_DIRECTORY",
    "JOURNAL_STREAM",
    "NOTIFY_SOCKET",
    "STATE_DIRECTORY",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
)


def forget_inherited() -> None:
    """Signals, file mode, language, time zone and systemd's variables are then as in a shell on a fresh machine."""
    for number in signal.valid_signals() - _KEEP - _PYTHONS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.umask(0o022)
    for name in [each for each in os.environ if each.startswith("LC_") or each in {"LANGUAGE", *_OF_A_SERVICE}]:
        del os.environ[name]
    os.environ.update(LANG="C.UTF-8", TZ="UTC")
    time.tzset()
