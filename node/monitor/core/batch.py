"""What the history is given, what it answers, and what it knows at a start. Pure types."""

from datetime import datetime

from msgspec import Struct

from node.monitor.core.model import (
    Button,
    ButtonTest,
    EventKey,
    Finding,
    FindingKey,
    Flip,
    HeardEvent,
    IncidentKey,
    IncidentRecord,
    NodeKey,
    NodeRecord,
    Notice,
    Pause,
    Tally,
    TargetRecord,
    WalkTest,
)


class Batch(Struct, frozen=True, kw_only=True):
    """What is committed at once, or not at all; taken in the order in which it stands here.

    - ``events``: one that is there already counts as stored; of one without a body only its number is kept, by a tally.
    - ``tallies``: joined with the ranges that are there. One without ranges asks which there are.
    - ``nodes``: of a known one only its boot and period change: its status changes by a flip alone.
    - ``flips``: a flip holds where the node still has the status ``before``; else another monitor told it first.
    - ``incidents``: what is there stays; what is empty is filled; presses and told_steps only grow, as does answered,
      with its acknowledgement. One that was ended is open again where it has more presses than its end knew of: so many
      were answered. Nor is one ended by who knew of fewer than there are.
    - ``raised``, ``cleared``: hold where none with this key is open, and where one is.
    - ``tests``: the reaction is filled in once. ``buttons``: only the newest test changes.
    - ``targets``: as it is now, whoever of several monitors says so.
    - ``forgotten``: nodes that are no more: of them only what happened stays.
    - ``notices``: told unless the key is there; one about a finding that is raised or cleared here only if that holds,
      one for the next group only while nobody has acknowledged or ended the incident, one of its end where it is ended.
    """

    events: tuple[HeardEvent, ...] = ()
    tallies: tuple[Tally, ...] = ()
    nodes: tuple[NodeRecord, ...] = ()
    flips: tuple[Flip, ...] = ()
    incidents: tuple[IncidentRecord, ...] = ()
    raised: tuple[Finding, ...] = ()
    cleared: tuple[tuple[FindingKey, datetime], ...] = ()
    pauses: tuple[Pause, ...] = ()
    pause_ends: tuple[tuple[NodeKey, datetime], ...] = ()
    walk_tests: tuple[WalkTest, ...] = ()
    tests: tuple[ButtonTest, ...] = ()
    buttons: tuple[Button, ...] = ()
    targets: tuple[TargetRecord, ...] = ()
    forgotten: tuple[NodeKey, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def may_be_refused(self) -> bool:
        """Whether a node says all of it again, and nobody waits for it: telemetry alone."""
        telemetry = Batch(events=self.events, tallies=self.tallies, nodes=self.nodes)
        return bool(self.events) and self == telemetry and not any(event.urgent for event in self.events)


class Stored(Struct, frozen=True, kw_only=True):
    """A batch is on the disk: its ``events``, all of which may have their receipt; and of the rest what held.

    ``incidents`` are those that it had, as they are now: another monitor may know more. ``tallies`` are those that it
    asked for. ``notices`` are the keys of those that are new, ``settled`` of all that it had.
    """

    events: tuple[EventKey, ...] = ()
    tallies: tuple[Tally, ...] = ()
    flips: tuple[Flip, ...] = ()
    raised: tuple[FindingKey, ...] = ()
    cleared: tuple[FindingKey, ...] = ()
    incidents: tuple[IncidentRecord, ...] = ()
    notices: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()


class Refused(Struct, frozen=True, kw_only=True):
    """A batch is not stored and won't be: its ``events`` get no receipt, so that their nodes send them again.

    ``notices``: the keys of those that it had.
    """

    events: tuple[EventKey, ...]
    reason: str
    notices: tuple[str, ...] = ()


class StoreFailed(Struct, frozen=True, kw_only=True):
    """Since ``at`` (monotonic seconds) nothing can be stored. Told once, until it recovers."""

    at: float
    reason: str


class StoreRecovered(Struct, frozen=True, kw_only=True):
    """Since ``at`` (monotonic seconds) things are stored again; what waited is."""

    at: float


class Memory(Struct, frozen=True, kw_only=True):
    """What a start must know: what is open, and the newest of the rest.

    ``closed``: the incidents that were reset last, oldest first, each with how many presses it had. ``mistaken``: the
    calls of a year that were reset as mistaken: node, input, and when they were reset. ``unconfirmed``: tests of the
    last hour whose node hasn't said yet that it had our receipt, oldest first. ``uncalled``: open incidents about which
    no call waits for any target.
    """

    nodes: tuple[NodeRecord, ...] = ()
    incidents: tuple[IncidentRecord, ...] = ()
    closed: tuple[tuple[IncidentKey, int], ...] = ()
    findings: tuple[Finding, ...] = ()
    tallies: tuple[Tally, ...] = ()
    buttons: tuple[Button, ...] = ()
    pauses: tuple[Pause, ...] = ()
    walk_tests: tuple[WalkTest, ...] = ()
    mistaken: tuple[tuple[NodeKey, str, datetime], ...] = ()
    unconfirmed: tuple[ButtonTest, ...] = ()
    targets: tuple[TargetRecord, ...] = ()
    uncalled: tuple[IncidentKey, ...] = ()
