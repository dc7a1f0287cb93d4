"""One command as it was typed: what each command needs of it, worked out when it is asked for.

Imports stand in the methods: the short commands shouldn't wait for what only others need.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TextIO

from node.errors import AlarmNodeError
from node.io.terminal.command_end import in_english
from node.monitor.cli.api_client.monitor_client import ANSWER_S, MonitorClient
from node.sanitize import plain

if TYPE_CHECKING:
    from node.monitor.cli.export.csv_cells import Sheet
    from node.monitor.core.model.monitor_settings import Settings
    from node.monitor.locale.translation import Words


class CommandLine:
    """``parsed`` is what was typed; ``can_be_translated`` is False where the answer is English in any language."""

    def __init__(self, parsed: argparse.Namespace, *, can_be_translated: bool = True) -> None:
        self.parsed = parsed
        self._can_be_translated = can_be_translated

    @cached_property
    def language(self) -> Literal["de", "en"]:
        """The language in which it is answered."""
        from node.monitor.cli.api_client import which_monitor

        return which_monitor.language_of(self.parsed, os.environ, which_monitor.known(self.parsed.config, os.environ))

    @cached_property
    def words(self) -> "Words":
        """The words of that language."""
        from node.monitor.cli.output.replies import words_of

        return words_of(self.language)

    @cached_property
    def translation(self) -> "Words | None":
        """The words of that language; None where English is all there is, for which no catalogue is read."""
        if not self._can_be_translated or self.language == "en":
            return None
        with suppress(ModuleNotFoundError):
            return self.words
        return None

    @property
    def settings(self) -> "Settings":
        """monitor.toml of this machine. Raises ConfigError."""
        from node.monitor.config import monitor_file

        return monitor_file.load(self.parsed.config, os.environ)

    @property
    def sheet(self) -> "Sheet":
        """For whom a CSV is written."""
        from node.monitor.cli.export.csv_cells import PLAIN, for_excel

        return for_excel(self.language) if self.parsed.excel else PLAIN

    def client(self, answer_s: float = ANSWER_S) -> MonitorClient:
        """The monitor that is asked. Raises ApiError and ConfigError."""
        from node.monitor.cli.api_client import which_monitor

        return which_monitor.reach(self.parsed, os.environ, answer_s)

    def node(self, client: MonitorClient) -> tuple[str, str]:
        """Site and name of the node that was named. Raises ApiError where it isn't one."""
        from node.monitor.cli.api_client import name_lookup

        return name_lookup.node(client, self.parsed.node)

    def ends_at(self, made: Mapping[str, Any]) -> datetime:
        """When what was asked for ends by itself; a monitor that is older than this command doesn't say it."""
        said = made.get("until")
        return datetime.fromisoformat(said) if said else datetime.now(UTC) + timedelta(seconds=self.parsed.for_s)

    def print_done(self, action: str, made: Mapping[str, Any], file: TextIO | None = None, **values: object) -> None:
        """Print what was done."""
        from node.monitor.cli.output.replies import done

        print(*map(plain, done(action, made, self.words, **values).split("\n")), sep="\n", file=file)

    def say(self, text: str) -> str:
        """An English text of this program, in that language."""
        return text if self.translation is None else self.translation.retold(text)

    def lines_of(self, error: AlarmNodeError) -> Sequence[str]:
        """The lines that explain an error, in that language."""
        if self.translation is None:
            return in_english(error)
        from node.monitor.cli.output.replies import refused

        return (*map(self.translation.retold, error.problems), refused(error, self.translation))
