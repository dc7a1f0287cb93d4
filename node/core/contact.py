r"""One input: what its edges and samples say -> normal, active or unknown.

Rules:

1. An up/down integrator debounces: ``integral`` grows while the contact is actuated and shrinks while it isn't,
   between 0 and ``debounce_s``. At the top the input is active, at 0 normal; in between it stays what it was.
2. Edges move the timeline, by their own time stamps. A burst that arrives late is still told from a press.
3. Samples only confirm or dissent. Nothing becomes active because no edge came: a sample has to agree first.
4. Samples that dissent for ``debounce_s`` in a row win: an edge was lost. If it doesn't arrive within a second after
   all, the edge path has a fault (``lost_since``).
5. Unknown is never taken for normal. An input that can't be read stays what it was for 5 s and is then unknown.

    contact   ___|‾|_|‾‾‾‾‾‾‾‾‾‾‾‾|_|‾|_____________
    integral  ___/‾\\/‾‾‾‾20 ms‾‾‾‾\\/‾\\____________
    state     normal____|active‾‾‾‾‾‾‾‾‾‾‾‾‾|normal
"""

from dataclasses import dataclass, replace
from enum import StrEnum

SAMPLE_STEP_S = 0.010
"""How often an undecided input is read (architecture.md, rule 7)."""

EDGE_GRACE_S = 1.0
"""How late an edge may come before it counts as lost; hazards.md H1 wants the fault within 2 s."""

UNREADABLE_S = 5.0
"""How long an input may stay unread before it is a fault (style.md, habit 4)."""

_EPSILON = 1e-9  # 20 ms added up from floats may end a hair under 20 ms


class ContactState(StrEnum):
    """What is known of an input. ``FAULT`` is for wirings that are supervised."""

    UNKNOWN = "unknown"
    NORMAL = "normal"
    ACTIVE = "active"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Contact:
    """One input's debounce.

    ``level``: the contact is actuated, as far as edges and samples told; None before the first. ``integral`` (seconds)
    holds at the instant ``since``. ``changed_at`` is when ``state`` was decided. ``dissent_since``: the first of the
    samples in a row that contradict ``level``. ``lost_since``: when samples won over an edge that is still missing.
    ``unread_since``: the first of the samples in a row that couldn't be read (at start: since the start).
    """

    state: ContactState = ContactState.UNKNOWN
    level: bool | None = None
    since: float = 0.0
    integral: float = 0.0
    changed_at: float = 0.0
    dissent_since: float | None = None
    lost_since: float | None = None
    unread_since: float | None = None


def edge(contact: Contact, actuated: bool, at: float, debounce_s: float) -> Contact:
    """An edge to ``actuated`` at its own time stamp; one from before ``since`` counts as of ``since``."""
    return replace(_turned(contact, actuated, at, debounce_s), lost_since=None)


def sample(contact: Contact, actuated: bool | None, at: float, debounce_s: float) -> Contact:
    """A level read at ``at``; None when it couldn't be read."""
    if actuated is None:
        since = at if contact.unread_since is None else contact.unread_since
        return replace(contact, unread_since=since, dissent_since=None)
    if contact.unread_since is not None:
        contact = replace(contact, unread_since=None)
    if contact.level is None:
        contact = replace(contact, level=actuated, since=at)
    if actuated is contact.level:
        if contact.dissent_since is not None:
            contact = _agreed(contact, contact.dissent_since, at, debounce_s)
        reached = _advance(contact, at, debounce_s)
        return reached if reached.state is not contact.state else contact
    if contact.dissent_since is None:
        return replace(contact, dissent_since=at)
    if at - contact.dissent_since < debounce_s - _EPSILON:
        return contact
    contact = _turned(contact, actuated, contact.dissent_since, debounce_s)
    if contact.lost_since is None:
        contact = replace(contact, lost_since=at)
    return _advance(contact, at, debounce_s)


def forget(contact: Contact) -> Contact:
    """The input has been unreadable for too long: nothing is known of it any more."""
    return replace(contact, state=ContactState.UNKNOWN, level=None, integral=0.0, dissent_since=None)


def next_sample(contact: Contact, at: float, debounce_s: float) -> float | None:
    """When this input wants to be read next, beside the sampler's own beat; None when it is decided."""
    if contact.dissent_since is not None:
        return max(at, min(at + SAMPLE_STEP_S, contact.dissent_since + debounce_s))
    if contact.level is None or contact.state is _decided(contact.level):
        return None
    if contact.unread_since is not None:
        return at + SAMPLE_STEP_S
    missing = debounce_s - contact.integral if contact.level else contact.integral
    return max(at, min(at + SAMPLE_STEP_S, contact.since + missing))


def _turned(contact: Contact, actuated: bool, at: float, debounce_s: float) -> Contact:
    """The level changed at ``at``, or at ``since`` where that is later."""
    at = max(at, contact.since)
    return replace(_advance(contact, at, debounce_s), level=actuated, since=at, dissent_since=None)


def _agreed(contact: Contact, dissent_since: float, at: float, debounce_s: float) -> Contact:
    """Samples agree again. An actuated contact was let go meanwhile, unless they were only older than its edge."""
    if not contact.level or dissent_since <= contact.since:
        return replace(contact, dissent_since=None)
    released = _turned(contact, False, dissent_since, debounce_s)
    return _turned(released, True, at, debounce_s)


def _decided(level: bool) -> ContactState:
    return ContactState.ACTIVE if level else ContactState.NORMAL


def _advance(contact: Contact, to: float, debounce_s: float) -> Contact:
    """Integrate the level up to ``to``; a decision is dated at the crossing and the timeline stops there."""
    if contact.level is None:
        return contact
    span = max(0.0, to - contact.since)
    if contact.level:
        missing = debounce_s - contact.integral
        integral = min(debounce_s, contact.integral + span)
    else:
        missing = contact.integral
        integral = max(0.0, contact.integral - span)
    if span < missing - _EPSILON:
        return replace(contact, integral=integral, since=max(to, contact.since))
    crossing = contact.since + missing
    full = debounce_s if contact.level else 0.0
    state = _decided(contact.level)
    changed_at = contact.changed_at if contact.state is state else crossing
    return replace(contact, integral=full, since=crossing, state=state, changed_at=changed_at)
