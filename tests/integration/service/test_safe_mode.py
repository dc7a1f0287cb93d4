"""What counts as a crash, and what is left of a configuration after repeated ones."""

import json
from pathlib import Path

import pytest

from node import config
from node.service.upkeep import safe_mode
from node.service.upkeep.safe_mode import CRASHES, NAME, WITHIN_S, CrashLog, for_start, simplified
from tests.support.damage import DAMAGES, Damage
from tests.support.node import BUTTON, write_config

DOORS = [
    ("[[door]]", {"name": "yard", "pin": 5, "wiring": "normally-closed", "mode": "report"}),
    (
        "[[door]]",
        {
            "name": "safe",
            "pin": 6,
            "wiring": "normally-closed",
            "mode": "alarm",
            "class": "amok",
            "sound": "loud",
            "lamp": "shown",
        },
    ),
    ("[tamper]", {"pin": 13, "wiring": "normally-closed"}),
    ("[reset]", {"pin": 19, "wiring": "normally-open"}),
]


class Lives:
    """The lives of a node, one after the other, each a minute after the one before."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.now = 1_000.0

    def begin(self, of: str = "this") -> CrashLog:
        """One more life."""
        self.now += 60.0
        log = CrashLog(self.directory, of, lambda: self.now)
        log.begin()
        return log


@pytest.fixture
def lives(tmp_path: Path) -> Lives:
    """A node that was never started."""
    return Lives(tmp_path)


def test_a_life_that_does_not_settle_is_a_crash(lives: Lives) -> None:
    """Each is counted once, by the next life."""
    assert [lives.begin().crashes for _ in range(4)] == [0, 1, 2, 3]


def test_a_life_that_settles_ends_the_count(lives: Lives) -> None:
    """What came before it is over."""
    lives.begin()
    lives.begin().settle()

    assert lives.begin().crashes == 0


def test_crashes_that_are_long_ago_do_not_count(lives: Lives) -> None:
    """One a day is another trouble."""
    lives.begin()
    lives.now += WITHIN_S - 60.0
    just = lives.begin().crashes
    lives.now += WITHIN_S

    assert just == 1
    assert lives.begin().crashes == 0


def test_another_program_or_configuration_begins_anew(lives: Lives) -> None:
    """What made it crash may be mended."""
    lives.begin()

    assert lives.begin("that").crashes == 0


def test_a_power_cut_is_no_crash(lives: Lives) -> None:
    """Nor is any other end of the machine: the kernel has another boot id after it."""
    lives.begin()
    path = lives.directory / NAME
    noted = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**noted, "kernel_boot": "another"}), encoding="utf-8")

    assert lives.begin().crashes == 0


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_count_is_none(lives: Lives, damage: Damage) -> None:
    """And costs nothing else."""
    lives.begin()
    damage(lives.directory / NAME)

    log = lives.begin()
    log.settle()

    assert log.crashes == 0


def test_a_directory_that_cannot_be_written_is_survived(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is counted, and the log says so."""
    (tmp_path / "file").touch()
    lives = Lives(tmp_path / "file" / "state")

    counts = [lives.begin().crashes for _ in range(CRASHES + 1)]
    lives.begin().settle()

    assert set(counts) == {0}
    assert "crashes aren't counted in" in caplog.text


def test_a_start_is_in_safe_mode_after_so_many_crashes(tmp_path: Path) -> None:
    """And before it is not."""
    settings = config.load(write_config(tmp_path, 1, 2))

    seen = []
    for _ in range(CRASHES + 3):
        started, log = for_start(settings, tmp_path)
        log.begin()
        seen.append((started.settings.safe_mode, started.settings.links))

    both = ("127.0.0.1:1", "127.0.0.1:2")
    assert seen == [(False, both)] * CRASHES + [(True, both[:1]), (True, both[1:]), (True, both[:1])]


def test_another_version_of_the_program_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update is what mends a program."""
    settings = config.load(write_config(tmp_path, 1))
    for _ in range(CRASHES):
        for_start(settings, tmp_path)[1].begin()
    before = for_start(settings, tmp_path)[0].settings.safe_mode

    monkeypatch.setattr(safe_mode, "__version__", "2.0.0")

    assert before
    assert for_start(settings, tmp_path)[0] is settings


def test_what_raises_alarms_stays(tmp_path: Path) -> None:
    """Buttons and doors that alarm, with all their pins; what only reports goes. The rest is as it was."""
    changeover = {**BUTTON, "name": "desk", "pin": 17, "pin_nc": 27, "wiring": "changeover"}
    plain = {"host": "192.0.2.1", "port": 1883, "insecure": True}
    settings = config.load(write_config(tmp_path, 1, buttons=[changeover], brokers=[plain], tables=DOORS))

    first, second = simplified(settings, 0), simplified(settings, 1)

    assert [each.name for each in first.settings.inputs] == ["desk", "safe"]
    assert first.line_pins == {"desk": 17, "desk.nc": 27, "safe": 6}
    assert (first.buzzer_pin, first.lamp_pin) == (settings.buzzer_pin, settings.lamp_pin)
    assert (first.settings.links, first.settings.insecure_links) == (("127.0.0.1:1",), ())
    assert (second.settings.links, second.settings.insecure_links) == (("192.0.2.1:1883",), ("192.0.2.1:1883",))
    assert [broker.name for broker in second.brokers] == ["192.0.2.1:1883"]
