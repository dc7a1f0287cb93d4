"""Real starts with files that can't be used: whatever isn't about them runs, and what is names them."""

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.certificates import Authority
from tests.support.damage import DAMAGES, Damage, mend
from tests.support.desk import Desk
from tests.support.monitor import RunningMonitor, alarm_monitor, write_monitor
from tests.support.node import NODE, SimulatedNode, alarm_node, write_config
from tests.support.receivers import HttpReceiver
from tests.support.secure import LOOPBACK, secure_broker


def _encrypted(path: Path) -> None:
    hidden = Authority(path.with_name("x.pem")).issue("x", path.parent, passphrase="open sesame")  # noqa: S106 - a test's
    path.write_bytes(hidden.key.read_bytes())


KEYS: Mapping[str, tuple[str, Damage]] = {
    "an emptied authority": ("ca_file", DAMAGES["emptied"]),
    "a certificate of garbage": ("certificate_file", DAMAGES["garbage"]),
    "an encrypted key": ("key_file", _encrypted),
    "a missing key": ("key_file", DAMAGES["missing"]),
    "a password of zeros": ("password_file", DAMAGES["zeros"]),
    "a password that is a pipe": ("password_file", DAMAGES["a pipe"]),
}


def _keys(directory: Path, authority: Authority, broker: Broker) -> dict[str, object]:
    """What a configuration says of a broker that wants to see everything."""
    pair = authority.issue("own", directory)
    mend(directory / "trusted.pem", authority.file.read_bytes())
    mend(directory / "password", b"hunter2\n")
    return {
        "host": LOOPBACK,
        "port": broker.tls_port,
        "ca_file": str(directory / "trusted.pem"),
        "certificate_file": str(pair.certificate),
        "key_file": str(pair.key),
        "username": "me",
        "password_file": str(directory / "password"),
    }


@pytest.mark.parametrize(("key", "damage"), KEYS.values(), ids=KEYS.keys())
def test_a_node_starts_without_a_brokers_files(
    tmp_path: Path, broker: Broker, desk: Desk, key: str, damage: Damage
) -> None:
    """Its buzzer sounds, its other broker has the call; the log names the key and its file, and mended, it is taken."""
    authority = Authority(tmp_path / "ca.pem")
    with ExitStack() as stack:
        other = stack.enter_context(secure_broker(tmp_path, authority, clients=True, passwords={"me": "hunter2"}))
        keys = _keys(tmp_path / "own", authority, other)
        file = Path(str(keys[key]))
        good = {path: path.read_bytes() for path in (tmp_path / "own").iterdir()}
        damage(file)
        with SimulatedNode(write_config(tmp_path, broker.port, brokers=[keys])) as node:
            desk.receive("event", kind="fault-raised", fault="F026", subject=f"{LOOPBACK}:{other.tls_port}")
            node.tap()
            desk.receive("event", kind="pressed")
            node.expect(output="buzzer")
            node.expect_log(f"credentials can't be used: {key} {file}")

            for path, content in good.items():
                mend(path, content)
            desk.receive("event", kind="fault-cleared", fault="F026")
            log = node.log
            code = node.quit()

    assert code == 0
    assert "hunter" not in log
    assert "Traceback" not in log


@pytest.mark.parametrize(("key", "damage"), KEYS.values(), ids=KEYS.keys())
def test_a_node_without_its_only_brokers_files_sounds_and_stores(tmp_path: Path, key: str, damage: Damage) -> None:
    """And sends what it stored once the files are mended, without a restart."""
    authority = Authority(tmp_path / "ca.pem")
    with secure_broker(tmp_path, authority, clients=True, passwords={"me": "hunter2"}) as only:
        keys = _keys(tmp_path / "own", authority, only)
        good = {path: path.read_bytes() for path in (tmp_path / "own").iterdir()}
        damage(Path(str(keys[key])))
        with SimulatedNode(write_config(tmp_path, brokers=[keys])) as node:
            node.tap()
            node.expect(output="buzzer")
            node.expect(ladder="stored")
            node.expect_log("credentials can't be used: ")

            for path, content in good.items():
                mend(path, content)
            node.expect(ladder="accepted", timeout_s=70.0)
            code = node.quit()

    assert code == 0


def _spoil(directory: Path, damage: Damage, keys: Mapping[str, object]) -> list[Path]:
    files = [Path(str(keys["key_file"])), directory / "guards.url", directory / "nodes.toml"]
    for file in files:
        damage(file)
    return files


@pytest.mark.parametrize("name", ["emptied", "garbage", "missing", "a directory", "unreadable", "a pipe"])
def test_a_monitor_starts_without_a_brokers_files_a_targets_url_and_its_roster(
    tmp_path: Path, broker: Broker, name: str
) -> None:
    """A call over the other broker is told by the other target; each file is named; mended, it is taken."""
    authority = Authority(tmp_path / "ca.pem")
    with ExitStack() as stack:
        other = stack.enter_context(secure_broker(tmp_path, authority, clients=True, passwords={"me": "hunter2"}))
        receiver = stack.enter_context(HttpReceiver())
        keys = _keys(tmp_path / "own", authority, other)
        mend(tmp_path / "guards.url", f"{receiver.url}\n".encode())
        targets: list[dict[str, object]] = [
            {"name": "guards", "url_file": str(tmp_path / "guards.url")},
            {"name": "desk", "url": receiver.url},
        ]
        config = write_monitor(
            tmp_path, broker.port, brokers=[keys], targets=targets, roster=[{"id": NODE, "location": "2. OG"}]
        )
        good = {path: path.read_bytes() for path in (Path(str(keys["key_file"])), tmp_path / "guards.url")}
        (tmp_path / "node").mkdir()
        files = _spoil(tmp_path, DAMAGES[name], keys)
        monitor = stack.enter_context(RunningMonitor(config))
        node = stack.enter_context(SimulatedNode(write_config(tmp_path / "node", broker.port)))
        node.tap()
        node.expect(ladder="told")
        monitor.wait(
            lambda: {"M031", "M032", "M008", "M010"} <= {*monitor.codes()} and "M033" not in monitor.codes(),
            what="the findings",
        )
        told = json.dumps(monitor.items("/findings"), ensure_ascii=False)
        receiver.taken.wait(lambda items: any("ALARM" in each.title for each in items))

        for path, content in good.items():
            mend(path, content)
        monitor.wait(lambda: "M008" not in monitor.codes(), what="the broker")
        log = monitor.log
        code = monitor.terminate()

    assert code == 0
    assert [str(file) in told for file in files] == [True] * 3
    assert "hunter" not in told + log
    assert "Traceback" not in log


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_configuration_is_one_line_with_its_name(tmp_path: Path, name: str) -> None:
    """A node or monitor that isn't told what it is can't run: it says so, and what is wrong."""
    (tmp_path / "node").mkdir()
    node, monitor = write_config(tmp_path / "node", 1), write_monitor(tmp_path / "monitor", 1)
    DAMAGES[name](node)
    DAMAGES[name](monitor)

    told = [alarm_node("simulate", "--config", node, cwd=tmp_path), alarm_monitor(monitor, "run")]

    for each, path in zip(told, (node, monitor), strict=True):
        assert each.returncode == 1
        assert each.stderr.startswith(f"{path}: ")
        assert "E001" in each.stderr
        assert "Traceback" not in each.stderr


def test_the_doctor_of_a_monitor_names_each_file(tmp_path: Path, broker: Broker) -> None:
    """A finding each, with the next step, and nothing of what they hold."""
    secret = tmp_path / "guards.url"
    secret.write_text("hunter2\n", encoding="utf-8")
    (tmp_path / "password").write_bytes(b"hunter3\nhunter4\n")
    keys = {"host": LOOPBACK, "port": broker.port, "username": "me", "password_file": str(tmp_path / "password")}
    targets = [{"name": "guards", "url_file": str(secret)}]
    config = write_monitor(tmp_path, brokers=[keys], targets=targets, roster=[{"id": NODE}])
    (tmp_path / "nodes.toml").write_text("[[node]]\n", encoding="utf-8")

    told = alarm_monitor(config, "check").stdout

    assert f"target guards: {secret} holds no URL" in told
    assert f"{tmp_path / 'nodes.toml'}: [[node]] 1 id is missing" in told
    assert f"{tmp_path / 'password'} holds several lines: leave one, the password: M031" in told
    assert "hunter" not in told


@pytest.mark.parametrize("module", ["node", "node.monitor"])
def test_nobody_is_asked_for_a_passphrase_at_a_terminal(tmp_path: Path, broker: Broker, module: str) -> None:
    """A key that somebody has encrypted is told as that, and the command ends by itself."""
    keys = _keys(tmp_path / "own", Authority(tmp_path / "ca.pem"), broker)
    _encrypted(Path(str(keys["key_file"])))
    write = write_config if module == "node" else write_monitor
    config = write(tmp_path, brokers=[keys])
    command = f"{sys.executable} -m {module} check --config {config}"

    done = subprocess.run(
        ["script", "--quiet", "--return", "--command", command, "/dev/null"],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert "pass phrase" not in done.stdout
    words = " ".join(done.stdout.split())  # at a terminal a result may be several lines
    assert f"{keys['key_file']} is encrypted, and nobody is there to type its passphrase" in words
