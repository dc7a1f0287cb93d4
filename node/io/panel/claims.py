"""Which pins a panel has: it claims each by itself, and tries again what it couldn't claim.

Rules:

1. Outputs are claimed first, and off. Then all inputs, which the factory on gpiod requests together.
2. A pin that can't be claimed (taken, unknown, no right) costs itself alone: an input stays unread, which is F001 after
   a while; an output is F003. The log says the reason once. Every ``CLAIM_EVERY_S`` it is tried again, so a pin that
   another program lets go of works without a restart.
3. Without a chip the same holds for all pins: each try looks for the chip, too. A service has a /dev of its own, made
   at its start. So if the kernel has got a chip that isn't there, the process has to be started anew to see it. A note
   in the service's runtime directory, which outlives a restart, says for which chips that was tried already.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from node.config import files
from node.errors import PanelError
from node.io.panel.devices import Line, Output, said
from node.io.panel.gpio import Factory
from node.io.panel.pin_factory import unseen_chips

CLAIM_EVERY_S = 5.0
NOTE = "unseen-chips"

log = logging.getLogger(__name__)


class Claims:
    """The pins of these outputs and lines. One thread at a time may call its methods.

    ``open_factory`` raises PanelError if this machine's pins can't be used now. ``playing`` is the lock of the outputs.
    ``restart`` asks for a new process, with the reason. ``directory`` outlives that; None where nobody starts one.
    """

    def __init__(
        self,
        open_factory: Callable[[], Factory],
        outputs: Sequence[Output],
        lines: Sequence[Line],
        *,
        playing: threading.Condition,
        restart: Callable[[str], None],
        directory: Path | None,
    ) -> None:
        self.factory: Factory | None = None
        self.unusable: PanelError | None = None
        """Why no pin at all can be used; None once the factory is open."""
        self.problems: dict[int, str] = {}
        """Why a pin can't be claimed, by its number."""
        self._open_factory = open_factory
        self._outputs = outputs
        self._lines = lines
        self._playing = playing
        self._restart = restart
        self._note = None if directory is None else directory / NOTE
        self._closed = False

    @property
    def are_complete(self) -> bool:
        """Whether every pin is claimed."""
        return all(each.is_claimed for each in self._outputs) and all(each.is_claimed for each in self._lines)

    def claim(self) -> None:
        """Claim what isn't claimed yet. It doesn't raise."""
        factory = self.factory or self._open()
        if factory is None:
            return
        for output in self._outputs:
            with self._playing:
                if not self._closed and not output.is_claimed:
                    self._try(output, partial(output.claim, factory))
                    self._playing.notify()  # the player goes on with its wave
        made = [line for line in self._lines if not line.is_claimed and self._try(line, partial(line.claim, factory))]
        for line in made:  # once all are made: gpiod requests all of them together
            self._try(line, line.listen)

    def release_outputs(self) -> None:
        """Switch the outputs off and release them, for good. The caller holds ``playing``."""
        self._closed = True
        for output in self._outputs:
            self._release(output)

    def close(self) -> None:
        """Release all lines and the factory. It doesn't raise: whatever a library does, the record is closed next."""
        for line in self._lines:
            self._release(line)
        factory, self.factory = self.factory, None
        if factory is not None:
            try:
                factory.close()
            except Exception as problem:  # noqa: BLE001 - as in _release; lgpio raises when its chip has gone
                log.warning("the pin factory can't be closed (%s)", said(problem))

    def _open(self) -> Factory | None:
        try:
            self.factory = self._open_factory()
            self.unusable = None
            self._forget_tried()
        except Exception as problem:  # noqa: BLE001 - whatever a library does, the node runs, and tells that it is deaf
            error = problem if isinstance(problem, PanelError) else PanelError(said(problem), "restart the machine")
            if self.unusable is None or error.text != self.unusable.text:
                log.warning("%s It is tried again every %g s.", error, CLAIM_EVERY_S)
            self.unusable = error
            for output in self._outputs:
                output.failed(error.text)
            self._try_to_see()
        return self.factory

    def _try_to_see(self) -> None:
        """Ask for a new process if the kernel has a chip that this one can't see, once for the same chips."""
        unseen = unseen_chips()
        if self._note is None or not unseen:
            return
        try:
            if unseen <= self._tried(self._note):
                return
            files.replace(self._note, " ".join(sorted(unseen)).encode("ascii"), 0o600, synced=False)
        except (OSError, files.FileError, UnicodeError) as problem:
            log.warning("the node isn't started anew for %s (%s)", ", ".join(sorted(unseen)), problem)
            return
        self._restart("a GPIO chip has come")

    def _tried(self, note: Path) -> set[str]:
        try:
            return set(files.content(note.absolute()).decode("ascii").split())
        except files.FileError as problem:
            if isinstance(problem.__cause__, FileNotFoundError):
                return set()
            raise

    def _forget_tried(self) -> None:
        if self._note is not None:
            with suppress(OSError):
                self._note.unlink(missing_ok=True)

    def _try(self, pin: Line | Output, claim: Callable[[], None]) -> bool:
        try:
            claim()
        except Exception as problem:  # noqa: BLE001 - whatever is wrong with this pin, the others are claimed
            why = said(problem)
            self._release(pin)
            if isinstance(pin, Output):
                pin.failed(why)
            if self.problems.get(pin.number) != why:
                log.warning("%s: pin %d can't be used (%s); it is tried again", pin.name, pin.number, why)
            self.problems[pin.number] = why
            return False
        if pin.is_claimed and self.problems.pop(pin.number, "") != "":
            log.info("%s: pin %d can be used again", pin.name, pin.number)
        return True

    def _release(self, pin: Line | Output) -> None:
        try:
            pin.close()
        except Exception as problem:  # noqa: BLE001 - one pin that can't be released must not leave the others on
            log.warning("%s can't be released (%s)", pin.name, said(problem))
