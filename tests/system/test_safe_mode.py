"""A node that crashes again and again: it starts with what an alarm needs, says so, and comes back from it."""

from pathlib import Path

from node.service.upkeep.safe_mode import CRASHES
from tests.support import prepared
from tests.support.broker import Broker
from tests.support.desk import Desk
from tests.support.node import BUTTON, SimulatedNode, wait_until, write_config

CRASHING = (prepared.MODULE, "tests.support.crashing")
DOOR = {"name": "yard", "pin": 5, "wiring": "normally-closed", "mode": "report"}


def _crash(config: Path, times: int = 1) -> None:
    """Let it crash: no start is one in safe mode, or it wouldn't."""
    for _ in range(times):
        with SimulatedNode(config, program=CRASHING) as node:
            wait_until(lambda: not node.is_alive, what="the crash")


def test_after_repeated_crashes_a_node_runs_with_what_an_alarm_needs(
    tmp_path: Path, broker: Broker, desk: Desk
) -> None:
    """What crashes isn't started; a press sounds, is stored and called; a fault tells it. A clean end leaves it."""
    config = write_config(tmp_path, broker.port, 1, tables=[("[[door]]", DOOR)])
    _crash(config, CRASHES)

    with SimulatedNode(config, program=CRASHING) as node:
        desk.receive("event", kind="fault-raised", fault="F056", boot=node.boot)
        node.tap()
        node.expect(output="buzzer")
        node.expect(ladder="stored")
        desk.receive("event", kind="pressed", boot=node.boot)
        heartbeat = desk.expect("heartbeat", lambda message: bool(message["links"]), boot=node.boot)
        log = node.log
        code = node.quit()
    _crash(config)

    assert code == 0
    assert f"the node has crashed {CRASHES} times soon after its start: it starts in safe mode" in log
    assert list(heartbeat["inputs"]) == ["button"]
    assert list(heartbeat["links"]) == [f"127.0.0.1:{broker.port}"]
    assert heartbeat["health"]["age_s"] is None


def test_a_safe_mode_that_crashes_takes_the_next_broker(tmp_path: Path, broker: Broker, desk: Desk) -> None:
    """The one that makes it crash may be the first."""
    config = write_config(tmp_path, 1, broker.port)
    _crash(config, CRASHES)
    with SimulatedNode(config) as node:
        node.expect_log("starts in safe mode")
        node.expect(output="lamp")
        node.kill()

    with SimulatedNode(config) as node:
        desk.receive("event", kind="fault-raised", fault="F056", boot=node.boot)
        node.tap()
        desk.receive("event", kind="pressed", boot=node.boot)


def test_a_changed_configuration_leaves_safe_mode(tmp_path: Path, broker: Broker, desk: Desk) -> None:
    """What is corrected is tried."""
    config = write_config(tmp_path, broker.port)
    _crash(config, CRASHES)
    write_config(tmp_path, broker.port, buttons=[{**BUTTON, "class": "amok"}])

    with SimulatedNode(config) as node:
        heartbeat = desk.expect("heartbeat", lambda message: message["health"]["age_s"] is not None, boot=node.boot)

    assert not [each for each in heartbeat["faults"] if each["code"] == "F056"]
