"""Two views of one incident become the same record, in whatever order and however often they are merged."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.settings import AlarmClass
from node.monitor.core.incidents.known.merge import merge
from node.monitor.core.model.records import IncidentRecord
from tests.monitor.core.node_messages import START
from tests.monitor.core.play import INCIDENT, record_of

INSTANTS = st.integers(-1, 2).map(lambda hours: START + timedelta(hours=hours, days=-9_000 * (hours < 0)))
NAMES = st.sampled_from([None, "", "desk", "key"])


@st.composite
def views(draw: st.DrawFn) -> IncidentRecord:
    """What one monitor may know of an incident."""
    presses = draw(st.integers(0, 4))
    ended = draw(st.integers(0, max(presses - 1, 0)))
    fields: dict[str, Any] = {"presses": presses, "ended": ended, "answered": ended}
    if draw(st.booleans()) and (ended < presses or not presses):
        answered = draw(st.integers(min(ended + 1, presses), presses))
        fields |= {"answered": answered, "acknowledged_utc": draw(INSTANTS), "acknowledged_by": draw(NAMES)}
    if draw(st.booleans()):
        fields |= {"reset_utc": draw(INSTANTS), "reset_by": draw(NAMES), "reset_reason": draw(NAMES)}
    if told := draw(st.integers(0, presses)):
        fields |= {"told_presses": told, "told_utc": draw(INSTANTS)}
    return IncidentRecord(
        key=INCIDENT,
        input=draw(st.sampled_from(["", "button", "door"])),
        alarm_class=draw(st.sampled_from(AlarmClass)),
        raised_utc=draw(INSTANTS),
        test=draw(st.booleans()),
        held_utc=draw(st.none() | INSTANTS),
        told_level=draw(st.integers(0, 2)),
        beyond=draw(st.integers(0, 1)),
        **fields,
    )


@given(views(), views(), views())
def test_no_order_and_no_repetition_changes_what_is_known(
    a: IncidentRecord, b: IncidentRecord, c: IncidentRecord
) -> None:
    """The merge is commutative, associative and idempotent."""
    assert merge(a, a) == a
    assert merge(a, b) == merge(b, a)
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(merge(a, b), b) == merge(a, b)


@given(views(), views())
def test_a_merge_loses_no_press_and_no_call(a: IncidentRecord, b: IncidentRecord) -> None:
    """It is over only if an end counted every press, and answered only if an acknowledgement did."""
    both = merge(a, b)

    assert both.presses == max(a.presses, b.presses)
    assert both.is_answered <= any(each.acknowledged_utc and each.answered >= both.presses for each in (a, b))
    over = any(each.reset_utc is not None and each.presses == both.presses for each in (a, b))
    assert (both.reset_utc is not None) == over
    assert (both.test, both.alarm_class.rank) == (a.test and b.test, max(a.alarm_class.rank, b.alarm_class.rank))


ACKNOWLEDGED = record_of(INCIDENT, presses=2, answered=2, acknowledged_utc=START, acknowledged_by="desk", told_level=1)
END = record_of(INCIDENT, presses=2, reset_utc=START, reset_by="desk", reset_reason="real")
CALL = record_of(INCIDENT, presses=3)


@pytest.mark.parametrize("order", list(permutations([ACKNOWLEDGED, END, CALL])), ids=lambda _: "")
def test_a_call_that_an_end_did_not_count_opens_the_incident_again(order: tuple[IncidentRecord, ...]) -> None:
    """What was acknowledged before is answered, and the groups are called from the first one on."""
    first, second, third = order

    known = merge(merge(first, second), third)

    assert known == record_of(INCIDENT, presses=3, answered=2, ended=2)


def test_an_end_keeps_who_was_coming() -> None:
    """The history says who acknowledged and who ended it."""
    assert merge(END, ACKNOWLEDGED) == record_of(
        INCIDENT,
        presses=2,
        answered=2,
        acknowledged_utc=START,
        acknowledged_by="desk",
        told_level=1,
        reset_utc=START,
        reset_by="desk",
        reset_reason="real",
    )


@pytest.mark.parametrize("by", [None, ""])
def test_an_acknowledgement_with_a_name_comes_before_one_without(by: str | None) -> None:
    """The list says only that somebody is coming; the event says who."""
    listed = record_of(INCIDENT, answered=1, acknowledged_utc=START, acknowledged_by=by)
    named = record_of(INCIDENT, answered=1, acknowledged_utc=START + timedelta(hours=1), acknowledged_by="desk")

    assert merge(listed, named) == named


def test_a_label_by_a_clock_that_was_never_set_does_not_count() -> None:
    """It would stay as the earliest one."""
    unset = record_of(INCIDENT, raised_utc=START - timedelta(days=15_000), input="door")

    assert merge(unset, record_of(INCIDENT)) == record_of(INCIDENT)


def test_what_answered_presses_before_there_was_an_ended_counts_as_an_end() -> None:
    """An earlier version stored only ``answered``."""
    earlier = record_of(INCIDENT, presses=3, answered=2)

    assert merge(earlier, ACKNOWLEDGED) == record_of(INCIDENT, presses=3, answered=2, ended=2)
