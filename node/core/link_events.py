"""Events of the links: connections begin and end, the broker answers, and others publish.

Nothing that is heard here can end or hide an alarm. Only a command can end one, by its own rules.
"""

from math import inf

from msgspec.structs import replace

from node.core import alarm, canary, delivery, heartbeat, incident_events, reconcile, supervision, walk_test
from node.core import events as ev
from node.core.alarm import Happening
from node.core.effects import MarkReceived, SendState
from node.core.model import BROKER, EventKind, Key, Step
from node.core.settings import Receipts
from node.core.state import State
from node.core.supervision import FaultId, LinkState
from node.core.turn import Turn
from node.errors.faults import NO_MONITOR
from node.errors.reason_codes import TOO_LARGE

NOBODY_SUBSCRIBES = 0x10


def link_up(turn: Turn, event: ev.LinkUp) -> None:
    """A session begins: send the birth and a canary; reconcile.py then sends the alarm, a heartbeat and what waits."""
    link = turn.known_link(event.link)
    if link is None or turn.state.stopping:
        return
    link = LinkState(
        name=link.name,
        since=turn.now,
        session=event.session,
        up=True,
        confirmed=link.confirmed,
        stolen_until=link.stolen_until,
        cut_at=link.cut_at,
        cut_until=link.cut_until,
        foreign_until=link.foreign_until,
        publish_refused={topic: code for topic, code in link.publish_refused.items() if code != TOO_LARGE},
        subscribe_refused=event.refused,
        packet_limit=event.packet_limit,
        expiry_lost=link.expiry_lost,
        certificates=link.certificates,
        credentials_usable=link.credentials_usable,
    )
    turn.change_link(link)
    turn.change(waiting=delivery.forget_link(turn.state.waiting, link.name))
    _send_birth(turn, link)
    canary.send(turn, link.name)
    heartbeat.send_first(turn, link.name)


def link_down(turn: Turn, event: ev.LinkDown) -> None:
    """A session ended, or couldn't begin."""
    link = turn.known_link(event.link)
    if link is None:
        return
    if event.taken_over:
        link = replace(link, stolen_until=turn.now + supervision.STOLEN_SHOWN_S)
    if link.up:
        turn.change(waiting=delivery.forget_link(turn.state.waiting, link.name))
        if event.by_broker:
            link = supervision.session_cut(link, turn.now)
        link = replace(
            link,
            up=False,
            since=turn.now,
            answer_due=None,
            canary_due=None,
            next_canary_at=None,
            birth_due=None,
            alarm_due=None,
        )
    turn.change_link(replace(link, problem=event.problem, code=event.code))


def credentials_seen(turn: Turn, event: ev.CredentialsSeen) -> None:
    """A link has checked its files, or its broker has shown a certificate."""
    link = turn.known_link(event.link)
    if link is not None:
        turn.change_link(replace(link, certificates=event.ends_utc, credentials_usable=event.usable))


def publish_answered(turn: Turn, event: ev.PublishAnswered) -> None:
    """PUBACK: the path works, and a broker has the event or refused it. A PUBACK is never a receipt."""
    link = turn.known_link(event.link)
    if link is None or event.session != link.session or not link.up:
        return
    answered = supervision.publish_answered(link, event.topic, event.code, turn.now)
    turn.change_link(answered)
    if len(answered.publish_refused) < len(link.publish_refused):
        # The broker takes the topic again: events that it refused needn't wait for their own turn.
        turn.change(waiting=delivery.retry_refused(turn.state.waiting, link.name))
    if event.key is None:
        return
    awaited = turn.state.settings.receipts is Receipts.REQUIRED
    if event.code != 0 or not awaited:
        turn.change(waiting=delivery.answered(turn.state.waiting, link.name, event.key))
    if event.code == NOBODY_SUBSCRIBES:
        _no_subscriber(turn, event.key)
    elif event.code < 0x80:
        _advance_calls(turn, event.key, Happening.ACCEPTED if awaited else Happening.TAKEN, Step.ACCEPTED)
        if not awaited:
            _stop_sending(turn, event.key, BROKER)


def receipt_heard(turn: Turn, event: ev.ReceiptHeard) -> None:
    """A monitor holds an event, or people were told of a call. If ``monitors`` is set, others are ignored.

    After *told* the event is still sent again until it is *held*: the monitor may have it in memory only.
    """
    settings = turn.state.settings
    if turn.known_link(event.link) is None or settings.receipts is Receipts.NONE:
        return
    if settings.monitors and event.monitor not in settings.monitors:
        return
    turn.change(supervision=supervision.hear_receipt(turn.state.supervision, event.monitor, turn.now))
    if event.kind == "told":
        _advance_calls(turn, event.key, Happening.TOLD, Step.TOLD)
        return
    _advance_calls(turn, event.key, Happening.HELD, Step.HELD)
    walk_test.held(turn, event.key)
    _stop_sending(turn, event.key, event.monitor)


def monitor_heard(turn: Turn, event: ev.MonitorHeard) -> None:
    """A monitor spoke. If it is new, restarted or has just connected, everything that waits is sent again."""
    monitors = turn.state.settings.monitors
    if turn.known_link(event.link) is None or (monitors and event.monitor not in monitors):
        return
    heard, fresh = supervision.hear_monitor(
        turn.state.supervision, event.monitor, event.boot, turn.now, alive=event.alive
    )
    turn.change(supervision=heard)
    if fresh or event.birth:
        turn.change(waiting=delivery.redeliver(turn.state.waiting, turn.now))


def state_heard(turn: Turn, event: ev.StateHeard) -> None:
    """Our own ``state`` topic must hold our own birth. Anything else is answered with the birth, at most once a second.

    A retained value is older than the birth with which this session began, so that birth has already answered it.
    """
    link = turn.known_link(event.link)
    if link is None or not link.up or turn.state.stopping:
        return
    if event.boot == turn.state.boot and event.session == link.session and event.state == "online":
        turn.change_link(replace(link, confirmed=True))
        return
    if event.boot not in ("", turn.state.boot) and link.confirmed:
        link = replace(link, stolen_until=turn.now + supervision.STOLEN_SHOWN_S)
    if event.retained:
        turn.change_link(link)
        return
    turn.change_link(_with_birth_due(turn, link))
    _resend_birth(turn, link.name)


def alarm_heard(turn: Turn, event: ev.AlarmHeard) -> None:
    """The retained ``alarm``: adopt an incident that this node doesn't remember, unless it is known as reset.

    One broker may have kept an older list than another. If a list shows more presses of an adopted incident, the
    incident is adopted again, as a new call. An incident that no node can have listed, or that would be one too many,
    isn't adopted: somebody else wrote it, and that is a fault. Our topic must show the list that we published last. If
    somebody else writes on it (even a copy of an old list of ours), we publish that list again, at most once a second.
    """
    link = turn.known_link(event.link)
    if link is None or not link.up:
        return
    settings, before = turn.state.settings, turn.state.incidents
    for listed in event.incidents if event.retained else ():
        known = turn.state.incident(listed.id)
        if listed.id in turn.state.closed or listed.id.startswith(f"{turn.state.boot}-"):
            continue
        if known is not None and (not known.adopted or listed.presses <= known.presses):
            continue
        is_full = known is None and len(turn.state.incidents) >= alarm.OPEN_LIMIT
        if is_full or not alarm.is_plausible(listed):
            link = replace(link, foreign_until=turn.now + supervision.STOLEN_SHOWN_S)
            continue
        configured = next((each for each in settings.inputs if each.name == listed.input), None)
        incident = alarm.adopt(
            known,
            listed,
            configured,
            turn.next_key(),
            at=turn.now,
            muted=alarm.muted(before, listed.alarm_class),
            receipt_s=settings.receipt_s,
            sound_limit_s=settings.sound_limit_s,
        )
        others = (each for each in turn.state.incidents if each is not known)
        turn.change(incidents=(incident, *others))
        turn.log_about(EventKind.ADOPTED, incident)
    if event.retained:
        turn.change_link(replace(link, alarm_sent=None))
    elif event.boot != turn.state.boot or not reconcile.is_last_sent(link, event.incidents):
        turn.change_link(_with_alarm_due(turn, link))
        _resend_alarm(turn, link.name)


def messages_dropped(turn: Turn, event: ev.MessagesDropped) -> None:
    """Count the dropped messages. Some may have been on our own topics, so birth and list are published again."""
    turn.supervise(dropped=turn.state.supervision.dropped + event.count)
    link = turn.known_link(event.link)
    if link is None or not link.up or turn.state.stopping or event.reason != ev.TOO_MANY:
        return
    turn.change_link(_with_alarm_due(turn, _with_birth_due(turn, link)))
    _resend_birth(turn, link.name)
    _resend_alarm(turn, link.name)


def time_passed(turn: Turn) -> None:
    """Do what is due: forget silent monitors, end faults whose time is over, send birth, list or canary again.

    If no monitor is heard any more, the cause may be a session in which the broker delivers nothing. A canary shows it.
    """
    turn.change(supervision=supervision.forget_monitors(turn.state.supervision, turn.now))
    if _falls_silent(turn.state):
        canary.hurry(turn)
    for name in turn.state.settings.links:
        link = turn.state.supervision.link(name)
        if link.stolen_until is not None and turn.now >= link.stolen_until:
            link = replace(link, stolen_until=None)
            turn.change_link(link)
        if link.cut_until is not None and turn.now >= link.cut_until:
            link = replace(link, cut_until=None)
            turn.change_link(link)
        if link.foreign_until is not None and turn.now >= link.foreign_until:
            turn.change_link(replace(link, foreign_until=None))
        _resend_birth(turn, name)
        _resend_alarm(turn, name)
        canary.send_if_due(turn, name)


def _falls_silent(state: State) -> bool:
    """Whether F014 begins now. Without receipts there is no such fault."""
    since = state.supervision.no_monitor_since
    is_due = since is not None and state.now >= since and state.settings.receipts is Receipts.REQUIRED
    return is_due and FaultId(NO_MONITOR.code, "") not in state.faults


def next_instant(state: State) -> float:
    """When a message must be sent again, or the time of a fault is over; inf if nothing is due."""
    instants = [
        each
        for link in state.supervision.links
        for each in (
            link.birth_due,
            link.alarm_due,
            link.next_canary_at,
            link.stolen_until,
            link.cut_until,
            link.foreign_until,
        )
    ]
    return min((each for each in instants if each is not None), default=inf)


def _with_birth_due(turn: Turn, link: LinkState) -> LinkState:
    return replace(link, birth_due=max(turn.now, link.birth_at + supervision.BIRTH_PAUSE_S))


def _with_alarm_due(turn: Turn, link: LinkState) -> LinkState:
    return replace(link, alarm_due=max(turn.now, link.alarm_answered_at + supervision.ALARM_PAUSE_S))


def _resend_birth(turn: Turn, name: str) -> None:
    """Send the birth again, if that is due."""
    link = turn.state.supervision.link(name)
    if link.birth_due is not None and turn.now >= link.birth_due:
        _send_birth(turn, link)


def _resend_alarm(turn: Turn, name: str) -> None:
    """Mark the list as not sent, if that is due; reconcile.py then publishes it."""
    link = turn.state.supervision.link(name)
    if link.alarm_due is not None and turn.now >= link.alarm_due:
        turn.change_link(replace(link, alarm_sent=None, alarm_answered_at=turn.now, alarm_due=None))


def _advance_calls(turn: Turn, key: Key, happening: Happening, step: Step) -> None:
    """If this event is a call for help, its call reached ``step``."""
    for incident in turn.state.incidents:
        if incident.press == key:
            incident_events.advance(turn, incident, happening, step)


def _no_subscriber(turn: Turn, key: Key) -> None:
    """A broker took the event, but has no subscriber for it. If no other link carries it either, nobody has it."""
    entry = turn.state.waiting.events.get(key)
    for incident in turn.state.incidents:
        if incident.press == key:
            marked = turn.show_step(incident, Step.ACCEPTED)
            turn.put_incident(marked)
            if entry is None or not entry.in_flight:
                incident_events.report_nobody(turn, marked, Happening.UNSUBSCRIBED)


def _stop_sending(turn: Turn, key: Key, by: str) -> None:
    if key in turn.state.waiting.events or turn.state.waiting.spilled:
        turn.change(waiting=delivery.remove(turn.state.waiting, key))
        turn.last.append(MarkReceived(key, by))


def _send_birth(turn: Turn, link: LinkState) -> None:
    turn.change_link(replace(link, birth_at=turn.now, birth_due=None))
    turn.sends.append(SendState(link.name, link.session, "online", *turn.stamp()))
