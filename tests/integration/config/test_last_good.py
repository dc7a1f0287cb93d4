"""The copy of node.toml with which a node starts whose node.toml can't be used any more."""

import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from node.config import DEFAULT_STATE_DIRECTORY, last_good, load
from node.errors import ConfigError
from tests.integration.config.node_toml import FULL, MINIMAL, changed
from tests.support.damage import DAMAGES, Damage, mend

WRONG = changed(MINIMAL, "pin = 17", "pin = 99")
PATH = Path("node.toml")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Systemd's state directory."""
    (tmp_path / "state").mkdir()
    return {"STATE_DIRECTORY": str(tmp_path / "state")}


def kept(content: str, environ: dict[str, str]) -> Path:
    """Node.toml has this content, and a node was ready with it; the copy."""
    PATH.write_text(content, encoding="utf-8")
    directory = Path(environ["STATE_DIRECTORY"])
    last_good.keep(load(PATH), directory)
    return directory / last_good.NAME


def test_a_file_that_can_be_used_is_used(environ: dict[str, str]) -> None:
    """Whatever the copy is."""
    kept(FULL, environ)
    PATH.write_text(MINIMAL, encoding="utf-8")

    config, problems = last_good.load(PATH, environ)

    assert config == load(PATH)
    assert problems == ()


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_whatever_became_of_the_file_the_copy_is_used(damage: Damage, environ: dict[str, str]) -> None:
    """Every problem of the file is told, the first one with the settings; all else is as it was."""
    kept(MINIMAL, environ)
    before = load(PATH)

    damage(PATH)
    config, problems = last_good.load(PATH, environ)
    mend(PATH, MINIMAL.encode())

    assert replace(config, settings=replace(config.settings, refused="")) == before
    assert problems
    assert f"{PATH}: {config.settings.refused.partition(' (and ')[0]}" in problems[0]
    assert last_good.load(PATH, environ) == (before, ())


def test_the_settings_name_the_first_problem_and_how_many_follow(environ: dict[str, str]) -> None:
    """By its place alone: it stands in status lines and tables, which have no room for more."""
    kept(MINIMAL, environ)
    PATH.write_text(changed(WRONG, "port = 1883", "port = 0"), encoding="utf-8")
    several = last_good.load(PATH, environ)[0].settings.refused
    PATH.write_text(changed(MINIMAL, '"room-214"', f'"{"Z" * 999}"'), encoding="utf-8")

    long = last_good.load(PATH, environ)[0].settings.refused

    assert several == "[[button]] 1 pin = 99 (and 1 more)"
    assert long.startswith('[node] id = "ZZZ')
    assert len(long) == 60


def test_without_a_copy_the_file_is_refused_as_ever(environ: dict[str, str]) -> None:
    """A node that was never ready has nothing to go on with."""
    PATH.write_text(WRONG, encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        last_good.load(PATH, environ)

    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_copy_that_cannot_be_used_is_none(damage: Damage, environ: dict[str, str]) -> None:
    """The answer is about node.toml, which somebody can correct."""
    copy = kept(MINIMAL, environ)
    PATH.write_text(WRONG, encoding="utf-8")
    damage(copy)

    with pytest.raises(ConfigError, match=r"^E001 node.toml has 1 problem"):
        last_good.load(PATH, environ)


def test_a_copy_that_this_version_refuses_is_none(environ: dict[str, str]) -> None:
    """A later version may be stricter."""
    copy = kept(MINIMAL, environ)
    PATH.write_text(WRONG, encoding="utf-8")
    mend(copy, changed(copy.read_text(encoding="utf-8"), "pin = 17", "pin = 98").encode())

    with pytest.raises(ConfigError, match=r"^E001 node.toml has 1 problem"):
        last_good.load(PATH, environ)


def test_the_copy_of_another_file_is_never_used(environ: dict[str, str]) -> None:
    """A trial on the machine of a node must not begin to drive the node's pins."""
    kept(MINIMAL, environ)
    other = Path("other.toml")
    other.write_text(WRONG, encoding="utf-8")

    with pytest.raises(ConfigError, match=r"^E001 other.toml has 1 problem"):
        last_good.load(other, environ)


def test_a_copy_is_the_services_alone_and_is_written_once(environ: dict[str, str]) -> None:
    """A start with the same file costs the card nothing."""
    copy = kept(MINIMAL, environ)
    before = copy.stat()

    kept(MINIMAL, environ)
    same = copy.stat()
    kept(FULL, environ)

    assert stat.S_IMODE(before.st_mode) == 0o600
    assert (same.st_ino, same.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert FULL in copy.read_text(encoding="utf-8")
    assert [path.name for path in copy.parent.iterdir()] == [last_good.NAME]


def test_a_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """The caller says so, and goes on."""
    PATH.write_text(MINIMAL, encoding="utf-8")

    with pytest.raises(FileNotFoundError):
        last_good.keep(load(PATH), tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (changed(FULL, "pin = 17", "pin = 99"), "/srv/alarm"),
        (WRONG, str(DEFAULT_STATE_DIRECTORY)),
        ("[[button]]\n", str(DEFAULT_STATE_DIRECTORY)),
        ("no TOML", str(DEFAULT_STATE_DIRECTORY)),
    ],
    ids=["it says where", "it takes the default", "without its table", "unreadable"],
)
def test_a_file_that_cannot_be_used_may_still_say_where_its_copy_is(content: str, expected: str) -> None:
    """A service asks systemd instead; an engineer's trial has nobody to ask."""
    PATH.write_text(content, encoding="utf-8")

    assert last_good.where(PATH, {}) == Path(expected) / last_good.NAME
    assert last_good.where(PATH, {"STATE_DIRECTORY": "/run/here"}) == Path("/run/here") / last_good.NAME
