"""A node that is forgotten: what the history still remembers of it at the next start."""

from node.monitor.core.decisions.batch import Batch
from node.monitor.core.model.records import Button, NodeKey, NodeRecord, Status, Tally
from node.monitor.history.history import History
from tests.monitor.core.node_messages import BOOT, ROOM, SITE, START

OLD = NodeKey(SITE, "room-213")


def test_a_history_forgets_it_for_the_next_start(history: History) -> None:
    """What happened stays; of the node itself nothing is remembered."""
    record = NodeRecord(node=OLD, status=Status.DOWN, since_utc=START, boot=BOOT)
    kept = NodeRecord(node=ROOM, status=Status.UP, since_utc=START, boot=BOOT)
    history.store(
        Batch(
            nodes=[record, kept],
            buttons=[Button(node=node, input="button", since_utc=START) for node in (OLD, ROOM)],
            tallies=[Tally(node=node, boot=BOOT, ranges=((1, 1), (5, 9))) for node in (OLD, ROOM)],
        )
    )

    history.store(Batch(forgotten=[OLD]))

    memory = history.remember(START)
    remembered = ([each.node for each in memory.nodes], [each.node for each in memory.buttons])
    assert (*remembered, [each.node for each in memory.tallies]) == ([ROOM], [ROOM], [ROOM])


def test_who_is_heard_again_within_one_commit_stays(history: History) -> None:
    """The batches of one transaction end as one after the other would."""
    record = NodeRecord(node=OLD, status=Status.UP, since_utc=START, boot=BOOT)

    history.store_all((Batch(nodes=[record]), Batch(forgotten=[OLD]), Batch(nodes=[record])))

    assert [each.node for each in history.remember(START).nodes] == [OLD]
