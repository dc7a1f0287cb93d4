"""What a terminal shows: the status as tables, what needs somebody first, alarms and findings with their next steps.

Nothing is shown as alive that isn't known to be: not while a broker is away, not while the monitor stands still, and a
display that goes on says from when it is.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from node.core.settings import AlarmClass
from node.monitor.cli.api_client.monitor_client import ApiError
from node.monitor.cli.output.replies import refused, words_of
from node.monitor.cli.output.steps import Steps
from node.monitor.cli.output.stopped_nodes import stopped
from node.monitor.cli.output.table import Listed
from node.monitor.cli.state_words import STATES
from node.monitor.core.model.monitor_settings import Language
from node.monitor.locale.translation import Words, mark
from node.monitor.notify.texts.vocabulary import CLASSES, calls_of, counted, detail_of
from node.sanitize import plain

if TYPE_CHECKING:
    from node.monitor.history.tokens import Token

WATCH_S = 2.0
STALE_S = 10.0
"""From which age on what the monitor tells isn't how it is now; it looks every second."""

WHERE_WIDTH = 24
"""In columns, so that on a terminal of 80 there is room for what is wrong."""

WHAT_WIDTH = 30
"""What that needs; where there is less, all stands in lines."""

_FINDING_COLUMNS = (mark("Code"), mark("Where"), mark("Since"), mark("What"))
_NODE_COLUMNS = (mark("Node"), mark("Where"), mark("Status"), mark("Heard"), mark("Alarms"), mark("Findings"))
_TOKEN_COLUMNS = (mark("Name"), mark("Role"), mark("Created"), mark("Last used"), mark("Revoked"))

_STYLES = {"critical": "bold red", "warning": "yellow", "notice": "cyan"}
_STATUS_STYLES = {"up": "green", "late": "yellow", "down": "bold red", "paused": "cyan", "new": "yellow"}
_RANKS = {"down": 0, "late": 1, "new": 2, "paused": 3, "up": 4}


def show_status(told: Callable[[], Mapping[str, Any]], language: Language, *, watch: bool) -> None:
    """Print the status once, or again and again, then also while the monitor is away. Raises ApiError at the first."""
    console = Console()
    if not watch:
        console.print(status(told(), language), crop=False)
        return
    first = fitted(told(), language, console)
    with (
        suppress(KeyboardInterrupt),
        Live(first, console=console, screen=console.is_terminal, auto_refresh=False) as live,
    ):
        while True:
            time.sleep(WATCH_S)
            try:
                shown = fitted(told(), language, console)
            except ApiError as problem:
                shown = _dated(_unknown(problem, language), language)
            live.update(shown, refresh=True)


def fitted(told: Mapping[str, Any], language: Language, console: Console) -> RenderableType:
    """As much of the status as fits on this console, what needs somebody most, and how much else there is."""
    if not console.is_terminal:
        return _dated(status(told, language), language)

    def too_long(most: int) -> bool:
        shown = _dated(status(told, language, most, watch=True), language)
        return len(console.render_lines(shown, console.options)) > console.height

    lines = range(min(console.height, _count(told)) + 1)  # a row takes one at least
    most = max(0, bisect_left(lines, True, key=too_long) - 1)
    return _dated(status(told, language, most, watch=True), language)


def _dated(shown: RenderableType, language: Language) -> RenderableType:
    """With the time at which it was so: a display that stands still must be seen to."""
    words = words_of(language)
    return Group(Text(words.say("As of {time}", time=words.time(datetime.now(UTC))), style="dim"), shown)


def _unknown(problem: ApiError, language: Language) -> RenderableType:
    """Where the monitor can't be asked: what was shown before is no longer so."""
    words = words_of(language)
    text = words.say("The monitor doesn't answer: the state of nodes and alarms isn't known.")
    return Group(Text(text, style="bold red"), Text(plain(refused(problem, words))))


def _count(told: Mapping[str, Any]) -> int:
    stopped_lines = sum(1 for _ in stopped(told["nodes"]))
    return len(told["incidents"]) + stopped_lines + len(told["findings"]) + len(told["nodes"])


def status(
    told: Mapping[str, Any], language: Language, most: int | None = None, *, watch: bool = False
) -> RenderableType:
    """The alarms first, then the findings with their next steps, then the nodes; of all these ``most`` at most.

    ``watch``: commands are broken where the terminal is narrower, since nobody can scroll.
    """
    words = words_of(language)
    say = words.say
    parts: list[RenderableType] = []
    fleet = told["fleet"]
    stale = fleet["age_s"] > STALE_S
    if stale:
        text = say(
            "The monitor doesn't respond: this is the state of {seconds} s ago.", seconds=f"{fleet['age_s']:.0f}"
        )
        parts.append(Text(text, style="bold red"))
    if is_connecting(fleet, told["findings"]):
        text = say("Connecting to the brokers: the present state of the nodes isn't known yet.")
        parts.append(Text(text, style="yellow"))
    elif fleet["blind"]:
        parts.append(
            Text(say("No broker can be reached: the present state of the nodes isn't known."), style="bold red")
        )
    total = _count(told)
    most = total if most is None else most
    alarms = sorted(told["incidents"], key=_urgent_first)[:most]
    left = most - len(alarms)
    stopped_lines = list(stopped(told["nodes"]))[:left]
    left -= len(stopped_lines)
    findings = told["findings"][:left]
    nodes = _needy_first(told["nodes"], told["findings"])[: left - len(findings)]
    parts += [_alarm(each, words, whole=not watch) for each in alarms]
    parts += [Text(plain(words.retold(each)), style="bold red") for each in stopped_lines]
    if findings:
        parts += [_findings(findings, words), _steps(findings, words, whole=not watch)]
    if nodes or not told["nodes"]:
        known = not (stale or fleet["blind"])
        parts.append(_nodes(nodes, told["findings"], words, known=known, version=fleet["version"]))
    heard = [each["status"] == "up" and each["reason"] != "broker-away" for each in told["nodes"]]
    if heard and all(heard) and not (told["incidents"] or told["findings"] or fleet["blind"] or stale):
        parts.append(Text(say("All is well."), style="green"))
    if total > most:
        parts.append(Text(_rest(total - most, len(told["incidents"]) - len(alarms), words), style="bold"))
    return Group(*parts)


def is_connecting(fleet: Mapping[str, Any], findings: Iterable[Mapping[str, Any]]) -> bool:
    """Whether no broker is connected yet, and none has failed so far: so it is for a moment after each start."""
    failed = any(each["problem"] for each in fleet["brokers"]) or any(each["code"] == "M008" for each in findings)
    return bool(fleet["blind"] and fleet["brokers"]) and not failed


def _rest(count: int, alarms: int, words: Words) -> str:
    """What has no room: an alarm among it is never just one of so many."""
    left = words.number(count)
    if alarms:
        return words.say(
            "and {count} more, {alarms} of them alarms: alarm-monitor status", count=left, alarms=words.number(alarms)
        )
    return words.say("and {count} more: alarm-monitor status", count=left)


def _urgent_first(incident: Mapping[str, Any]) -> tuple[bool, bool, int, str]:
    """What nobody has answered yet, the worst and then the oldest of it."""
    rank = AlarmClass(incident["alarm_class"]).rank
    return incident["test"], incident["phase"] == "acknowledged", -rank, incident["raised"]


def _alarm(incident: Mapping[str, Any], words: Words, *, whole: bool) -> Group:
    """What it is, and what to do. The command is a line of its own; ``whole``: also where the terminal is narrower."""
    place = incident["place"] or f"{incident['site']}/{incident['node']}"
    told = [
        words.say("TEST") if incident["test"] else words.say("ALARM"),
        place,
        incident["input"],
        words.translate(CLASSES[AlarmClass(incident["alarm_class"])]),
        *([] if incident["test"] else [words.translate(STATES[incident["phase"]])]),
        since(incident["raised"]),
    ]
    if incident["presses"] > 1:
        told.append(words.say("Pressed {count} times", count=words.number(incident["presses"])))
    if incident["phase"] == "acknowledged":
        told += [incident["acknowledged_by"]] if incident["acknowledged_by"] else []
        style, next_step = "black on green", mark("To end it: alarm-monitor reset {incident} --reason …")
    else:
        style, next_step = (
            "bold white on red",
            mark("If you go there, acknowledge: alarm-monitor acknowledge {incident}"),
        )
    why, program, command = words.say(next_step, incident=incident["id"]).partition("alarm-monitor ")
    return Group(
        Text(plain("  ".join(told)), style=style),
        Text(why.rstrip(), style=style),
        Text(f"  {program}{command}", style=style, no_wrap=whole, overflow="ignore" if whole else "fold"),
    )


def _findings(findings: Iterable[Mapping[str, Any]], words: Words) -> Listed:
    """What each kind means is said once: many nodes with one fault are many lines, not many pages."""
    table = Listed([*map(words.translate, _FINDING_COLUMNS)], words.say("Needs attention"), expand=True)
    table.widest, table.least = {1: WHERE_WIDTH}, WHAT_WIDTH
    by_code: dict[str, list[Mapping[str, Any]]] = {}
    for each in findings:
        by_code.setdefault(each["code"], []).append(each)
    for code, alike in by_code.items():
        for number, each in enumerate(alike):
            cells = code, _where(each, words), since(each["since"])
            table.rows.append((*map(_cell, cells), _what(each, words, is_first=number == 0)))
        table.ends.add(len(table.rows) - 1)
    return table


def _steps(findings: Iterable[Mapping[str, Any]], words: Words, *, whole: bool) -> Steps:
    """What to do, once for all findings of a kind that have the same step. A cell is too narrow for a command."""
    steps: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for each in findings:
        steps.setdefault((each["code"], each["next"]), []).append(each)
    several = Counter(code for code, _ in steps)
    told = (
        f"{code} {_where(alike[0], words)}: {words.retold(step)}"
        if several[code] > 1
        else f"{code} {words.retold(step)}"
        for (code, step), alike in steps.items()
        if step
    )
    return Steps(words.say("What to do"), tuple(map(plain, told)), whole)


def _where(finding: Mapping[str, Any], words: Words) -> str:
    calls = calls_of(finding["code"], finding["subject"], words)
    place = finding["place"] or "/".join(filter(None, (finding["site"], finding["node"]))) or words.say("the monitor")
    return calls or " ".join(filter(None, (place, "" if _is_long(finding) else finding["subject"])))


def _is_long(finding: Mapping[str, Any]) -> bool:
    """Whether the subject is a detail: in the narrow column it would take many lines."""
    return len(finding["subject"]) > 2 * WHERE_WIDTH


def _what(finding: Mapping[str, Any], words: Words, *, is_first: bool) -> Text:
    text = words.translate(finding["text"]) if is_first else words.say("as above")
    count = counted(finding["code"], finding["count"], words)
    what = Text(plain(f"{text} ({count})" if count else text), style=_STYLES[finding["severity"]])
    details = (finding["subject"] if _is_long(finding) else "", detail_of(finding["detail"], words))
    detail = ", ".join(filter(None, details))
    if detail:
        what.append("\n" + words.say("Details: {about}", about=detail), style="not bold default")
    return what


def _found(findings: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, str]]:
    """How many findings there are about each node."""
    return Counter((each["site"], each["node"]) for each in findings)


def _needy_first(nodes: Iterable[Mapping[str, Any]], findings: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    found = _found(findings)

    def needs(node: Mapping[str, Any]) -> tuple[int, int, int, str, str]:
        count = found[node["site"], node["node"]]
        return (-node["incidents"], _RANKS[node["status"]], -count, node["site"], node["node"])

    return sorted(nodes, key=needs)


def _nodes(
    nodes: Iterable[Mapping[str, Any]],
    findings: Iterable[Mapping[str, Any]],
    words: Words,
    *,
    known: bool,
    version: str,
) -> Listed:
    """``version``: that of the monitor. A node of another version shows its own."""
    found = _found(findings)
    table = Listed([*map(words.translate, _NODE_COLUMNS)], words.say("Nodes"), expand=True)
    for node in nodes:
        is_known = node["reason"] != "broker-away" and (known or node["status"] not in ("up", "late"))
        shown = _status_of(node, words) if is_known else words.say("not known now")
        other = node.get("version")  # a monitor that was started before this command was installed tells none
        if other not in {None, version}:
            shown = words.say("{status}, version {version}", status=shown, version=other)
        row = (
            _cell(f"{node['site']}/{node['node']}"),
            _cell(node["place"]),
            Text(plain(shown), style=_STATUS_STYLES[node["status"]] if is_known else "bold yellow"),
            Text("-" if node["heard_s"] is None else f"{node['heard_s']:.0f} s"),
            Text(str(node["incidents"] or "")),
            Text(str(found[node["site"], node["node"]] or "")),
        )
        table.rows.append(row)
    return table


def _status_of(node: Mapping[str, Any], words: Words) -> str:
    text = words.translate(STATES[node["status"]])
    if node["status"] == "down" and node["reason"] == "goodbye":
        text = words.say("stopped")
    if node["status"] == "paused":
        if node["paused_until"] is not None:
            text = words.say("paused until {time}", time=words.time(datetime.fromisoformat(node["paused_until"])))
        return f"{text}: {node['pause_reason']} ({node['paused_by']})"
    if node["walk_test_s"]:
        return words.say("{status}, walk test", status=text)
    return text


def show_tokens(tokens: "Iterable[Token]", words: Words) -> None:
    """Print who may ask; never a secret, which nobody has."""
    table = Listed([*map(words.translate, _TOKEN_COLUMNS)])
    for token in tokens:
        dates = (token.created_utc, token.used_utc, token.revoked_utc)
        shown = ("-" if each is None else f"{each:%Y-%m-%d}" for each in dates)
        table.rows.append((_cell(token.name), Text(token.role.value), *map(Text, shown)))
    Console().print(table)


def since(at: str) -> str:
    """How long ago, as people say it."""
    seconds = max(0.0, (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def print_line(text: str) -> None:
    """A line as it is; on a terminal that is narrower, several, broken between words."""
    console = Console()
    console.print(_cell(text), soft_wrap=not console.is_terminal)


def _cell(text: str) -> Text:
    """Words as they are: rich reads those of a mere string as markup, [links] too, and as names of emoji."""
    return Text(plain(text))
