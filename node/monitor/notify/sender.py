"""Sends messages to one target through Apprise, and says within a deadline whether each was told.

Rules:

1. The target's URL holds passwords, tokens and people's addresses. No part of it may reach a log. Apprise's own log is
   shut off. Its reason for a failure is read from its result, and everything that the URL holds is struck out.
2. Apprise's timeouts apply to one step of a conversation (``cto`` and ``rto`` in the URL: 4 s each, 15 s for a mail
   server's). A name server has none, and neither has a server that sends byte by byte. So each try has a thread of its
   own, which is left alone after SEND_S. While HUNG_MAX of them hang, no further try is made. Because of our own
   deadline an answer may take READ_S: with Apprise's timeout, a gateway that needs 5 s for each SMS would be sent every
   message again for a day.
3. Apprise's own pool of threads isn't used: six hanging tries would block it, and with it everybody's alarms.
"""

import logging
import re
import warnings
from collections.abc import Callable
from functools import cache
from math import inf
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import NamedTuple
from urllib.parse import unquote

from apprise import (
    Apprise,
    AppriseAsset,
    NotificationManager,
    NotifyBase,
    NotifyFormat,
    NotifyLogEntry,
    NotifyType,
    PersistentStoreMode,
)

from node.monitor.notify.texts.message import Message, Mood
from node.threads import new_thread

SEND_S = 30.0
READ_S = 20.0
HUNG_MAX = 3
REASON_LENGTH = 200
STRUCK_LENGTH = 3
"""Shorter pieces of the URL aren't struck out: they reveal nothing, and the text would become unreadable."""

_TYPES = {Mood.ALARM: NotifyType.FAILURE, Mood.WARNING: NotifyType.WARNING, Mood.GOOD: NotifyType.SUCCESS}

_UNUSABLE = "Apprise doesn't understand its url"

_CAUSE = re.compile(
    r"\[Errno -?\d+\] [A-Za-z ]+|timed out|certificate verify failed: [A-Za-z -]+|\([45]\d\d, b'[^']{0,100}'"
)
"""The parts of Apprise's DEBUG messages that are kept. The rest of an exception's text may hold a token that isn't in
the URL."""

_BROKEN_OFF = re.compile("timed out|IncompleteRead|Connection aborted|reset by peer|Broken pipe|unexpectedly closed")
"""A conversation that ended like this may have delivered its message all the same."""

for _name in ("apprise", "urllib3"):
    _logger = logging.getLogger(_name)
    _logger.addHandler(logging.NullHandler())
    _logger.propagate = False
logging.getLogger("apprise").setLevel(logging.DEBUG)


class Outcome(NamedTuple):
    """The result of a try, and what the other side said. ``uncertain``: not known to be told, but perhaps it was."""

    told: bool
    reason: str = ""
    uncertain: bool = False


def problem_of(url: str) -> str | None:
    """Why Apprise can't use this URL; None if it can. Nothing is sent."""
    return None if _service(url) is not None else _UNUSABLE


@cache
def _load_plugins() -> None:
    """Load them once, before there are threads: one plugin imports a deprecated part of Python, which warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        NotificationManager().load_modules()  # type: ignore[no-untyped-call]


def _service(url: str) -> NotifyBase | None:
    _load_plugins()
    asset = AppriseAsset(
        app_id="alarm-monitor",
        app_desc="alarm-monitor",
        app_url="",
        service_timeout=0,  # with any other value the try would use the pool of rule 3
        storage_mode=PersistentStoreMode.MEMORY,
        pgp_autogen=False,
        pem_autogen=False,
    )
    service = Apprise.instantiate(url, asset=asset)
    if service is not None:
        # Otherwise Apprise would delay an alarm by 5.5 s after the message before it.
        service.request_rate_per_sec = 0.0
        if service.socket_read_timeout == NotifyBase.socket_read_timeout:
            service.socket_read_timeout = READ_S
    return service


class Sender:
    """Sends to one target, one message at a time.

    ``send_s``: how long a try may take. ``problem``: why there is no URL.
    """

    def __init__(self, name: str, url: str, send_s: float = SEND_S, problem: str = "") -> None:
        self.name = name
        self._url = url
        self._send_s = send_s
        self._service = _service(url) if url else None
        self._made_of = url
        self._unusable = problem or _UNUSABLE
        self.hanging: list[Thread] = []

    def use_url(self, url: str) -> None:
        """Use this URL from the next try on; from any thread."""
        self._url, self._unusable = url, _UNUSABLE

    def send(self, message: Message, meanwhile: Callable[[], object] = lambda: None, every_s: float = inf) -> Outcome:
        """Try once, for at most ``send_s``, whatever the other side does. Calls ``meanwhile`` each ``every_s``."""
        self.hanging = [each for each in self.hanging if each.is_alive()]
        if len(self.hanging) >= HUNG_MAX:
            return Outcome(False, f"{HUNG_MAX} earlier tries still hang")
        url = self._url
        known = self._service if self._made_of == url else None
        service, self._service, self._made_of = known or (_service(url) if url else None), None, url
        if service is None:
            return Outcome(False, self._unusable)
        answers: SimpleQueue[Outcome] = SimpleQueue()
        thread = new_thread(f"tell-{self.name}", lambda: answers.put(_try(service, url, message)))
        thread.start()
        deadline = monotonic() + self._send_s
        while True:
            left_s = max(0.0, deadline - monotonic())
            try:
                outcome = answers.get(timeout=min(left_s, every_s))
            except Empty:
                if left_s <= every_s:
                    self.hanging.append(thread)
                    return Outcome(False, f"no answer within {self._send_s:g} s", uncertain=True)
                meanwhile()
            else:
                thread.join()
                self._service = service
                return outcome


def _try(service: NotifyBase, url: str, message: Message) -> Outcome:
    try:
        with Apprise(service, asset=service.asset).notify(
            title=message.title,
            body=message.body,
            body_format=NotifyFormat.TEXT,
            notify_type=_TYPES[message.mood],
            log_level=logging.DEBUG,
        ) as result:
            logs = list(result.logs())
            return _success(logs, url) if result else _failure(logs, url)
    except Exception as unexpected:  # noqa: BLE001 - a plugin's mistake is a try that failed, and no more
        return Outcome(False, f"Apprise raised {type(unexpected).__name__}")


def _failure(logs: list[NotifyLogEntry], url: str) -> Outcome:
    """A failure with Apprise's reason, without what the URL holds."""
    said = [entry.message for entry in logs if entry.level in ("WARNING", "ERROR", "CRITICAL")]
    details = [entry.message for entry in logs if entry.level == "DEBUG" and "Exception" in entry.message]
    causes = [found for each in details for found in _CAUSE.findall(each)]
    text = " ".join(" ".join([*said, *causes]).split())
    reason = struck_out(text, url)[:REASON_LENGTH] or "not accepted"
    return Outcome(False, reason, uncertain=any(_BROKEN_OFF.search(each) for each in details))


def _success(logs: list[NotifyLogEntry], url: str) -> Outcome:
    said = " ".join(entry.message for entry in logs if entry.level == "INFO")
    return Outcome(True, struck_out(" ".join(said.split()), url)[:REASON_LENGTH])


def struck_out(text: str, url: str) -> str:
    """The text without any piece of the URL after its schema."""
    pieces: set[str] = set()
    rest = url.partition("://")[2]
    for version in (rest, unquote(rest)):
        pieces |= {version, *re.split(r"[/?&=@:,;\s<>\"']+", version)}
    for piece in sorted(pieces, key=len, reverse=True):
        if len(piece) >= STRUCK_LENGTH:
            text = re.sub(re.escape(piece), "…", text, flags=re.IGNORECASE)
    return text
