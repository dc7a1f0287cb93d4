"""Decides what is told as one message, what nobody needs to hear any more, and when to try again.

Pure. Instants are monotonic seconds.

    findings   _|‾|_|‾|______________________    few: one message gather_s after the first
    sent       ____________|‾|_______________
    nodes down _|‾‾‾‾‾‾|____________|‾‾‾|____    many: MANY_S after the first: nodes that die together are all
    sent       ____________________________|‾|   found to be down within 20 s (node_supervision.py, rule 1)
"""

from collections.abc import Iterable
from math import inf

from node.core.back_off import BackOff
from node.monitor.core.decisions.deliveries import RETRY_MAX_S, Delivery, Waiting
from node.monitor.core.model.records import FindingKey, NoticeKind

FEW = 3
"""If more nodes than these go down at the same time, that is no coincidence."""

MANY_S = 25.0

RETRY = BackOff(2.0, RETRY_MAX_S)
"""The waits after a failed try: 2 s, doubling, to five minutes."""

ALARM_TRIED_S = 24 * 3600.0
FINDING_TRIED_S = 6 * 3600.0


class GatherWindow:
    """How long one target's message waits for more to join it."""

    def __init__(self, gather_s: float, many_s: float = MANY_S) -> None:
        self._gather_s = gather_s
        self._many_s = many_s
        self._since: float | None = None

    def left(self, at: float, waiting: Waiting) -> float:
        """In how many seconds the message is due; inf if there is none. 0.0 is now: what comes later joins the next."""
        if not waiting.gathered:
            self._since = None
            return inf
        since = at if self._since is None else self._since
        left_s = since + (self._many_s if waiting.down > FEW else self._gather_s) - at
        self._since = since if left_s > 0 else None
        return max(0.0, left_s)


def left_out(deliveries: Iterable[Delivery]) -> frozenset[int]:
    """The ids of findings, and of their ends, that both came before anybody was told.

    After a try people may have read it, whatever the other side answered. Then both are told.
    """
    begun: dict[FindingKey, int] = {}
    over: set[int] = set()
    for delivery in sorted(deliveries, key=lambda each: each.id):
        key = delivery.notice.finding
        if key is None or delivery.attempts or delivery.uncertain:
            continue
        if delivery.notice.kind is NoticeKind.FINDING:
            begun[key] = delivery.id
        elif delivery.notice.kind is NoticeKind.CLEARED and key in begun:
            over |= {begun.pop(key), delivery.id}
    return frozenset(over)


def tries(tried_s: float) -> int:
    """How many failed tries it takes until their waits add up to ``tried_s``. They are counted because clocks jump."""
    count = 0
    while tried_s > 0:
        count += 1
        tried_s -= RETRY.wait_s(count)
    return count


ALARM_TRIES = tries(ALARM_TRIED_S)
FINDING_TRIES = tries(FINDING_TRIED_S)


def is_given_up(delivery: Delivery) -> bool:
    """Whether the delivery is given up if its next try fails."""
    of_finding = delivery.notice.kind in (NoticeKind.FINDING, NoticeKind.CLEARED)
    return delivery.attempts + 1 >= (FINDING_TRIES if of_finding else ALARM_TRIES)
