"""The files of targets and the configuration, while the monitor runs: what is told of them, and what is taken."""

from collections.abc import Callable
from pathlib import Path

import pytest

from node.monitor.config import monitor_file
from node.monitor.service.upkeep import file_watch
from node.monitor.service.upkeep.file_watch import FileWatch
from tests.monitor.service.test_config import MINIMAL
from tests.support.damage import DAMAGES, HALF, Damage, mend
from tests.support.node import wait_until

URL = b"json://user:hunter2@example.org\n"
OTHER = b"json://user:hunter3@example.org\n"
LISTED = b'[[node]]\nid = "room-214"\nlocation = "2. OG, Zimmer 214"\n'


class Looking:
    """A monitor's files in order, and what is told of them."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "monitor.toml"
        self.url, self.roster = directory / "guards.url", directory / "nodes.toml"
        self.url.write_bytes(URL)
        self.roster.write_bytes(LISTED)
        text = MINIMAL.replace('id = "guard-desk"', f'id = "guard-desk"\nroster = "{self.roster}"')
        self.path.write_text(
            f'{text}[history]\nurl_file = "{self.url}"\n[[target]]\nname = "guards"\nurl_file = "{self.url}"\n'
            '[[target]]\nname = "others"\nurl = "json://x"\n',
            encoding="utf-8",
        )
        self.taken: list[tuple[str, str]] = []
        self.told: list[tuple[str, str]] = []
        self.watched = self.watch()

    def watch(self) -> FileWatch:
        """What a monitor does that starts now."""
        settings = monitor_file.load(self.path)
        return FileWatch(settings, lambda *each: self.taken.append(each), lambda *each: self.told.append(each))

    def look(self) -> dict[str, str]:
        """Look once; what is newly told, by name."""
        del self.told[:]
        self.watched.look()
        return dict(self.told)


@pytest.fixture
def looking(tmp_path: Path) -> Looking:
    """Files in order."""
    return Looking(tmp_path)


def test_what_is_in_order_is_told_once(looking: Looking) -> None:
    """After a start it ends what stood before it."""
    assert looking.look() == {"guards": "", "": ""}
    assert looking.look() == {}
    assert looking.taken == []


@pytest.mark.parametrize("damage", {**DAMAGES, **HALF}.values(), ids={**DAMAGES, **HALF}.keys())
def test_a_url_file_that_is_damaged_is_told_and_taken_once_mended(looking: Looking, damage: Damage) -> None:
    """Until then the target has the URL that was read last; nothing of it is shown."""
    looking.url.write_bytes(b"x" * 40 + URL)
    looking.watched = looking.watch()
    looking.look()

    damage(looking.url)
    told, taken = looking.look(), list(looking.taken)
    mend(looking.url, OTHER)
    mended = looking.look()

    assert told["guards"].startswith(f"{looking.url} ")
    assert told[""].startswith(f"{looking.url} ")
    assert "hunter" not in repr(told)
    assert (taken, looking.taken) == ([], [("guards", OTHER.decode().strip())])
    assert mended == {"guards": "", "": ""}


def test_a_url_that_could_not_be_read_at_the_start_is_taken_once_it_can(looking: Looking) -> None:
    """Without a restart."""
    looking.url.unlink()
    looking.watched = looking.watch()
    told = looking.look()

    looking.url.write_bytes(URL)
    looking.look()

    assert "No such file" in told["guards"]
    assert looking.taken == [("guards", URL.decode().strip())]


@pytest.mark.parametrize("of", [lambda each: each.path, lambda each: each.roster], ids=["monitor.toml", "nodes.toml"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_configuration_that_the_next_start_could_not_read_is_told(
    looking: Looking, damage: Damage, of: Callable[[Looking], Path]
) -> None:
    """By its name, and until it is mended; what was read at the start is used on."""
    file = of(looking)
    good = file.read_bytes()
    looking.look()

    damage(file)
    told = looking.look()
    mend(file, good)
    mended = looking.look()

    assert told[""].startswith(str(file))
    assert mended == {"": ""}
    assert looking.taken == []


def test_it_looks_by_itself_and_goes_on_whatever_happens(looking: Looking, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that ended here would never see a mended file."""
    monkeypatch.setattr(file_watch, "LOOK_S", 0.01)
    calls: list[tuple[str, str]] = []

    def tell(name: str, problem: str) -> None:
        calls.append((name, problem))
        if "No such file" in problem:
            raise RuntimeError(name)

    before = looking.url.read_bytes()
    watched = FileWatch(monitor_file.load(looking.path), lambda *_: None, tell)
    watched.start()
    looking.url.unlink()
    wait_until(lambda: any("No such file" in problem for _, problem in calls), what="the damage")
    damage = next(number for number, (_, problem) in enumerate(calls) if "No such file" in problem)
    looking.url.write_bytes(before)
    wait_until(lambda: (calls[damage][0], "") in calls[damage:], what="the mended file")
    watched.close(5.0)
