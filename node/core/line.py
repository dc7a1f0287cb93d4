r"""One line (a GPIO pin): its edges and samples decide: normal, active or unknown. contact.py makes inputs of lines.

Rules:

1. An up/down integrator debounces: ``integral`` grows while the contact is actuated and shrinks while it isn't,
   between 0 and ``debounce_s``. At the top the line is active, at 0 it is normal; in between it keeps its state. Until
   the line is active it shrinks four times as fast (``LEAK``): a hum that a long cable picks up is no press.
2. Edges change the level at their own time stamps. So a burst of bounces that arrives late isn't taken for a press.
3. Samples only confirm or dissent (contradict the level). A line never becomes active merely because no further edge
   came: a sample has to agree first.
4. Samples that dissent for ``debounce_s`` in a row win: an edge was lost. If that edge doesn't arrive within a second
   after all, the edge path has a fault (``lost_since``).
5. A machine that stalls for a moment neither loses a press nor makes one up. A sample was read at some instant of a
   span, and the span is long if its thread was held up. So a sample dissents from the end of its span, and it can't
   contradict an edge that may be newer. After an edge says "actuated" on a normal line, dissenting samples can't
   override it for 1 s: the release edge may be late, and only its time stamp says how long the press was. That edge
   is stamped before the instant at which the samples would otherwise have won. A newer edge, or a sample that agrees
   again, shows that the release edge was lost.
6. Unknown is never taken for normal. A line that can't be read keeps its state for 5 s and is then unknown.
7. Where edges are missing (``gap``), nobody knows how long a level lasted: the integral begins anew with the next edge
   or sample. Otherwise a hum whose edges are dropped would be a press.

    contact   ___|‾|_|‾‾‾‾‾‾‾‾‾‾‾‾|_|‾|_____________
    integral  ___/‾\\/‾‾‾‾20 ms‾‾‾‾\\/‾\\____________
    state     normal____|active‾‾‾‾‾‾‾‾‾‾‾‾‾|normal
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

SAMPLE_STEP_S = 0.010
"""How often an undecided line is read (deploy/design/ARCHITECTURE.md 2, rule 7)."""

EDGE_GRACE_S = 1.0
"""How late an edge may come before it counts as lost; HAZARDS.md H1 wants the fault within 2 s."""

UNREADABLE_S = 5.0
"""How long a line may stay unread before it is a fault (deploy/design/CONTRIBUTING.md 2, habit 4)."""

LEAK = 4.0
"""How many seconds of "actuated" one second of "not actuated" takes back on a line that isn't active.

So a contact must be closed for more than 80 % of the time. Hum of 30 to 400 Hz is no press up to that share, while each
of its pulses is shorter than the debounce. A bounce of 1 ms delays a press by 5 ms (HAZARDS.md H71).
"""

_EPSILON = 1e-9  # rounding: 20 ms added up from floats may end just below 20 ms


class ContactState(StrEnum):
    """What is known of an input. ``FAULT``: its wire is cut or shorted; only supervised inputs have it, lines never."""

    UNKNOWN = "unknown"
    NORMAL = "normal"
    ACTIVE = "active"
    FAULT = "fault"


class Line(Struct, frozen=True):
    """One line's debounce.

    ``level``: whether the contact is actuated, by the newest edges and samples; None before the first, and after a gap.
    ``integral`` (seconds) is its value at the instant ``since``. ``changed_at``: when ``state`` was decided.
    ``dissent_since``: the first of the samples in a row that contradict ``level``. ``lost_since``: since when samples
    say that an edge is missing. ``unread_since``: the first of the samples in a row that couldn't be read (at start:
    since the start).
    """

    state: ContactState = ContactState.UNKNOWN
    level: bool | None = None
    since: float = 0.0
    integral: float = 0.0
    changed_at: float = 0.0
    dissent_since: float | None = None
    lost_since: float | None = None
    unread_since: float | None = None


def edge(line: Line, actuated: bool, at: float, debounce_s: float) -> Line:
    """An edge to ``actuated`` at its own time stamp; an edge from before ``since`` counts at ``since``."""
    waits_since = _waits_since(line)
    is_another = waits_since is not None and at > waits_since
    if line.dissent_since is not None and (actuated is line.level or is_another):  # an edge in between was lost
        line = _turned(line, not line.level, min(line.dissent_since, at), debounce_s)
    return replace(_turned(line, actuated, at, debounce_s), lost_since=None)


def sample(line: Line, actuated: bool | None, at: float, debounce_s: float, until: float | None = None) -> Line:
    """The line after a level was read at some instant from ``at`` to ``until`` (None: at ``at``).

    ``actuated`` is None if the level couldn't be read.
    """
    until = at if until is None else until
    if actuated is None:
        since = at if line.unread_since is None else line.unread_since
        return replace(
            line, unread_since=since, dissent_since=None if _waits_since(line) is None else line.dissent_since
        )
    if line.unread_since is not None:
        line = replace(line, unread_since=None)
    if line.level is None:
        line = replace(line, level=actuated, since=until if actuated else at)
    if actuated and line.dissent_since is not None and _waits_since(line) is not None:  # pressed again: no release came
        line = _advance(_turned(line, False, line.dissent_since, debounce_s), at, debounce_s)
    dissent_since = line.dissent_since
    if actuated is line.level:
        if dissent_since is not None:
            line = _agreed(line, dissent_since, at, debounce_s)
        return advance(line, at, debounce_s)
    if dissent_since is None:
        return replace(line, dissent_since=until) if at >= line.since else line
    if at < dissent_since + debounce_s - _EPSILON:
        return line
    if line.lost_since is None:
        line = replace(line, lost_since=at)
    if at < _due(line, dissent_since, debounce_s) - _EPSILON:
        return line
    return _advance(_turned(line, actuated, dissent_since, debounce_s), at, debounce_s)


def gap(line: Line, debounce_s: float) -> Line:
    """The line after edges that were dropped: it keeps its state, and its level is what comes next."""
    integral = debounce_s if line.state is ContactState.ACTIVE else 0.0
    return replace(line, level=None, integral=integral, dissent_since=None, lost_since=None)


def advance(line: Line, at: float, debounce_s: float) -> Line:
    """The line at ``at``, if its level has held until then. The same object if samples dissent or its state stays."""
    if line.dissent_since is not None and at > line.dissent_since:
        return line
    reached = _advance(line, at, debounce_s)
    return reached if reached.state is not line.state else line


def is_confirmed(line: Line, actuated: bool | None) -> bool:
    """Whether a reading of this level changes nothing, now and until another event of this line."""
    is_decided = line.level is not None and line.state is _decided(line.level)
    return is_decided and actuated is line.level and line.dissent_since is None and line.unread_since is None


def expire(line: Line, at: float) -> Line:
    """The line at ``at``: unknown if it couldn't be read for 5 s."""
    if line.unread_since is None or at < max(line.unread_since, line.since) + UNREADABLE_S:
        return line
    if line.level is None and line.state is ContactState.UNKNOWN:
        return line
    return replace(line, state=ContactState.UNKNOWN, level=None, integral=0.0, dissent_since=None)


def next_sample(line: Line, at: float, debounce_s: float) -> float | None:
    """When this line wants to be read next, besides the regular reading; None when it is decided."""
    if line.level is None or (line.dissent_since is None and line.state is _decided(line.level)):
        return None
    if line.unread_since is not None:
        return at + SAMPLE_STEP_S
    if line.dissent_since is not None:
        return max(at, min(at + SAMPLE_STEP_S, _due(line, line.dissent_since, debounce_s)))
    missing = debounce_s - line.integral if line.level else line.integral / _leak(line)
    return max(at, min(at + SAMPLE_STEP_S, line.since + missing))


def _turned(line: Line, actuated: bool, at: float, debounce_s: float) -> Line:
    """The line after its level changed at ``at``, or at ``since`` if that is later."""
    at = max(at, line.since)
    return replace(_advance(line, at, debounce_s), level=actuated, since=at, dissent_since=None)


def _agreed(line: Line, dissent_since: float, at: float, debounce_s: float) -> Line:
    """Samples agree with the level again, so an actuated line was released in between.

    It was not released if the dissenting samples were read at the very instant of its edge.
    """
    if not line.level or dissent_since <= line.since:
        return replace(line, dissent_since=None)
    released = _turned(line, False, dissent_since, debounce_s)
    return _turned(released, True, at, debounce_s)


def _waits_since(line: Line) -> float | None:
    """Since when a normal line with an "actuated" edge waits for the release edge that samples imply; else None."""
    return line.lost_since if line.level and line.state is ContactState.NORMAL else None


def _due(line: Line, dissent_since: float, debounce_s: float) -> float:
    """When samples that have dissented since then win."""
    waits_since = _waits_since(line)
    return dissent_since + debounce_s if waits_since is None else waits_since + EDGE_GRACE_S


def _leak(line: Line) -> float:
    """A release stays debounced as long as a press: a worn contact opens for moments while it is held."""
    return 1.0 if line.state is ContactState.ACTIVE else LEAK


def _decided(level: bool) -> ContactState:
    return ContactState.ACTIVE if level else ContactState.NORMAL


def _advance(line: Line, to: float, debounce_s: float) -> Line:
    """Integrate the level up to ``to``. Once ``integral`` reaches its end, the state is decided."""
    if line.level is None:
        return line
    span = max(0.0, to - line.since)
    if line.level:
        missing = debounce_s - line.integral
        integral = line.integral + span
    else:
        missing = line.integral / _leak(line)
        integral = line.integral - span * _leak(line)
    if span < missing - _EPSILON:
        return replace(line, integral=integral, since=max(to, line.since))
    crossing = line.since + missing
    full = debounce_s if line.level else 0.0
    state = _decided(line.level)
    changed_at = line.changed_at if line.state is state else crossing
    return replace(line, integral=full, since=crossing, state=state, changed_at=changed_at)
