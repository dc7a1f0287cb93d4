"""A node.toml that is read again while the node runs: what is taken at once, and what only a start can change."""

import pytest
from msgspec.structs import replace

from node.config import Broker, merged
from node.core.settings import AlarmClass, Receipts
from tests.integration.config.node_toml import BROKER, FULL, MINIMAL, changed, read

TAKEN = {
    "a broker": (changed(MINIMAL, "port = 1883", "port = 1884"), "brokers"),
    "one more broker": (f'{MINIMAL}\n[[broker]]\nhost = "::1"\nport = 1883\n', "brokers"),
    "its login": (f'{MINIMAL}username = "me"\n', "brokers"),
    "the place": (changed(MINIMAL, "Zimmer 214", "Zimmer 215"), "location"),
    "supervision": (f"{MINIMAL}[supervision]\nheartbeat_s = 20\nreceipt_s = 20\n", "settings"),
    "a button's class": (changed(MINIMAL, '"threat"', '"amok"'), "settings"),
    "limits of the panel": (changed(MINIMAL, "[panel]", "[panel]\nstuck_s = 60\nchatter_presses = 99"), "settings"),
}
DUE = {
    "its name": (changed(MINIMAL, "room-214", "room-215"), "[node]"),
    "its record": (changed(MINIMAL, "[node]", "[node]\nrecord_mb = 65"), "[node]"),
    "the debounce": (changed(MINIMAL, "[panel]", "[panel]\ndebounce_ms = 30"), "[panel]"),
    "a pin": (changed(MINIMAL, "pin = 17", "pin = 18"), "inputs"),
    "a wiring": (changed(MINIMAL, "normally-open", "normally-closed"), "inputs"),
    "a door": (f'{MINIMAL}[[door]]\nname = "yard"\npin = 5\nwiring = "normally-open"\nmode = "report"\n', "inputs"),
    "a buzzer": (f"{MINIMAL}[buzzer]\npin = 22\n", "[buzzer]"),
    "the lamp": (changed(MINIMAL, "pin = 23", "pin = 24"), "[lamp]"),
}


@pytest.mark.parametrize(("content", "what"), TAKEN.values(), ids=TAKEN.keys())
def test_what_needs_no_start_is_taken_whole(content: str, what: str) -> None:
    """As a start with the same file would."""
    running, found = read(MINIMAL), read(content)

    taken = merged(running, found)

    assert taken == found
    assert taken.content == content.encode()
    assert getattr(taken, what) != getattr(running, what)


@pytest.mark.parametrize(("content", "due"), DUE.values(), ids=DUE.keys())
def test_what_only_a_start_can_change_stays_and_is_named(content: str, due: str) -> None:
    """Everything else is taken all the same."""
    running = read(MINIMAL)

    taken = merged(running, read(changed(content, "port = 1883", "port = 1884")))

    assert taken.settings.restart_due == due
    assert taken.brokers == (Broker("127.0.0.1:1884", "127.0.0.1", 1884),)
    links = ("127.0.0.1:1884",)
    assert replace(taken, brokers=running.brokers, settings=running.settings, content=running.content) == running
    assert taken.settings == replace(running.settings, links=links, restart_due=due)


def test_a_loud_button_waits_for_the_buzzer_that_comes_with_it() -> None:
    """Until the start there is none that could sound."""
    running = read(MINIMAL)
    loud = changed(MINIMAL, 'sound = "silent"\nlamp = "shown"', 'sound = "loud"')

    taken = merged(running, read(f"{loud}[buzzer]\npin = 22\n"))

    assert taken.settings.inputs == running.settings.inputs
    assert not taken.settings.has_buzzer
    assert taken.settings.restart_due == "[buzzer]"


def test_all_that_is_due_is_named_and_goes_with_the_change() -> None:
    """A file that is put back as it was asks for nothing."""
    running = read(MINIMAL)
    other = changed(FULL, FULL[FULL.index("[[broker]]") : FULL.index("[supervision]")], BROKER)

    taken = merged(running, read(other))
    back = merged(taken, read(MINIMAL))

    assert taken.settings.restart_due == "[node], [panel], inputs, [buzzer]"
    assert taken.settings.monitors == ("guard-desk", "porter")
    assert taken.settings.receipts is Receipts.REQUIRED
    assert taken.settings.inputs[0].alarm_class is AlarmClass.THREAT
    assert back == running
