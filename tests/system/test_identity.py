"""Who is who on a broker: the same id at two sites, as a monitor's, and a copied memory card."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.desk import Desk
from tests.support.monitor import RunningMonitor, alarm_monitor, write_monitor
from tests.support.mqtt import Client
from tests.support.node import NODE, SITE, TIMEOUT_S, SimulatedNode, wait_until, write_config

OTHER_SITE = "nord"


def node_of(directory: Path, *ports: int, site: str = SITE, login: str = "") -> SimulatedNode:
    """A node with the id of all others here, a record of its own, and perhaps a login."""
    directory.mkdir(parents=True)
    config = write_config(directory, *ports)
    text = config.read_text(encoding="utf-8").replace(f'site = "{SITE}"', f'site = "{site}"')
    if login:
        (directory / "password").write_text("secret", encoding="utf-8")
        keys = f'insecure = true\nusername = "{login}"\npassword_file = "{directory}/password"\n'
        text = text.replace("[[broker]]\n", f"[[broker]]\n{keys}")
    config.write_text(text, encoding="utf-8")
    return SimulatedNode(config)


def faults(node: SimulatedNode, code: str) -> int:
    """How often a node has found this."""
    return node.log.count(f" {code} ")


def test_one_id_at_two_sites_and_at_a_monitor_disturbs_nobody(broker: Broker, tmp_path: Path) -> None:
    """Site and kind stand in the client id, so each is a client of its own."""
    with ExitStack() as stack:
        here = stack.enter_context(node_of(tmp_path / "here", broker.port))
        there = stack.enter_context(node_of(tmp_path / "there", broker.port, site=OTHER_SITE))
        monitor = stack.enter_context(RunningMonitor(write_monitor(tmp_path / "monitor", broker.port, name=NODE)))
        for node in (here, there):
            node.expect_log("session 1 is up")
        monitor.expect_status(NODE, "up")
        here.tap()
        there.tap()

        incident = monitor.expect_incident()
        desk = stack.enter_context(Client(broker.port, subscribe=[f"alarm/v1/{OTHER_SITE}/node/{NODE}/alarm"]))
        desk.expect(lambda message: b'"active"' in message.payload)

        assert (incident["site"], incident["node"]) == (SITE, NODE)
        assert "session 2" not in here.log + there.log
        assert "M014" not in monitor.codes()


def test_one_login_for_two_nodes_is_no_fault_of_the_cable(tmp_path: Path) -> None:
    """A broker that takes the login for the client id throws them off in turn: both say so, and where to look.

    A newer mosquitto tells the client why (F013), an older one doesn't (F047).
    """
    options = ("use_username_as_clientid true",)
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(tmp_path / "broker", options=options))
        nodes = [
            stack.enter_context(node_of(tmp_path / site, broker.port, site=site, login=NODE))
            for site in (SITE, OTHER_SITE)
        ]

        wait_until(
            lambda: any(faults(node, code) for node in nodes for code in ("F013", "F047")), 2 * TIMEOUT_S, "the fault"
        )


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[list[Broker]]:
    """Two brokers of one building."""
    with ExitStack() as stack:
        yield [stack.enter_context(Broker(tmp_path / f"broker-{name}")) for name in "ab"]


@pytest.mark.parametrize("shared", [True, False], ids=["one broker", "one broker each"])
def test_a_copied_card_is_a_second_node_for_the_monitor(brokers: list[Broker], tmp_path: Path, *, shared: bool) -> None:
    """Whether the two throw each other off or never meet: one of the two buttons may be dead."""
    ports = [broker.port for broker in brokers]
    with ExitStack() as stack:
        monitor = stack.enter_context(RunningMonitor(write_monitor(tmp_path / "monitor", *ports)))
        nodes = [
            stack.enter_context(node_of(tmp_path / name, port))
            for name, port in zip("ab", (ports[0], ports[0 if shared else 1]), strict=True)
        ]

        monitor.wait(lambda: "M028" in monitor.codes(), 3 * TIMEOUT_S, "M028")
        if shared:
            wait_until(lambda: any(faults(node, "F013") + faults(node, "F047") for node in nodes), what="a fault")

        assert not any("check the cable" in node.log for node in nodes)


def test_a_press_at_either_of_the_two_is_told_all_the_same(broker: Broker, tmp_path: Path) -> None:
    """Whoever stands there knows nothing of a second card."""
    with Desk(broker.port) as desk, ExitStack() as stack:
        nodes = [stack.enter_context(node_of(tmp_path / name, broker.port)) for name in "ab"]
        boots = [node.boot for node in nodes]
        for node in nodes:
            node.tap()

        for boot in boots:
            desk.expect("event", kind="pressed", boot=boot)


def test_a_second_monitor_on_one_state_directory_is_refused(broker: Broker, tmp_path: Path) -> None:
    """Somebody tries the service's command by hand: the building must not lose its monitor for that."""
    config = write_monitor(tmp_path / "monitor", broker.port)
    with RunningMonitor(config) as monitor:
        second = alarm_monitor(config, "run")

        assert (second.returncode, second.stderr.splitlines()[-1][:5]) == (1, "E035 ")
        assert monitor.health() == "ok"
