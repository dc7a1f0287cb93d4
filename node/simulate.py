"""The service on gpiozero's mock pins: text in, JSON lines out.

Rules:

1. One thread drives the wall: instructions are carried out one after the other (hazards.md, H12).
2. A contact is wired to ground and beats the pull resistor, as on a real wall: a button that is held down before the
   node starts is low from its first look on.
3. ``edges off`` takes the callbacks away, never the levels: only the sampler is left.
4. Each contact that moves is told too, ``{"at":…,"input":"button","pressed":true}``, with the instant before it does:
   what happens to it can be measured from there. Chatter is many such lines.

    bounce 3 ms  ‾‾|_|‾|_|‾‾|______________    then held, until it is released
    tap 40 ms    ‾‾|_______________|‾‾‾‾‾‾‾    normally open: pressed is low
"""

import json
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TextIO

from gpiozero.pins.mock import MockFactory, MockPin

from node import config
from node.core.memory import Step
from node.core.settings import Wiring
from node.errors import SimulationError
from node.service import Service
from node.watchdog import Notifier

log = logging.getLogger(__name__)

OnLevel = Callable[[float, int, bool], None]
"""Told (monotonic seconds, BCM pin, level) whenever an output changes."""

OnContact = Callable[[float, str, bool], None]
"""Told (monotonic seconds, input, pressed) whenever a contact was moved."""

MS_MAX = 60_000
_PI_3B = "a02082"
_CHATTER_S = (0.0005, 0.0015)
_ALLOWED = "button press, button release, button tap MS, button bounce MS, edges off, edges on, quit"


class WiredPin(MockPin):  # type: ignore[misc] # gpiozero has no types
    """A mock pin with a contact to ground. Made by a WiredFactory, which says who is told about outputs."""

    def __init__(self, factory: "WiredFactory", info: Any) -> None:
        self.contact_closed = False
        self.edges_lost = False
        super().__init__(factory, info)

    def set_contact(self, closed: bool) -> None:
        """Close the contact to ground, or open it and leave the level to the pull resistor."""
        with self._when_changed_lock:  # a press while the panel switches the pull resistor on must not be lost (H12)
            self.contact_closed = closed
            if closed:
                self.drive_low()
            elif self.pull == "up":
                self.drive_high()

    def drive_high(self) -> None:
        """As MockPin's; but the level stays low while the contact is closed."""
        with self._when_changed_lock:
            if self.contact_closed:
                self.drive_low()
            else:
                super().drive_high()

    def _change_state(self, value: bool) -> bool:
        changed: bool = super()._change_state(value)
        if changed and self.function == "output":
            self.factory.on_level(self._last_change, self._number, value)
        return changed

    def _call_when_changed(self) -> None:
        # The lock: a panel that is closed at this moment takes the handler away between MockPin's look and its call.
        with self._when_changed_lock:
            if self._when_changed is not None and not self.edges_lost:
                super()._call_when_changed()


class WiredFactory(MockFactory):  # type: ignore[misc] # gpiozero has no types
    """A factory of WiredPins, whatever the environment says; its pins are its own."""

    def __init__(self, on_level: OnLevel) -> None:
        super().__init__(revision=_PI_3B, pin_class=WiredPin)
        self.on_level = on_level


class Action(StrEnum):
    """What an instruction asks for."""

    PRESS = "press"
    RELEASE = "release"
    TAP = "tap"
    BOUNCE = "bounce"
    EDGES_OFF = "edges off"
    EDGES_ON = "edges on"
    QUIT = "quit"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One line of text. ``input`` is "" where it concerns none, ``ms`` (milliseconds) 0 where it has none."""

    action: Action
    input: str = ""
    ms: int = 0


def parse(line: str, names: Sequence[str]) -> Instruction | None:
    """What this line asks of a wall with these inputs; None for a blank line or a comment (``#``).

    Capitals and spaces don't matter. Raises ValueError with a text that says what is allowed.
    """
    words = line.partition("#")[0].lower().split()
    match words:
        case []:
            return None
        case ["quit"]:
            return Instruction(Action.QUIT)
        case ["edges", "off" | "on" as state]:
            return Instruction(Action(f"edges {state}"))
        case [target, "press" | "release" as action] if _is_button(target):
            return Instruction(Action(action), _input(target, names))
        case [target, "tap" | "bounce" as action, ms] if _is_button(target):
            return Instruction(Action(action), _input(target, names), _ms(ms))
    raise ValueError(f'"{" ".join(words)}" is no instruction; allowed are: {_ALLOWED}')


def _is_button(target: str) -> bool:
    return target.partition(":")[0] == "button"


def _input(target: str, names: Sequence[str]) -> str:
    _, colon, name = target.partition(":")
    if name in names:
        return name
    if not colon and len(names) == 1:
        return names[0]
    allowed = ", ".join(f"button:{each}" for each in names)
    raise ValueError(f'"{target}" is {"no input" if colon else "one of several"} of this wall; allowed are: {allowed}')


def _ms(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= len(str(MS_MAX)) and 1 <= int(text) <= MS_MAX:
        return int(text)
    raise ValueError(f'"{text}" is no length; allowed are whole milliseconds from 1 to {MS_MAX}')


class Wall:
    """The contacts of a simulated wall, by their inputs' names; for one thread.

    ``inputs`` maps a name to its BCM pin and wiring. ``seed`` makes the chatter of ``bounce`` repeatable. The node's
    panel gets ``factory``; every contact is at rest until it is pressed, which may be before the panel is made.
    """

    def __init__(
        self,
        inputs: Mapping[str, tuple[int, Wiring]],
        *,
        on_level: OnLevel = lambda at, pin, level: None,
        on_contact: OnContact = lambda at, name, pressed: None,
        seed: int | None = None,
    ) -> None:
        self.factory = WiredFactory(on_level)
        self._on_contact = on_contact
        self._pins = {name: self.factory.pin(pin) for name, (pin, _) in inputs.items()}
        self._wirings = {name: wiring for name, (_, wiring) in inputs.items()}
        self._random = random.Random(seed)  # noqa: S311 - chatter, no secret
        self._pressed = dict.fromkeys(inputs, False)
        for name in inputs:
            self._move(name, actuated=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs' names, as given."""
        return tuple(self._pins)

    def press(self, name: str) -> None:
        """Actuate the contact: a normally open one closes, a normally closed one opens."""
        self._actuate(name, True)

    def release(self, name: str) -> None:
        """Put the contact at rest."""
        self._actuate(name, False)

    def tap(self, name: str, ms: int) -> None:
        """Press for at least this long, then release."""
        self.press(name)
        _wait_until(time.monotonic() + ms / 1000)
        self.release(name)

    def bounce(self, name: str, ms: int) -> None:
        """Begin a press that chatters for this long, about once a millisecond, and stays pressed."""
        due = time.monotonic()
        end = due + ms / 1000
        actuated = True
        while due < end:
            _wait_until(due)
            self._actuate(name, actuated)
            actuated = not actuated
            due += self._random.uniform(*_CHATTER_S)
        _wait_until(end)
        self.press(name)

    def edges(self, on: bool) -> None:
        """Let the callbacks of all inputs through, or lose them."""
        for pin in self._pins.values():
            pin.edges_lost = not on

    def carry_out(self, instruction: Instruction) -> None:
        """Do what it says, and return when it is done; ``quit`` is the caller's to do."""
        match instruction.action:
            case Action.PRESS:
                self.press(instruction.input)
            case Action.RELEASE:
                self.release(instruction.input)
            case Action.TAP:
                self.tap(instruction.input, instruction.ms)
            case Action.BOUNCE:
                self.bounce(instruction.input, instruction.ms)
            case Action.EDGES_OFF | Action.EDGES_ON:
                self.edges(instruction.action is Action.EDGES_ON)
            case Action.QUIT:
                pass

    def _actuate(self, name: str, actuated: bool) -> None:
        at = time.monotonic()
        self._move(name, actuated)
        if self._pressed[name] is not actuated:
            self._pressed[name] = actuated
            self._on_contact(at, name, actuated)

    def _move(self, name: str, actuated: bool) -> None:
        high = self._wirings[name].actuated(high=True) is actuated
        self._pins[name].set_contact(closed=not high)


class Lines:
    """JSON lines on a stream, one for each change, from any thread. Goes quiet when nobody reads any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._quiet = False

    def change(self, at: float, **fields: object) -> None:
        """Write ``at`` (monotonic seconds) and the fields, in the order given, and flush."""
        line = json.dumps({"at": round(at, 6), **fields}, ensure_ascii=False, separators=(",", ":"))
        with self._lock:
            if self._quiet:
                return
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError) as problem:  # a broken pipe or a full disk; a stream that was closed
                self._quiet = True
                self._discard()
                log.warning("no more lines on standard output: it can't be written (%s)", problem)

    def _discard(self) -> None:
        """Let what is still buffered go nowhere: flushing it at exit would fail once more, and loudly."""
        with suppress(OSError, ValueError):
            target = self._stream.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, target)
            os.close(nowhere)


class Onlooker:
    """Tells what a simulated wall does and shows: contacts, the ladder, the lamp's pattern, the buzzer's level."""

    def __init__(self, lines: Lines, buzzer_pin: int | None) -> None:
        self._lines = lines
        self._buzzer_pin = buzzer_pin

    def ladder(self, at: float, name: str, step: Step) -> None:
        """The call for help of this input reached a step."""
        self._lines.change(at, ladder=step.value, input=name)

    def lamp(self, at: float, pattern: object) -> None:
        """The lamp was set to a pattern; its pin would only tell single flashes."""
        self._lines.change(at, output="lamp", pattern=str(pattern))

    def contact(self, at: float, name: str, pressed: bool) -> None:
        """A contact was moved."""
        self._lines.change(at, input=name, pressed=pressed)

    def level(self, at: float, pin: int, level: bool) -> None:
        """An output pin changed."""
        if pin == self._buzzer_pin:
            self._lines.change(at, output="buzzer", level=level)


def run(
    settings: config.Config,
    instructions: Iterable[str],
    output: TextIO,
    environ: Mapping[str, str],
    *,
    held: Sequence[str] = (),
    notifier: Notifier | None = None,
    on_service: Callable[[Service], None] = lambda service: None,
) -> int:
    """Be the node on simulated pins until the instructions end; returns the exit code.

    ``held`` names the buttons that are pressed before the start, ``notifier`` tells the service manager. ``on_service``
    is told the service before it runs.
    Raises what ``Service.run`` raises, and SimulationError for a name in ``held`` that isn't an input's.
    """
    onlooker = Onlooker(Lines(output), settings.buzzer_pin)
    inputs = {each.name: (settings.input_pins[each.name], each.wiring) for each in settings.settings.inputs}
    wall = Wall(inputs, on_level=onlooker.level, on_contact=onlooker.contact)
    for name in held:
        if name not in inputs:
            raise SimulationError(f"no input is named {name!r}", f"choose among {', '.join(inputs)}")
        wall.press(name)
    directory = config.state_directory(settings, environ)
    service = Service(settings, wall.factory, directory, environ=environ, watcher=onlooker, notifier=notifier)
    on_service(service)
    driver = threading.Thread(target=_drive, args=(wall, instructions, service), name="wall", daemon=True)
    driver.start()
    service.run()
    return 0


def _drive(wall: Wall, instructions: Iterable[str], service: Service) -> None:
    """Carry the instructions out, one after the other; a bad one is told and passed over."""
    for line in instructions:
        try:
            instruction = parse(line, wall.names)
        except ValueError as error:
            log.error("%s", error)  # noqa: TRY400 - a typing mistake wants no traceback
            continue
        if instruction is None:
            continue
        if instruction.action is Action.QUIT:
            break
        wall.carry_out(instruction)
    service.stop("the instructions have ended")


def _wait_until(at: float) -> None:
    while (left := at - time.monotonic()) > 0:
        time.sleep(left)
