"""A node whose node.toml can't be used any more at its start: it runs with the last good one, and says so."""

import re
from pathlib import Path

import pytest

from node.config import last_good
from tests.support.broker import Broker
from tests.support.damage import DAMAGES, Damage, mend
from tests.support.desk import Desk
from tests.support.node import SimulatedNode, alarm_node, wait_until, write_config

SPOILT = {name: DAMAGES[name] for name in ("emptied", "garbage", "missing")}


@pytest.mark.parametrize("damage", SPOILT.values(), ids=SPOILT.keys())
def test_a_node_starts_with_its_last_good_configuration(
    tmp_path: Path, broker: Broker, desk: Desk, damage: Damage
) -> None:
    """A press calls as ever; log, fault and doctor name the file; corrected, the next start uses it."""
    config = write_config(tmp_path, broker.port)
    good = config.read_bytes()
    state = {"STATE_DIRECTORY": str(tmp_path / "state")}
    with SimulatedNode(config, environ=state) as node:
        wait_until((tmp_path / "state" / last_good.NAME).exists)
        assert node.quit() == 0

    damage(config)
    with SimulatedNode(config, environ=state) as node:
        fault = desk.expect("event", kind="fault-raised", fault="F055", boot=node.boot)
        node.tap()
        desk.receive("event", kind="pressed", boot=node.boot)
        node.expect(output="buzzer")
        checked = alarm_node("check", "--config", config, cwd=tmp_path, environ=state)
        log = node.log
        code = node.quit()
    mend(config, good)
    with SimulatedNode(config, environ=state) as node:
        heartbeat = desk.expect("heartbeat", boot=node.boot)

    assert code == 0
    assert re.fullmatch(
        r"\[node\] is missing \(and \d+ more\)|isn't (TOML|UTF-8).*|can't be opened \(.*\)", fault["subject"]
    )
    assert len(fault["subject"]) < 80
    assert str(config) in log
    assert "the node runs with its last good configuration" in log
    assert checked.returncode == 1
    assert checked.stdout.startswith(f"FINDING {config}")
    assert "FINDING the node uses the last good configuration instead" in checked.stdout
    assert f"FINDING F055 ({fault['subject']}) " in checked.stdout
    assert "the service runs" in checked.stdout
    assert not [each for each in desk.events if each.get("fault") == "F049"]
    assert not [each for each in heartbeat["faults"] if each["code"] in ("F049", "F055")]


def test_a_node_that_cannot_store_a_copy_runs_all_the_same(tmp_path: Path, broker: Broker, desk: Desk) -> None:
    """Where the copy should be, something is in the way: a line in the log, and no fault."""
    config = write_config(tmp_path, broker.port)
    (tmp_path / "state" / last_good.NAME).mkdir(parents=True)
    with SimulatedNode(config) as node:
        node.expect_log("no copy of node.toml in")
        node.tap()
        desk.receive("event", kind="pressed", boot=node.boot)
        code = node.quit()

    assert code == 0
    assert not [each for each in desk.events if each["kind"] == "fault-raised"]
