"""The service on gpiozero's mock pins: text in, JSON lines out.

Rules:

1. One thread moves the contacts: it carries out instructions one after the other (HAZARDS.md H12).
2. A contact connects to ground and overrides the pull resistor, as on a real wall: a button that is held down before
   the node starts is low when the node first reads it.
3. ``edges off`` removes the callbacks, never the levels: only the sampler still sees changes.
4. Each moved contact is reported, too: ``{"at":…,"input":"button","pressed":true}``, with the stamp of its edge. The
   node uses the same stamp, however late a busy machine reports it. Chatter gives many such lines.
"""

import json
import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TextIO

from node import config
from node.core.model import Step
from node.errors import SimulationError
from node.io.systemd import Notifier
from node.service.loop import Service
from node.simulate.instructions import Action, carry_out, parse
from node.simulate.wall import Wall, Wire

log = logging.getLogger(__name__)

_MOVES = {"button": "pressed", "door": "open", "tamper": "open", "reset": "turned"}
"""The word that reports a moved contact, by kind of input."""


class Lines:
    """JSON lines on a stream, one for each change, from any thread. Stops writing when the reader has gone."""

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
        """Let buffered text go nowhere: flushing it at exit would fail again, and print an error."""
        with suppress(OSError, ValueError):
            target = self._stream.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, target)
            os.close(nowhere)


class Onlooker:
    """Reports what happens at a simulated wall: contacts, wires, the ladder, lamp and buzzer."""

    def __init__(self, lines: Lines, settings: config.Config) -> None:
        self._lines = lines
        self._buzzer_pin = settings.buzzer_pin
        self._moves = {each.name: _MOVES[each.role.kind] for each in settings.settings.inputs}

    def ladder(self, at: float, name: str, step: Step) -> None:
        """The call for help of this input reached a step."""
        self._lines.change(at, ladder=step.value, input=name)

    def lamp(self, at: float, pattern: object) -> None:
        """The lamp was set to a pattern; its pin alone would only show single flashes."""
        self._lines.change(at, output="lamp", pattern=str(pattern))

    def contact(self, at: float, name: str, actuated: bool) -> None:
        """A contact was moved."""
        self._lines.change(at, input=name, **{self._moves[name]: actuated})

    def wire(self, at: float, name: str, wire: Wire) -> None:
        """A cable was cut, shorted or mended."""
        self._lines.change(at, input=name, wire=wire.value)

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
    """Run the node on simulated pins until the instructions end; returns the exit code.

    ``held`` names the inputs that are active before the start, ``notifier`` reports to the service manager.
    ``on_service`` is called with the service before it runs. Raises what ``Service.run`` raises, and SimulationError
    for a name in ``held`` that is no input.
    """
    onlooker = Onlooker(Lines(output), settings)
    wall = Wall(
        settings.settings.inputs,
        settings.line_pins,
        on_level=onlooker.level,
        on_contact=onlooker.contact,
        on_wire=onlooker.wire,
    )
    for name in held:
        if name not in wall.kinds:
            raise SimulationError(f"no input is named {name!r}", f"choose among {', '.join(wall.kinds)}")
        wall.press(name)
    directory = config.state_directory(settings, environ)
    service = Service(settings, wall.factory, directory, environ=environ, watcher=onlooker, notifier=notifier)
    on_service(service)
    driver = threading.Thread(target=_drive, args=(wall, instructions, service), name="wall", daemon=True)
    driver.start()
    service.run()
    return 0


def _drive(wall: Wall, instructions: Iterable[str], service: Service) -> None:
    """Carry out the instructions one after the other; a bad one is logged and skipped."""
    for line in instructions:
        try:
            instruction = parse(line, wall.kinds)
        except ValueError as error:
            log.error("%s", error)  # noqa: TRY400 - a typing mistake needs no traceback
            continue
        if instruction is None:
            continue
        if instruction.action is Action.QUIT:
            break
        carry_out(instruction, wall)
    service.stop("the instructions have ended")
