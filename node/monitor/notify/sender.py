"""One target: a message goes out through Apprise, and comes back as told or not, within a deadline.

Rules:

1. Its URL holds passwords, tokens and people's addresses: no part of it reaches a log. Apprise's own log is shut; what
   it says of a failure is read from its result, and whatever the URL holds is struck out.
2. Apprise's timeouts are for one step of a conversation (``cto`` and ``rto`` in the URL: 4 s each, 15 s for a mail
   server's); a name server, and a server that drips, have none. So each try is a thread of its own, left alone after
   SEND_S. Where HUNG_MAX of them still hang, no further one is made. With a deadline of our own, an answer may take
   READ_S: a gateway that needs 5 s for each SMS would otherwise send every one again for a day.
3. Apprise's own pool of threads isn't used: six tries that hang would hold it, and everybody's alarms with it.
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

from node.monitor.notify.texts import Message, Mood

SEND_S = 30.0
READ_S = 20.0
HUNG_MAX = 3
REASON_LENGTH = 200
STRUCK_LENGTH = 3
"""Shorter pieces of the URL than this stay: they say nothing, and striking them out would spoil the words."""

_TYPES = {Mood.ALARM: NotifyType.FAILURE, Mood.WARNING: NotifyType.WARNING, Mood.GOOD: NotifyType.SUCCESS}

_UNUSABLE = "its url is none that Apprise understands"

_CAUSE = re.compile(
    r"\[Errno -?\d+\] [A-Za-z ]+|timed out|certificate verify failed: [A-Za-z -]+|\([45]\d\d, b'[^']{0,100}'"
)
"""What is let through of what Apprise says at DEBUG: an exception's text may hold a token that the URL doesn't."""

_BROKEN_OFF = re.compile("timed out|IncompleteRead|Connection aborted|reset by peer|Broken pipe|unexpectedly closed")
"""So a conversation ends in which the message may have arrived all the same."""

for _name in ("apprise", "urllib3"):
    _logger = logging.getLogger(_name)
    _logger.addHandler(logging.NullHandler())
    _logger.propagate = False
logging.getLogger("apprise").setLevel(logging.DEBUG)


class Outcome(NamedTuple):
    """What came of a try, and what was said. ``uncertain``: it isn't known to be told, but perhaps it is."""

    told: bool
    reason: str = ""
    uncertain: bool = False


def problem_of(url: str) -> str | None:
    """Why Apprise can't use this URL, or None where it can; nothing is sent."""
    return None if _service(url) is not None else _UNUSABLE


@cache
def _load_plugins() -> None:
    """Once, and before there are threads: one of Apprise's plugins imports what Python has deprecated, and warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        NotificationManager().load_modules()  # type: ignore[no-untyped-call]


def _service(url: str) -> NotifyBase | None:
    _load_plugins()
    asset = AppriseAsset(
        app_id="alarm-monitor",
        app_desc="alarm-monitor",
        app_url="",
        service_timeout=0,  # with any, the try would go to the pool of rule 3
        storage_mode=PersistentStoreMode.MEMORY,
        pgp_autogen=False,
        pem_autogen=False,
    )
    service = Apprise.instantiate(url, asset=asset)
    if service is not None:
        # Apprise would hold an alarm back for 5.5 s behind whatever was told before it.
        service.request_rate_per_sec = 0.0
        if service.socket_read_timeout == NotifyBase.socket_read_timeout:
            service.socket_read_timeout = READ_S
    return service


class Sender:
    """Tells one target, one message at a time.

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

    def take(self, url: str) -> None:
        """From the next try on, this is its URL; from any thread."""
        self._url, self._unusable = url, _UNUSABLE

    def send(self, message: Message, meanwhile: Callable[[], object] = lambda: None, every_s: float = inf) -> Outcome:
        """Try once; never longer than ``send_s``, whatever the other side does. ``meanwhile`` is called ``every_s``."""
        self.hanging = [each for each in self.hanging if each.is_alive()]
        if len(self.hanging) >= HUNG_MAX:
            return Outcome(False, f"{HUNG_MAX} earlier tries still hang")
        url = self._url
        known = self._service if self._made_of == url else None
        service, self._service, self._made_of = known or (_service(url) if url else None), None, url
        if service is None:
            return Outcome(False, self._unusable)
        answers: SimpleQueue[Outcome] = SimpleQueue()
        thread = Thread(target=lambda: answers.put(_try(service, url, message)), name=f"tell-{self.name}", daemon=True)
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
    """Why it failed, in Apprise's words, without what the URL holds."""
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
    """The text without any piece of the URL beyond its schema."""
    pieces: set[str] = set()
    rest = url.partition("://")[2]
    for version in (rest, unquote(rest)):
        pieces |= {version, *re.split(r"[/?&=@:,;\s<>\"']+", version)}
    for piece in sorted(pieces, key=len, reverse=True):
        if len(piece) >= STRUCK_LENGTH:
            text = re.sub(re.escape(piece), "…", text, flags=re.IGNORECASE)
    return text
