"""What the history is given, what it answers, and what a start reads from it. Pure types."""

from datetime import datetime

from msgspec import Struct

from node.monitor.core.model.records import (
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


class Batch(Struct, kw_only=True):
    """Decisions that the history commits as a whole or not at all. It takes the fields in the order given here.

    This is the only list of what there is to store: the core adds to it (ledger.py), and the store takes it.

    - ``events``: an event that is already there counts as stored. Of an event without a body only the number is kept,
      by a tally.
    - ``tallies``: joined with the ranges that are already there. A tally without ranges asks which ranges there are.
    - ``nodes``: of a known node only boot and period change. Its status changes by a flip only.
    - ``flips``: a flip counts if the node still has the status ``before``. Otherwise another monitor told it first.
    - ``incidents``: merged with those that are already there (incidents/known/merge.py).
    - ``raised``: counts if no finding with this key is open. ``cleared``: counts if one is.
    - ``tests``: the reaction is filled in once. ``buttons``: only the newest test changes.
    - ``targets``: the newest record replaces the one before, whichever monitor wrote it.
    - ``forgotten``: nodes that were removed. Only the record of what happened to them stays.
    - ``notices``: a notice is told unless its key is already there. One about a finding that is raised or cleared in
      this batch is told only if that counts. One for the next group is told only while nobody has acknowledged or
      ended the incident. One about the end of an incident is told only if the incident is ended.
    """

    events: list[HeardEvent] = []
    tallies: list[Tally] = []
    nodes: list[NodeRecord] = []
    flips: list[Flip] = []
    incidents: list[IncidentRecord] = []
    raised: list[Finding] = []
    cleared: list[tuple[FindingKey, datetime]] = []
    pauses: list[Pause] = []
    pause_ends: list[tuple[NodeKey, datetime]] = []
    walk_tests: list[WalkTest] = []
    tests: list[ButtonTest] = []
    buttons: list[Button] = []
    targets: list[TargetRecord] = []
    forgotten: list[NodeKey] = []
    notices: list[Notice] = []

    @property
    def may_be_refused(self) -> bool:
        """Whether this is telemetry only: its nodes send all of it again, and nobody waits for it."""
        others = (getattr(self, name) for name in Batch.__struct_fields__ if name not in ("events", "tallies", "nodes"))
        return bool(self.events) and not any(others) and not any(event.urgent for event in self.events)


class Stored(Struct, frozen=True, kw_only=True):
    """A batch is on the disk. All its ``events`` may get their receipt; the rest says what counted.

    ``incidents``: those of the batch as they are stored now; another monitor may know more. ``tallies``: those that the
    batch asked for. ``notices``: the keys of the notices that are new. ``settled``: the keys of all its notices.
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
    """A batch is not stored and won't be. Its ``events`` get no receipt, so their nodes send them again.

    ``notices``: the keys of the notices in the batch.
    """

    events: tuple[EventKey, ...]
    reason: str
    notices: tuple[str, ...] = ()


class StoreFailed(Struct, frozen=True, kw_only=True):
    """Since ``at`` (monotonic seconds) nothing can be stored. Said once, until the history recovers."""

    at: float
    reason: str


class StoreRecovered(Struct, frozen=True, kw_only=True):
    """Since ``at`` (monotonic seconds) the history stores again, and what waited is stored."""

    at: float


class Remembered(Struct, frozen=True, kw_only=True):
    """What a start must know: everything that is open, and the newest of the rest.

    ``closed``: the incidents that were reset last, oldest first, each with its number of presses. ``mistaken``: the
    calls of the last year that were reset as mistaken: node, input, and when they were reset. ``unconfirmed``: tests of
    the last hour, oldest first, whose node hasn't yet said that it got our receipt. ``uncalled``: open incidents for
    which no call waits for any target.
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
