r"""One input: from the state of its lines (line.py) and its wiring to normal, active, fault or unknown.

Rules:

1. An input with one line has the state of that line.
2. A changeover contact has two lines: its normally open and its normally closed side. If both are active, or both are
   normal, the input is so, too. While the lines contradict each other (equal levels), the input keeps its state. After
   ``debounce_s`` of contradiction a wire is cut or shorted: the input is in fault. If both lines become active during
   that fault, it is a press all the same.
3. If a line can't be read for 5 s, the input is unknown, whatever the other line says.

    open side    ______|‾‾‾‾‾‾‾‾‾‾‾|_________________
    closed side  ____|‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾|____|‾‾‾‾‾‾‾‾‾‾    its wire is cut
    state        normal|active‾‾‾‾‾‾‾|normal__|fault

Edges of both lines come in the order of their stamps, because one request and one thread have all lines. So an edge of
one line also says that the other line has kept its level until then, unless an edge of the other line is missing. Its
own next edge will tell that. So the input is decided as if the level had lasted, but the other line isn't changed: once
a gap is told, that time counts for nothing (HAZARDS.md H85). Only when the input becomes active or normal, its lines do
so, too. So a press that was told stays one across a gap.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from node.core import line
from node.core.line import ContactState, Line
from node.core.settings import Wiring

_EPSILON = 1e-9


class Contact(Struct, frozen=True):
    """One input: its lines as ``Wiring`` orders them; ``changed_at`` is when ``state`` was decided."""

    lines: tuple[Line, ...]
    state: ContactState = ContactState.UNKNOWN
    changed_at: float = 0.0


def unread(wiring: Wiring, at: float) -> Contact:
    """An input that hasn't been read yet."""
    return Contact(lines=(Line(unread_since=at, since=at),) * wiring.lines)


def read(wiring: Wiring, highs: Sequence[bool | None]) -> ContactState:
    """What the present electrical levels of an input's lines say, without a debounce."""
    if None in highs:
        return ContactState.UNKNOWN
    actuated = {wiring.actuated(bool(high), number) for number, high in enumerate(highs)}
    if len(actuated) > 1:
        return ContactState.FAULT
    return ContactState.ACTIVE if True in actuated else ContactState.NORMAL


def edge(contact: Contact, number: int, actuated: bool, at: float, debounce_s: float) -> Contact:
    """An edge of the line of this number to ``actuated``, at its own time stamp."""
    lines = tuple(
        line.edge(each, actuated, at, debounce_s) if index == number else each
        for index, each in enumerate(contact.lines)
    )
    return _decided(contact, lines, at, debounce_s, [line.advance(each, at, debounce_s) for each in lines])


def gap(contact: Contact, number: int, debounce_s: float) -> Contact:
    """Edges of the line of this number were dropped before the next one or the next sample."""
    lines = (line.gap(each, debounce_s) if index == number else each for index, each in enumerate(contact.lines))
    return replace(contact, lines=tuple(lines))


def sample(
    contact: Contact, actuated: Sequence[bool | None], at: float, debounce_s: float, until: float | None = None
) -> Contact:
    """The contact after every line was read from ``at`` to ``until``; a level is None if it couldn't be read.

    Returns the same object if nothing changes.
    """
    lines = tuple(
        line.sample(each, level, at, debounce_s, until) for each, level in zip(contact.lines, actuated, strict=True)
    )
    return _decided(contact, lines, at, debounce_s, lines)


def is_confirmed(contact: Contact, actuated: Sequence[bool | None]) -> bool:
    """Whether a reading of these levels changes nothing, now and until another event of this input."""
    if not all(line.is_confirmed(each, level) for each, level in zip(contact.lines, actuated, strict=True)):
        return False
    return contact.state is (ContactState.FAULT if _contradict(contact.lines) else contact.lines[0].state)


def expire(contact: Contact, at: float) -> Contact:
    """The contact at ``at``: unknown if a line couldn't be read for too long. The same object if nothing changes."""
    lines = tuple(line.expire(each, at) for each in contact.lines)
    if all(after is before for after, before in zip(lines, contact.lines, strict=True)):
        return contact
    return replace(contact, lines=lines, state=ContactState.UNKNOWN)


def next_sample(contact: Contact, at: float, debounce_s: float) -> float | None:
    """When this input wants to be read next, besides the regular reading; None when it is decided."""
    wanted = [line.next_sample(each, at, debounce_s) for each in contact.lines]
    if contact.state is not ContactState.FAULT and _contradict(contact.lines):
        wanted.append(max(at, _changed_at(contact.lines) + debounce_s))
    return min((each for each in wanted if each is not None), default=None)


def _contradict(lines: Sequence[Line]) -> bool:
    states = {each.state for each in lines}
    return len(states) > 1 and ContactState.UNKNOWN not in states


def _changed_at(lines: Sequence[Line]) -> float:
    return max(each.changed_at for each in lines)


def _decided(contact: Contact, lines: tuple[Line, ...], at: float, debounce_s: float, held: Sequence[Line]) -> Contact:
    """The contact with these lines; ``held`` is what they are if each has held its level until ``at``.

    A state that they had only between two calls was too short to count.
    """
    state, changed_at = contact.state, _changed_at(held)
    if _contradict(held):
        if at >= changed_at + debounce_s - _EPSILON:
            state, changed_at = ContactState.FAULT, changed_at + debounce_s
    elif ContactState.UNKNOWN not in {each.state for each in held}:
        state = held[0].state
    if state is not contact.state:
        return Contact(lines if state is ContactState.FAULT else tuple(held), state, changed_at)
    if all(after is before for after, before in zip(lines, contact.lines, strict=True)):
        return contact
    return replace(contact, lines=lines)
