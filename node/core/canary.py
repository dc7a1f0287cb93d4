"""The canary: a message of the node to itself over a broker. If it comes back, the session delivers messages.

If earlier ones of a session came back and the newest one doesn't, the broker delivers nothing in that session any more
(HAZARDS.md H82), and only a new session helps. If none ever came back, access rights are the likely cause, which a new
session wouldn't change.
"""

from msgspec.structs import replace

from node.core import events as ev
from node.core import supervision
from node.core.effects import RenewLink, SendCanary
from node.core.turn import Turn


def heard(turn: Turn, event: ev.CanaryHeard) -> None:
    """Our own canary came back: this session hears its own topics, and every retained value has arrived.

    A canary without its expiry shows that commands lose theirs at this broker, too. It is ignored if no canary is
    awaited: then somebody else has sent a copy.
    """
    link = turn.known_link(event.link)
    if link is not None and link.up and event.boot == turn.state.boot and event.session == link.session:
        if not event.expiring and link.canary_due is None:
            return
        again = turn.now + supervision.CANARY_EVERY_S
        expiry_lost = not event.expiring
        turn.change_link(
            replace(link, canary_due=None, next_canary_at=again, retained_read=True, expiry_lost=expiry_lost)
        )


def send(turn: Turn, name: str) -> None:
    """Send one on this link. One that is still awaited keeps its deadline: a further one must not end the fault."""
    link = turn.state.supervision.link(name)
    due = turn.now + supervision.CANARY_BACK_S if link.canary_due is None else link.canary_due
    turn.change_link(replace(link, canary_due=due, next_canary_at=turn.now + supervision.CANARY_AGAIN_S))
    turn.sends.append(SendCanary(link.name, link.session, *turn.stamp()))


def send_if_due(turn: Turn, name: str) -> None:
    """Send the next one on this link if that is due. Where only a new session helps, ask for one instead."""
    link = turn.state.supervision.link(name)
    if link.next_canary_at is None or turn.now < link.next_canary_at:
        return
    if link.retained_read and link.canary_due is not None:
        turn.change_link(replace(link, next_canary_at=turn.now + supervision.CANARY_AGAIN_S))
        turn.sends.append(RenewLink(link.name, link.session))
    else:
        send(turn, name)


def hurry(turn: Turn) -> None:
    """Make the next one due on each link that awaits none."""
    for link in turn.state.supervision.links:
        if link.next_canary_at is not None and link.canary_due is None:
            turn.change_link(replace(link, next_canary_at=turn.now))
