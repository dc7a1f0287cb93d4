"""Puts deliveries into words: a message about incidents, about one finding or about many; or a test of a target."""

import logging
from collections.abc import Sequence
from datetime import datetime

from node.monitor.core.decisions.deliveries import Delivery
from node.monitor.locale.translation import Words, one_line
from node.monitor.notify.texts.finding_texts import told_finding, told_findings
from node.monitor.notify.texts.incident_texts import TELLERS, bare_call, told_incidents
from node.monitor.notify.texts.message import Message, Mood

log = logging.getLogger(__name__)


def message(deliveries: Sequence[Delivery], words: Words) -> Message:
    """One message about all these deliveries: one notice, or several that were gathered."""
    notices = [each.notice for each in deliveries]
    if all(each.kind in TELLERS for each in notices):
        made = told_incidents(notices, words)
    elif len(notices) > 1:
        made = told_findings(notices, words)
    else:
        made = told_finding(notices[0], words)
    if any(each.uncertain for each in deliveries):
        made = made._replace(body=made.body + "\n" + words.say("You may have got this message before."))
    return made


def worded(deliveries: Sequence[Delivery], words: Words) -> tuple[Message | None, Sequence[Delivery]]:
    """The message about these deliveries (None if there is nothing to say), and those that can't be put into words.

    A notice that can't be worded because of a bug doesn't hold back the others. If it is a call, the message at least
    says where.
    """
    try:
        return message(deliveries, words), ()
    except Exception:
        # If this were raised, the whole claim would fail, and another room's call in it would be told to nobody.
        log.exception("a message can't be put into words")
    said = [each for each in deliveries if _can_be_said(each, words)]
    unsaid = [each for each in deliveries if each not in said]
    calls = [each.notice for each in unsaid if each.notice.is_call]
    made = [bare_call(calls, words)] if calls else []
    if said:
        made.append(message(said, words))
    aside = [each for each in unsaid if not each.notice.is_call]
    if not made:
        return None, aside
    rest = [line for each in made[1:] for line in ("", each.title, each.body)]
    return made[0]._replace(body="\n".join([made[0].body, *rest])), aside


def _can_be_said(delivery: Delivery, words: Words) -> bool:
    try:
        message([delivery], words)
    except Exception:  # what is wrong with this notice isn't wrong with the others
        log.exception("notice %s can't be put into words", one_line(delivery.notice.key))
        return False
    return True


def trial(monitor: str, at_utc: datetime, languages: Sequence[Words]) -> Message:
    """The message that tests a target. It is in several languages, so that nobody takes it for an alarm."""
    lines = []
    for words in languages:
        lines.append(words.say("This is a test. Nobody is in danger."))
        time = words.time(at_utc)
        lines.append(words.say("{monitor} tests whether its messages arrive here, {time}", monitor=monitor, time=time))
    return Message(languages[0].title("TEST / PROBE: {monitor}", monitor=monitor), "\n".join(lines), Mood.GOOD)
