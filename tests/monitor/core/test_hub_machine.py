"""Hubs in any order of things: a node that sends what has no receipt, a history that fails, restarts, people."""

import pytest
from hypothesis import settings
from hypothesis.stateful import invariant

from node.monitor.core.hub import TICK_S
from node.monitor.core.incidents.known.unheard_incidents import LISTED_S
from node.monitor.core.model.catalogue import OPEN_ALARM_UNSTORED, RESET_MISSING, UNTOLD
from node.monitor.core.model.records import FindingKey, IncidentKey, IncidentRecord, NoticeKind, Status
from tests.monitor.core.building_machine import (
    GROUPS,
    KNOWN_WITHIN_S,
    LEVELS,
    BuildingMachine,
    Desk,
)
from tests.monitor.core.committed import Committed
from tests.monitor.core.node_messages import (
    ROOM,
)
from tests.monitor.core.play import ESCALATE_S
from tests.support.examples import examples


class Building(BuildingMachine):
    """What must hold in it at any time, and once all is well again."""

    @invariant()
    def every_stored_call_is_open_or_over(self) -> None:
        """For some monitor, until its end; one more call after an end that its node doesn't know is told.

        A monitor that starts hears only the list of what another one stores just then, once the broker is there.
        """
        for disk, desks in self.groups():
            known: set[IncidentKey] = set()
            for desk in desks:
                known |= desk.incidents.keys() | self.awaited(desk)
            for event_key, (incident, presses) in self.pressed.items():
                if event_key not in disk.events or incident in known:
                    continue
                ends = [desk.ended[incident] for desk in desks if incident in desk.ended]
                assert ends or incident in self.ended_at_node, "forgotten"
                assert presses <= max(ends, default=presses), "an end that wasn't one"

    def awaited(self, desk: Desk) -> set[IncidentKey]:
        """What the node listed a moment ago: its event may still come."""
        return {key for key, at in desk.listed.items() if self.at - at <= LISTED_S + TICK_S}

    @invariant()
    def every_stored_incident_is_told(self) -> None:
        """To those that are told at once."""
        over = self.ended_at_node.union(*(desk.ended for desk in self.desks))
        for disk in self.disks:
            for event_key, (incident, presses) in self.pressed.items():
                if event_key in disk.events and presses == 1 and incident not in over:
                    assert self.is_told(disk, incident)

    @invariant()
    def no_lamp_says_received_where_nobody_was_told(self) -> None:
        """Whatever was killed, lost or refused; nor does the history say that of anything."""
        if self.incident is not None and self.phase == "received":
            assert self.taken.get(self.key(), 0)
        for record in (*self.stored_records(), *self.open_records()):
            assert record.told_presses <= self.taken.get(record.key, 0)

    def stored_records(self) -> list[IncidentRecord]:
        """As the histories have them."""
        return [each for disk in self.disks for each in disk.incidents.values()]

    def open_records(self) -> list[IncidentRecord]:
        """As the monitors have them."""
        return [each for desk in self.desks for each in desk.incidents.values()]

    @invariant()
    def what_nobody_acknowledged_goes_on(self) -> None:
        """Group by group, in time; but while it is awaited who acknowledged, nobody is called."""
        for desk in self.desks:
            for shown in desk.view().incidents:
                if shown.phase == "acknowledged":
                    continue
                assert (shown.next_level_s is not None) == (shown.told_level < LEVELS)
                if shown.next_level_s != 0.0:
                    desk.late_at.pop(shown.id, None)
                    assert (shown.next_level_s or 0.0) <= ESCALATE_S
                else:
                    assert self.at - desk.late_at.setdefault(shown.id, self.at) <= LISTED_S + TICK_S

    @invariant()
    def nothing_is_answered_by_who_did_not_know_of_it(self) -> None:
        """Neither for a monitor, nor on the disk."""
        for desk in self.desks:
            for record in desk.incidents.values():
                assert record.answered <= self.may_know.get(record.key, 0)
        for disk in self.disks:
            for record in disk.incidents.values():
                assert record.answered <= self.may_know.get(record.key, 0)

    @invariant()
    def no_dead_node_looks_alive(self) -> None:
        """20 s after its last sign of life."""
        for desk in self.desks:
            for node in desk.view().nodes if self.is_up and self.at - self.last_sign >= KNOWN_WITHIN_S else ():
                assert node.status not in (Status.UP, Status.LATE)

    def commit_all(self) -> None:
        """The history has caught up."""
        for whose, desk in enumerate(self.desks):
            while desk.queue:
                self.history_commits(len(desk.queue), whose)

    def calm_down(self) -> None:
        """All is well again, and nobody does anything."""
        self.hears_receipts = True
        if not self.is_up:
            self.broker_comes_or_goes()
        if not self.is_alive:
            self.restarts()
        for _ in range(3):
            self.sends_again()
            self.commit_all()
            self.time_passes(35.0)
        self.commit_all()

    def no_event_is_missed(self) -> None:
        """Of an incident whose press is in the history; with a history of its own, a monitor may have missed some."""
        for desk in self.desks if self.shared else []:
            assert OPEN_ALARM_UNSTORED.code not in desk.found()

    def calls(self, disk: Committed, incident: IncidentKey) -> set[str]:
        """The keys of what was told."""
        return {
            key
            for key, each in disk.notices.items()
            if each.kind is NoticeKind.ALARM and each.incident == incident.incident
        }

    def is_missing_its_end(self, desk: Desk, incident: IncidentKey) -> bool:
        """Whether another monitor, with a history of its own, had the event that ended it alone: it is asked for."""
        found = FindingKey(RESET_MISSING.code, *ROOM, incident.incident) in desk.findings
        return not self.shared and found and incident in self.ended_at_node

    def teardown(self) -> None:
        """Once all is well again, nothing is missing; who isn't answered calls everybody, and who is calls nobody."""
        self.calm_down()
        assert self.unreceipted == {}
        assert set(self.pressed) <= {key for disk in self.disks for key in disk.events}
        self.every_stored_call_is_open_or_over()
        self.every_stored_incident_is_told()
        self.no_event_is_missed()
        notices = [each for disk in self.disks for each in disk.notices.values()]
        alarms = {each.incident for each in notices if each.kind is NoticeKind.ALARM}
        for incident, _ in self.pressed.values():
            ended = any(incident in desk.ended for desk in self.desks)
            assert incident.incident in alarms or ended, "nobody was told"
        for desk in self.desks:
            assert desk.node().status in (Status.UP, Status.PAUSED)
            for key in self.ended_at_node & desk.disk.incidents.keys():
                ended = desk.disk.incidents[key].reset_utc is not None and key not in desk.incidents
                assert ended or self.is_missing_its_end(desk, key), "over, and still open"
            self.knows_every_press(desk)

        self.who_is_told_is_said_to_be()

        called = [{incident: self.calls(disk, incident) for incident in disk.incidents} for disk in self.disks]
        for _ in GROUPS:
            self.time_passes(ESCALATE_S + 1.0)
            self.commit_all()
        for (disk, desks), before in zip(self.groups(), called, strict=True):
            for incident, record in disk.incidents.items():
                if record.is_answered or record.reset_utc is not None:
                    assert self.calls(disk, incident) == before[incident], "called, and somebody is coming"
                    continue
                if any(self.is_missing_its_end(desk, incident) for desk in desks):
                    continue
                assert self.incident is not None
                assert self.key() == incident, "open, and its node doesn't know it"
                assert record.answered >= self.answered_at_node.get(incident, 0) or not self.shared
                assert self.phase != "acknowledged"
                assert any(self.has_called(desk, incident) for desk in desks), "a group was never called"

    def knows_every_press(self, desk: Desk) -> None:
        """Of the alarm that its node has: nobody is coming for a press that was told to another monitor alone."""
        if self.incident is not None:
            opened = desk.incidents.get(self.key())
            known = desk.ended.get(self.key(), 0) if opened is None else opened.presses
            assert known >= self.presses, "a press that nobody knows of"

    def who_is_told_is_said_to_be(self) -> None:
        """Every lamp says so in the end, whoever told people; and what nobody was told of is found."""
        for disk, desks in self.groups():
            for record in [each for desk in desks for each in desk.incidents.values()]:
                untold = {desk for desk in desks if self.finds_untold(desk, record.key)}
                assert not untold or record.is_untold, "told, and found to be untold"
                assert untold or not disk.incidents[record.key].is_untold, "untold, and not found"
            for call in [each for each in disk.notices.values() if each.is_call]:
                self.take(desks[0], call)
        self.commit_all()
        self.time_passes(70.0)
        self.commit_all()
        self.time_passes(1.0)
        calling = [each for each in self.open_records() if not each.is_answered]  # else its node is asked to show that
        if self.incident is not None and any(each.key == self.key() for each in calling):
            assert self.phase != "active", "people were told, and the lamp doesn't say so"
        for desk in self.desks:
            assert not any(self.finds_untold(desk, each.key) for each in self.open_records())

    def finds_untold(self, desk: Desk, key: IncidentKey) -> bool:
        """Whether this monitor says that nobody was told of it."""
        return FindingKey(UNTOLD.code, *key.of, key.incident) in desk.findings

    def has_called(self, desk: Desk, incident: IncidentKey) -> bool:
        """Whether all groups were, for the first press of which nobody knew who has answered, as far as it heard."""
        record = desk.incidents.get(incident)
        if record is None:
            return False
        call = f"again:{record.answered + 1}:" if record.answered else ""
        calls = [key for key in self.calls(desk.disk, incident) if key.startswith(f"alarm:{incident}:{call}")]
        return all(any(key.endswith(f":{group}") for key in calls) for group in GROUPS)


class TwoDesks(Building):
    """Two monitors on one history: their commits come in any order, and either is killed at any time."""

    desks_count = 2


class TwoHistories(TwoDesks):
    """Two monitors, each on a history of its own: the receipt of one ends what the node would send the other."""

    shared = False


for machine in (Building, TwoDesks, TwoHistories):
    machine.TestCase.settings = settings(max_examples=examples(300), stateful_step_count=40)
TestBuilding = pytest.mark.timeout(300)(Building.TestCase)
TestTwoDesks = pytest.mark.timeout(300)(TwoDesks.TestCase)
TestTwoHistories = pytest.mark.timeout(300)(TwoHistories.TestCase)


@pytest.mark.parametrize("committed_before", [True, False], ids=["before it looks", "after it has looked"])
def test_a_monitor_that_starts_while_another_one_stores_misses_no_event(committed_before: bool) -> None:
    """It hears the list alone: the receipt of the other one ends what the node would send again."""
    building = TwoDesks()
    building.presses_button(is_lost=False)
    building.monitor_is_killed(0, whose=1)

    if committed_before:
        building.history_commits(5, whose=0)
    building.time_passes(12.0)
    building.history_commits(5, whose=1)
    building.history_commits(5, whose=0)
    building.time_passes(5.0)
    building.history_commits(5, whose=1)

    building.no_event_is_missed()
    building.teardown()
