"""Runs the service on a simulated wall, and carries out the instructions meanwhile.

Rules:

1. One thread moves the contacts: it carries out one instruction after the other (HAZARDS.md H12).
2. A contact connects to ground and overrides the pull resistor, as on a real wall: a button that is held down before
   the node starts is low when the node first reads it.
3. ``edges off`` removes the callbacks, never the levels: only the sampler still sees changes.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TextIO

from node import config
from node.errors import SimulationError
from node.io.systemd import Notifier
from node.service.loop import Service
from node.simulate.instructions import Action, carry_out, parse
from node.simulate.json_lines import ChangeReport, JsonLines
from node.simulate.wall import Wall
from node.threads import new_thread

log = logging.getLogger(__name__)


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

    ``held``: the inputs that are active before the start. ``notifier`` reports to the service manager. ``on_service``
    is called with the service before it runs. Raises SimulationError for a name in ``held`` that is no input, and what
    ``Service.run`` raises.
    """
    report = ChangeReport(JsonLines(output), settings)
    wall = Wall(
        settings.settings.inputs,
        settings.line_pins,
        on_level=report.level,
        on_contact=report.contact,
        on_cable=report.cable,
    )
    for name in held:
        if name not in wall.kinds:
            raise SimulationError(f"no input is named {name!r}", f"choose among {', '.join(wall.kinds)}")
        wall.press(name)
    directory = config.state_directory(settings, environ)
    service = Service(settings, lambda: wall.factory, directory, environ=environ, watcher=report, notifier=notifier)
    on_service(service)
    driver = new_thread("wall", _drive, wall, instructions, service)
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
