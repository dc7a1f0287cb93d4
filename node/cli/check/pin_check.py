"""The doctor at the pins: whether they are free and readable, and whether their levels are plausible."""

import queue
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, assert_never

from node import config
from node.core import contact
from node.core.line import ContactState
from node.core.settings import InputSettings, Role
from node.errors import PanelError
from node.errors.faults import INPUT_UNREADABLE, OUTPUT_FAILED, WIRE_FAULTY, FaultKind
from node.io.panel import Panel, last_outputs, pin_factory
from node.io.terminal.check_result import CheckResult
from node.threads import new_thread

LEVELS_S = 2.0


def try_pins(settings: config.Config, make_factory: Callable[[config.Config], Any]) -> Iterator[CheckResult]:
    """Claim every pin as the service would, read the inputs once, and release all pins."""
    panel = Panel(
        partial(make_factory, settings),
        settings.line_pins,
        settings.buzzer_pin,
        settings.lamp_pin,
        put=lambda event: None,
        sample_hz=settings.sample_hz,
    )
    panel.start()
    try:
        levels = _levels(panel)
    finally:
        panel.close()
    if panel.unusable is not None:
        yield _without_pins(panel.unusable)
        return
    for name, pin in (("buzzer", settings.buzzer_pin), ("lamp", settings.lamp_pin)):
        if pin is not None and pin in panel.problems:
            yield _unusable(f"{name} (pin {pin})", OUTPUT_FAILED, panel.problems[pin])
    for each in settings.settings.inputs:
        yield _look_at_input(each, settings.line_pins, levels, panel.problems)


def look_for_pins(settings: config.Config) -> Iterator[CheckResult]:
    """Why this machine has no pins for the service; it touches none."""
    missing = pin_factory.why_no_pins(settings)
    if missing is not None:
        yield _without_pins(missing)


def look_at_kernel(settings: config.Config) -> Iterator[CheckResult]:
    """Whether buzzer and lamp stay as they are when the node is killed, until it runs again (HAZARDS.md H40)."""
    if last_outputs.are_kept(pin_factory.labels(settings)):
        yield CheckResult(
            False,
            "this kernel leaves buzzer and lamp as they are while no program drives them: after a crash of the node "
            "they may sound and shine on",
            "add the line dtparam=strict_gpiod to /boot/firmware/config.txt, and restart the machine",
        )


def called(kind: str, name: str) -> str:
    """An input as people call it: an input without a name of its own is called by its kind."""
    return kind if name == kind else f"{kind} {name}"


def _without_pins(why: PanelError) -> CheckResult:
    return CheckResult(False, f"{why.code} {why.text}: no press raises an alarm", why.next_step)


def _unusable(about: str, kind: FaultKind, problem: str) -> CheckResult:
    return CheckResult(False, f"{about}: {kind.code} {kind.text} ({problem})", _FREE_IT)


def _look_at_input(
    each: InputSettings,
    line_pins: Mapping[str, int],
    levels: Mapping[str, bool | None],
    problems: Mapping[int, str],
) -> CheckResult:
    numbers = [line_pins[line] for line in each.lines]
    about = f"{called(each.role.kind, each.name)} (pin {' and '.join(map(str, numbers))})"
    for number in numbers:
        if number in problems:
            return _unusable(about, INPUT_UNREADABLE, problems[number])
    wire = "" if each.wiring.is_supervised else ", its wire is unsupervised"
    state = contact.read(each.wiring, [levels.get(line) for line in each.lines])
    match state:
        case ContactState.UNKNOWN:
            text = f"{about}: {INPUT_UNREADABLE.code} {INPUT_UNREADABLE.text}"
            return CheckResult(False, text, INPUT_UNREADABLE.next_step)
        case ContactState.FAULT:
            return CheckResult(False, f"{about}: {WIRE_FAULTY.code} {WIRE_FAULTY.text}", WIRE_FAULTY.next_step)
        case ContactState.ACTIVE:
            what, next_step = _active(each.role)
            return CheckResult(not next_step, f"{about} is active: {what}{wire}", next_step.format(each.wiring.value))
        case ContactState.NORMAL:
            return CheckResult(True, f"{about} is normal{wire}")


_FREE_IT = "look with gpioinfo for the program that holds the pin, and end that; or give another pin in node.toml"
_CLOSE = "close the door, or check the wire and wiring = '{}'"


def _active(role: Role) -> tuple[str, str]:
    """What it means that an input of this role is active, and what to do if it shouldn't be."""
    match role:
        case Role.BUTTON:
            return "pressed, cut, or wired the other way round", "release it, or check the wire and wiring = '{}'"
        case Role.DOOR_ALARM:
            return "open, cut, or wired the other way round", _CLOSE
        case Role.DOOR_HELD_OPEN | Role.DOOR_REPORT | Role.DOOR_INCIDENT_ONLY:
            return "the door is open", ""
        case Role.TAMPER:
            return "the case is open", "close the case, or check the switch and wiring = '{}'"
        case Role.RESET:
            return "the key is turned", "turn it back, or check the switch and wiring = '{}'"
        case _:
            assert_never(role)


def _levels(panel: Panel) -> Mapping[str, bool | None]:
    """What each line reads; nothing if a pin doesn't answer."""
    answer: queue.SimpleQueue[Mapping[str, bool | None]] = queue.SimpleQueue()
    new_thread("levels", lambda: answer.put(panel.levels())).start()
    try:
        return answer.get(timeout=LEVELS_S)
    except queue.Empty:
        return {}
