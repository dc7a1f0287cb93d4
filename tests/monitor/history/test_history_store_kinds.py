"""Each kind of row that a batch may have reaches the database; on SQLite and on PostgreSQL."""

from typing import Any

import pytest

from node.monitor.core.decisions.batch import Batch
from node.monitor.core.model.records import Button, ButtonTest, Pause, Status, Tally, TargetRecord, WalkTest
from node.monitor.history.history import History
from node.monitor.history.schema.tables import metadata
from tests.support import kept
from tests.support.history import BOOT, ROOM, alarm, at, event, finding, flip, incident, record

PAUSE = Pause(node=ROOM, by="facilities", reason="paint", since_utc=at(), until_utc=at(3600))
WALK = WalkTest(id="w1", site="mitte", nodes=("room-1",), by="facilities", started_utc=at(), until_utc=at(1800))

EXAMPLES = Batch(
    events=[event()],
    tallies=[Tally(node=ROOM, boot=BOOT, ranges=((1, 3),))],
    nodes=[record()],
    flips=[flip(Status.UP, Status.DOWN)],
    incidents=[incident()],
    raised=[finding()],
    cleared=[(finding().key, at(5))],
    pauses=[PAUSE],
    pause_ends=[(ROOM, at(5))],
    walk_tests=[WALK],
    tests=[ButtonTest(event=event().key, input="button", at_utc=at())],
    buttons=[Button(node=ROOM, input="button", since_utc=at())],
    targets=[TargetRecord(name="sms", tested_utc=at())],
    forgotten=[ROOM],
    notices=[alarm()],
)
"""One row of each kind."""

NEEDED = {
    "flips": Batch(nodes=[record()]),
    "cleared": Batch(raised=[finding()]),
    "pause_ends": Batch(pauses=[PAUSE]),
    "forgotten": Batch(nodes=[record()]),
}
"""By the kinds of rows that change what is there: what must be there."""


@pytest.mark.parametrize("kind", Batch.__struct_fields__)
def test_no_kind_of_row_is_forgotten(history: History, history_url: str, kind: str) -> None:
    """Whoever adds a kind to a batch adds it to the store, and an example here."""
    history.store(NEEDED.get(kind, Batch()))
    before = contents(history_url)

    history.store(Batch(**{kind: getattr(EXAMPLES, kind)}))

    assert getattr(EXAMPLES, kind) != []
    assert contents(history_url) != before


def contents(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    return {name: kept.rows(url, f"SELECT * FROM {name}") for name in metadata.tables}  # noqa: S608 - the names are ours
