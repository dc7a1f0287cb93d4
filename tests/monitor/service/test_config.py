"""monitor.toml and nodes.toml: everything that can be wrong is told at once, with key and what is allowed."""

from pathlib import Path

import pytest

from node.config.files import FileError
from node.core.settings import AlarmClass
from node.errors import ConfigError
from node.monitor.config import monitor_file, roster_file
from node.monitor.config.init_files import ExampleError, write
from node.monitor.config.secret_urls import read_url
from node.monitor.core.model.monitor_settings import Settings
from node.monitor.core.model.records import NodeKey
from tests.support.damage import DAMAGES, HALF, Damage, mend

MINIMAL = '[monitor]\nid = "guard-desk"\nsites = ["mitte"]\n[[broker]]\nhost = "127.0.0.1"\nport = 18830\n'


def load(directory: Path, text: str, roster: str | None = None) -> Settings:
    """The settings of a file with this text."""
    if roster is not None:
        (directory / "nodes.toml").write_text(roster, encoding="utf-8")
        text = text.replace('id = "guard-desk"', f'id = "guard-desk"\nroster = "{directory}/nodes.toml"')
    path = directory / "monitor.toml"
    path.write_text(text, encoding="utf-8")
    return monitor_file.load(path, {})


def problems(directory: Path, text: str, roster: str | None = None) -> list[str]:
    """What is wrong with such a file or its roster, without its path."""
    try:
        found = load(directory, text, roster).roster_problems
    except ConfigError as told:
        found = told.problems
    return [problem.split(": ", 1)[1] for problem in found]


def test_a_minimal_file_has_everything(tmp_path: Path) -> None:
    """What isn't said has a safe default."""
    settings = load(tmp_path, MINIMAL)

    assert (settings.monitor, settings.sites, settings.root) == ("guard-desk", ("mitte",), "alarm/v1")
    assert (settings.grace_s, settings.escalate_s, settings.test_days) == (9.0, 60.0, 31)
    assert (settings.api_host, settings.api_port) == ("127.0.0.1", 8780)
    assert settings.roster is None


def test_the_roster_says_where_nodes_are(tmp_path: Path) -> None:
    """The only site needn't be said."""
    settings = load(tmp_path, MINIMAL, '[[node]]\nid = "room-214"\nfloor = "2"\nlocation = "2. OG"\n')

    assert settings.roster is not None
    (place,) = settings.roster
    assert (place.key, place.floor, place.location) == (NodeKey("mitte", "room-214"), "2", "2. OG")


def test_a_roster_may_list_no_node_any_more(tmp_path: Path) -> None:
    """The last one was taken down. What a power cut leaves of a file has no text at all."""
    settings = load(tmp_path, MINIMAL, "# Every node of the building.\n")

    assert (settings.roster, settings.roster_problems) == ((), ())


def test_the_roster_may_say_with_which_classes_a_node_calls(tmp_path: Path) -> None:
    """Until it was heard nobody else knows."""
    settings = load(tmp_path, MINIMAL, '[[node]]\nid = "room-214"\nclasses = ["threat", "amok"]\n')

    assert settings.roster is not None
    assert settings.roster[0].classes == {AlarmClass.THREAT, AlarmClass.AMOK}
    assert problems(tmp_path, MINIMAL, '[[node]]\nid = "room-214"\nclasses = ["panic"]\n')


def test_a_target_is_chosen_for_classes_and_sites(tmp_path: Path) -> None:
    """Its URL may stand in a file of its own, and is never shown."""
    secret = tmp_path / "url"
    secret.write_text("mailto://user:pass@example.org\n", encoding="utf-8")
    text = (
        MINIMAL + f'[[target]]\nname = "guards"\nurl_file = "{secret}"\nclasses = ["threat"]\nfindings = "critical"\n'
    )

    (target,) = load(tmp_path, text).targets

    assert (target.name, target.language) == ("guards", "de")
    assert target.classes == frozenset({AlarmClass.THREAT})
    assert target.url == "mailto://user:pass@example.org"
    assert "pass" not in repr(target)


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ('[[target]]\nname = "a"\n', "[[target]] 1 url is missing: write url or url_file, an Apprise URL"),
        ('[[target]]\nname = "a"\nurl = "x"\n', "[[target]] 1 url: must be an Apprise URL"),
        ('[[target]]\nname = "a"\nurl = "json://x"\nurl_file = "/x"\n', "leave one of them out"),
        ('[[target]]\nname = "a"\nurl = "json://x"\nlevel = 2\n', "no target has level 1"),
        ('[[target]]\nname = "a"\nurl = "json://x"\nstep = 10\n', "[[target]] 1 step = 10: must be from 0 to 9"),
        (
            '[[target]]\nname = "a"\nurl = "json://x"\nstep = 0\nlevel = 0\n',
            "[[target]] 1 step and level: leave the first out: it is the older name of the second",
        ),
        (
            '[[target]]\nname = "a"\nurl = "json://x"\nsites = ["mite"]\n',
            '[[target]] 1 sites: "mite" must be one that this monitor hears: mitte',
        ),
        ("[supervision]\ngrace_s = 1\n", "[supervision] grace_s = 1: must be from 2 to 60 (seconds)"),
        ("[supervisor]\n", "supervisor is unknown: did you mean [supervision]?"),
        ("[incidents]\nescalate_s = 5\n", "[incidents] escalate_s = 5: must be from 10 to 3600"),
        ("[api]\nport = 0\n", "[api] port = 0: must be a whole number from 1 to 65535"),
        ("[history]\nkeep_days = 3\n", "keep_days is unknown: did you mean"),
        ("[tests]\nevery_days = 0\n", "[tests] every_days = 0: must be from 1 to 366"),
        ('[[broker]]\nhost = "broker.example"\nport = 1883\n', "ca_file is missing"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_allowed(tmp_path: Path, added: str, expected: str) -> None:
    """One line, with the place."""
    told = problems(tmp_path, MINIMAL + added)

    assert any(expected in each for each in told), told


def test_a_secret_is_not_shown_where_it_is_wrong(tmp_path: Path) -> None:
    """Logs are read by many."""
    told = problems(tmp_path, MINIMAL + '[[target]]\nname = "a"\nurl = "se cret"\n')

    assert "cret" not in "".join(told)


def test_the_older_name_of_level_is_still_read(tmp_path: Path) -> None:
    """Who set a monitor up before has step in the file, and hears what it is called now."""
    later = '[[target]]\nname = "b"\nurl = "json://y"\n'

    old = load(tmp_path, f'{MINIMAL}[[target]]\nname = "a"\nurl = "json://x"\n{later}step = 1\n')
    hints = monitor_file.outdated(old.path)
    new = load(tmp_path, f'{MINIMAL}[[target]]\nname = "a"\nurl = "json://x"\n{later}level = 1\n')

    assert old == new
    assert hints == (("[[target]] 2 step is called level now", "write level instead of step"),)
    assert monitor_file.outdated(new.path) == ()


@pytest.mark.parametrize(
    ("roster", "expected"),
    [
        ('[[node]]\nid = "a"\n[[node]]\nid = "a"\n', 'id = "a": is [[node]] 1 already: an id is one node\'s'),
        ('[[node]]\nid = "guard-desk"\n', 'id = "guard-desk": is this monitor\'s id, too: give one another'),
        ('[[node]]\nid = "a"\nsite = "nord"\n', "must be one that monitor.toml hears: mitte"),
        ('[[node]]\nid = "A"\n', '[[node]] 1 id = "A": must be 1 to 63'),
        ('[[node]]\nid = "a"\nroom = "1"\n', "room is unknown"),
        ("[[node]]\n", "[[node]] 1 id is missing"),
        ("", "[[node]] is missing: the file is empty"),
        (" \n", "[[node]] is missing: the file is empty"),
    ],
)
def test_a_wrong_roster_is_told_as_well(tmp_path: Path, roster: str, expected: str) -> None:
    """By the same rules."""
    told = problems(tmp_path, MINIMAL, roster)

    assert any(expected in each for each in told), told


def test_one_id_at_two_sites_is_refused(tmp_path: Path) -> None:
    """At one broker an id is one login: the two nodes would throw each other off."""
    text = MINIMAL.replace('sites = ["mitte"]', 'sites = ["mitte", "nord"]')
    roster = '[[node]]\nid = "a"\nsite = "mitte"\n[[node]]\nid = "a"\nsite = "nord"\n'

    (problem,) = problems(tmp_path, text, roster)

    assert problem.startswith('[[node]] 2 id = "a": is [[node]] 1 already: an id is one node\'s, at whatever site')


def test_with_several_sites_a_node_says_its_own(tmp_path: Path) -> None:
    """Else nobody knows which building it is in."""
    text = MINIMAL.replace('["mitte"]', '["mitte", "nord"]')

    told = problems(tmp_path, text, '[[node]]\nid = "a"\n')

    assert any("site is missing: this monitor hears mitte, nord" in each for each in told)


def test_what_init_writes_can_be_read(tmp_path: Path) -> None:
    """And it replaces nothing unasked."""
    path = tmp_path / "etc" / "monitor.toml"

    written = write(
        path, str, monitor="guard-desk", sites=["mitte"], host="127.0.0.1", port=18830, language="de", force=False
    )
    settings = monitor_file.load(path, {})

    assert len(written) == 2
    assert settings.roster is not None
    with pytest.raises(ExampleError, match=r"^E033 these files exist already: .*monitor\.toml"):
        write(path, str, monitor="x", sites=["mitte"], host="127.0.0.1", port=18830, language="de", force=False)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_configuration_that_is_damaged_is_refused_by_its_name(tmp_path: Path, damage: Damage) -> None:
    """Nothing else is raised, and nothing is waited for."""
    (tmp_path / "monitor.toml").write_text(MINIMAL, encoding="utf-8")
    damage(tmp_path / "monitor.toml")

    with pytest.raises(ConfigError) as told:
        monitor_file.load(tmp_path / "monitor.toml", {})

    assert all(each.startswith(f"{tmp_path / 'monitor.toml'}: ") for each in told.value.problems)


@pytest.mark.parametrize("damage", {**DAMAGES, **HALF}.values(), ids={**DAMAGES, **HALF}.keys())
def test_a_roster_that_is_damaged_is_none(tmp_path: Path, damage: Damage) -> None:
    """The monitor runs without it, and can say what is wrong with which file."""
    listed = '[[node]]\nid = "room-214"\nlocation = "2. OG, Zimmer 214"\n'
    load(tmp_path, MINIMAL, listed)
    damage(tmp_path / "nodes.toml")

    settings = monitor_file.load(tmp_path / "monitor.toml", {})

    assert settings.roster is None
    assert [each.startswith(f"{tmp_path / 'nodes.toml'}: ") for each in settings.roster_problems] == [True]


@pytest.mark.parametrize("damage", {**DAMAGES, **HALF}.values(), ids={**DAMAGES, **HALF}.keys())
def test_a_url_file_that_is_damaged_is_its_own_targets_problem(tmp_path: Path, damage: Damage) -> None:
    """The others are told, and nothing of what it holds is shown."""
    secret = tmp_path / "guards.url"
    secret.write_text("x" * 40 + "://user:hunter2@example.org\n", encoding="utf-8")
    damage(secret)
    targets = f'[[target]]\nname = "a"\nurl_file = "{secret}"\n[[target]]\nname = "b"\nurl = "json://x"\n'

    settings = load(tmp_path, f'{MINIMAL}{targets}[history]\nurl_file = "{secret}"\n')

    spoilt, good = settings.targets
    assert (spoilt.url, good.url, good.problem) == ("", "json://x", "")
    assert spoilt.problem.startswith(f"{secret} ")
    assert (settings.history_url, settings.history_problem) == ("", spoilt.problem)
    assert "hunter" not in spoilt.problem


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbfjson://x\r\n", b"json://x", b"  json://x \n", "json://räume".encode(), b"mailto:/x\r"]
)
def test_a_url_is_the_one_line_of_its_file(tmp_path: Path, content: bytes) -> None:
    """As an editor left it."""
    (tmp_path / "url").write_bytes(content)

    assert read_url(tmp_path / "url") == content.decode("utf-8-sig").strip()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"json://x y", "holds no URL"),
        (b"hunter2", "holds no URL"),
        (b"json://" + b"x" * 2_000, "holds no URL"),
        (b"json://\xff", "isn't UTF-8"),
        (b"json://x\njson://y\n", "holds several lines"),
    ],
)
def test_what_is_no_url_is_refused_without_being_shown(tmp_path: Path, content: bytes, words: str) -> None:
    """By the file's name."""
    (tmp_path / "url").write_bytes(content)

    with pytest.raises(FileError) as caught:
        read_url(tmp_path / "url")

    assert str(caught.value).startswith(f"{tmp_path / 'url'} {words}")
    assert "hunter" not in str(caught.value)


def test_a_url_in_the_place_of_its_file_is_not_shown(tmp_path: Path) -> None:
    """Answers end in logs."""
    told = problems(tmp_path, MINIMAL + '[[target]]\nname = "a"\nurl_file = "mailto://user:hunter2@example.org"\n')

    assert told == [
        '[[target]] 1 url_file: must be an absolute path, for example url_file = "/etc/alarm-monitor/guards.url"'
    ]


@pytest.mark.parametrize("damage", {**DAMAGES, **HALF}.values(), ids={**DAMAGES, **HALF}.keys())
def test_a_roster_that_is_damaged_is_the_last_one_that_was_not(tmp_path: Path, damage: Damage) -> None:
    """A copy of it is kept; the problem stands, and what is mended is taken, and copied, at the next start."""
    listed = '[[node]]\nid = "room-214"\nlocation = "2. OG, Zimmer 214"\n'
    first = roster_file.keep_copy(load(tmp_path, MINIMAL, listed), tmp_path)

    damage(tmp_path / "nodes.toml")
    damaged = roster_file.keep_copy(monitor_file.load(tmp_path / "monitor.toml"), tmp_path)
    mend(tmp_path / "nodes.toml", b'[[node]]\nid = "room-215"\n')
    mended = roster_file.keep_copy(monitor_file.load(tmp_path / "monitor.toml"), tmp_path)

    assert damaged.roster == first.roster
    assert damaged.roster_problems
    assert mended.roster is not None
    assert ([each.key.node for each in mended.roster], mended.roster_problems) == (["room-215"], ())


def test_where_no_copy_can_be_kept_there_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A disk that is full is no reason to do without the roster."""
    settings = load(tmp_path, MINIMAL, '[[node]]\nid = "room-214"\n')

    kept = roster_file.keep_copy(settings, tmp_path / "nowhere")
    (tmp_path / "nodes.toml").unlink()
    none = roster_file.keep_copy(monitor_file.load(tmp_path / "monitor.toml"), tmp_path / "nowhere")

    assert (kept, none.roster) == (settings, None)
    assert "no copy of the roster can be kept" in caplog.text
    assert roster_file.keep_copy(load(tmp_path, MINIMAL), tmp_path).roster is None
