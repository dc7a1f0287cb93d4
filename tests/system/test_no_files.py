"""Something else lies in the place of a file that the node uses: whoever opened a pipe would wait for ever.

Each start is a real one. Which files the node keeps is what it opens itself.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest

from node.config import last_good
from node.io.panel import claims, last_outputs
from node.io.record.record import FILE_NAME
from node.service import status_file
from node.service.upkeep import safe_mode
from tests.support.broker import Broker, free_port
from tests.support.certificates import Authority
from tests.support.damage import DAMAGES, NO_FILES, Damage
from tests.support.desk import Desk
from tests.support.node import SimulatedNode, alarm_node, wait_until, write_config
from tests.support.secure import LOOPBACK

KEYS = ("ca_file", "certificate_file", "key_file", "password_file")
OPENED = ("-m", "tests.support.opened")


def _environ(directory: Path) -> dict[str, str]:
    """As systemd gives it: a directory for what lasts, and one in memory."""
    (directory / "state").mkdir(exist_ok=True)
    (directory / "run").mkdir(exist_ok=True)
    return {
        "STATE_DIRECTORY": str(directory / "state"),
        "RUNTIME_DIRECTORY": str(directory / "run"),
        "OPENED": str(directory / "opened"),
    }


def _live(config: Path, environ: Mapping[str, str]) -> None:
    """A whole life: a press, a stored event, a status for the check, a clean end."""
    with SimulatedNode(config, program=OPENED, environ=environ) as node:
        node.tap()
        node.expect(ladder="stored")
        wait_until(Path(environ["RUNTIME_DIRECTORY"], "status.json").exists)
        assert node.quit() == 0


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """The files that a node keeps, as ``state/…`` and ``run/…``: what two runs opened, and those of real pins."""
    directory = tmp_path_factory.mktemp("kept")
    environ, config = _environ(directory), write_config(directory, free_port())
    _live(config, environ)
    _live(config, environ)
    opened = {Path(line) for line in (directory / "opened").read_text(encoding="utf-8").splitlines()}
    ours = {f"{each}/{path.name}" for each in ("state", "run") for path in opened if path.parent == directory / each}
    sqlites = {f"state/{FILE_NAME}{suffix}" for suffix in ("-wal", "-shm", "-journal")}
    pins = {
        f"{where}/{name}"
        for where, written in (("state", last_outputs.NAME), ("run", claims.NOTE))
        for name in (written, f".{written}.new")
    }
    return frozenset(ours | sqlites | pins)


def test_what_a_node_keeps_is_known(kept: frozenset[str]) -> None:
    """The observation works: it has found what each part says that it writes."""
    lock = status_file.lock(Path("state"))
    names = {str(lock), f"state/{FILE_NAME}", f"state/{last_good.NAME}", f"state/{safe_mode.NAME}", "run/status.json"}

    assert {"run/.status.json.new", *names} <= kept


@pytest.mark.parametrize("command", ["simulate", "run"])
@pytest.mark.parametrize(("name", "damage"), NO_FILES.items(), ids=NO_FILES.keys())
def test_nothing_that_lies_in_the_place_of_a_file_keeps_a_node_from_starting(
    tmp_path: Path, kept: frozenset[str], name: str, damage: Damage, command: str
) -> None:
    """Of any of its files, and of all of them. A press sounds, and the node ends cleanly."""
    for number, places in enumerate([*([each] for each in sorted(kept)), sorted(kept)]):
        directory = tmp_path / str(number)
        directory.mkdir()
        environ, config = _environ(directory), write_config(directory, free_port())
        for place in places:
            damage(directory / place)
        with SimulatedNode(config, command=command, environ=environ) as node:
            node.expect_log("starts, boot ")
            if command == "simulate":
                node.tap()
                node.expect(output="buzzer", level=True)
            code = node.quit() if command == "simulate" else node.terminate()
            log = node.log

        assert (places, code) == (places, 0)
        assert "Traceback" not in log
        assert "the record doesn't end" not in log


@pytest.mark.parametrize(("name", "damage"), NO_FILES.items(), ids=NO_FILES.keys())
def test_the_check_of_a_node_whose_lock_is_no_file_names_it(tmp_path: Path, name: str, damage: Damage) -> None:
    """It can't tell whether the service runs; it doesn't wait for that, either."""
    environ, config = _environ(tmp_path), write_config(tmp_path, free_port())
    damage(status_file.lock(tmp_path / "state"))

    told = alarm_node("check", "--config", config, cwd=tmp_path, environ=environ)

    assert f"FINDING {status_file.lock(tmp_path / 'state')} can't tell whether the service runs" in told.stdout


@pytest.mark.parametrize("keys", [KEYS[:2], KEYS[2:]], ids=["certificates", "secrets"])
@pytest.mark.parametrize("name", [*NO_FILES, "endless"])
def test_each_file_of_a_broker_is_a_fault_of_that_broker_alone(
    tmp_path: Path, broker: Broker, desk: Desk, name: str, keys: tuple[str, ...]
) -> None:
    """Authority, certificate, key and password: the node starts, says F026 of each, and calls over the other broker."""
    authority = Authority(tmp_path / "ca.pem")
    brokers = [_broker(tmp_path / key, authority, key, DAMAGES[name]) for key in keys]
    with SimulatedNode(write_config(tmp_path, broker.port, brokers=brokers)) as node:
        for each in brokers:
            desk.receive("event", kind="fault-raised", fault="F026", subject=f"{LOOPBACK}:{each['port']}")
        node.tap()
        desk.receive("event", kind="pressed")
        node.expect(output="buzzer", level=True)
        code = node.quit()
        log = node.log

    assert code == 0
    assert "hunter" not in log
    assert "Traceback" not in log


def _broker(directory: Path, authority: Authority, key: str, damage: Damage) -> Mapping[str, object]:
    """What node.toml says of a broker whose file of this key is damaged."""
    pair = authority.issue("own", directory)
    files = dict(zip(KEYS, (directory / "ca", pair.certificate, pair.key, directory / "password"), strict=True))
    files["ca_file"].write_bytes(authority.file.read_bytes())
    files["password_file"].write_bytes(b"hunter2\n")
    damage(files[key])
    written = {each: str(path) for each, path in files.items()}
    return {"host": LOOPBACK, "port": free_port(), "username": "me", **written}
