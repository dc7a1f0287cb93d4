"""The picture as lines of text: the wall and its ladder, what to do next, the messages, the keys. No terminal here.

Everything can be read without colour and in plain ASCII; what doesn't fit is cut, and the keys are always there.
"""

import textwrap
from enum import StrEnum

from node.core.model import Step
from node.core.signals import LAMP_WAVES, LampPattern
from node.demo.rooms import GRACE_S
from node.demo.screen.state import Passed, Picture, Wall

LEFT_WIDTH = 40
_BUZZER_PAUSE_S = 1.0
_BAD = ("late", "down")
_NOTE_S = 4.0
_FAULT_ROWS = 4
_FINDING_ROWS = 3


class Style(StrEnum):
    """How a piece of text stands out: the parameters of ANSI's SGR sequence."""

    PLAIN = "0"
    BOLD = "1"
    DIM = "2"
    LIT = "1;30;43"
    LOUD = "1;7"


Line = list[tuple[str, Style]]
"""Pieces of one line, from left to right."""

_KEYS = (
    ("p", "press"),
    ("r", "release"),
    ("a", "acknowledge"),
    ("x", "reset"),
    ("w", "walk test"),
    ("k", "kill -9/start the node"),
    ("b", "cut off/start the broker"),
    ("m", "monitor on/off"),
    ("q", "quit"),
)

_SAYS = {
    LampPattern.READY: "a short flash every 5 s: ready",
    LampPattern.READY_MISSING: "every third flash is missing: somebody is coming",
    LampPattern.WALK_TEST: "a short flash every second: walk test, a first press is a test",
    LampPattern.WALK_TEST_MISSING: "every third flash is missing: somebody is coming",
    LampPattern.CALLING: "fast: calling, nobody was told yet",
    LampPattern.RECEIVED: "double flash: received, people were told",
    LampPattern.ACKNOWLEDGED: "steady: somebody is coming",
}

_STEPS = {
    Step.PRESSED: "pressed",
    Step.STORED: "stored on the disk",
    Step.ACCEPTED: "accepted by the broker",
    Step.HELD: "held by the monitor",
    Step.TOLD: "told: received by people",
    Step.ACKNOWLEDGED: "acknowledged: they are coming",
}


def lamp_level(pattern: LampPattern | None, since: float, now: float) -> tuple[bool, float]:
    """Whether the lamp is lit, and for how many seconds more it stays as it is; ``since``: when the pattern began."""
    if pattern is None:
        return False, 1.0
    wave = LAMP_WAVES[pattern]
    left = (now - since) % sum(seconds for _, seconds in wave)
    for level, seconds in wave:
        if left < seconds:
            return level, seconds - left
        left -= seconds
    return wave[0]


def keys(picture: Picture) -> list[tuple[str, str]]:
    """The keys that do something, and what."""
    return [(f"1-{len(picture.walls)}", "choose a node"), *_KEYS]


def draw(picture: Picture, now: float, width: int, height: int) -> list[Line]:
    """At most ``height`` lines, none longer than ``width``."""
    told = _keys(picture, width)
    head = [*_title(picture, now), [], *_wall(picture, now), [], *_advice(picture, now, width)]
    head.append([(f"-- messages at the broker {'-' * width}", Style.DIM)])
    room = max(0, height - len(told))
    head = head[:room]
    passed = [each for each in picture.passed if each.node in ("", picture.chosen)]
    messages = [_message(picture, each) for each in passed][-(room - len(head)) :] if room > len(head) else []
    blank: list[Line] = [[] for _ in range(room - len(head) - len(messages))]
    return [_cut(line, width) for line in [*head, *messages, *blank, *told[:height]]]


def text(line: Line) -> str:
    """A line without its styles."""
    return "".join(piece for piece, _ in line)


def _title(picture: Picture, now: float) -> list[Line]:
    room = picture.wall.room
    broker = f"on, 127.0.0.1:{picture.port}" if picture.broker_on else "STOPPED"
    monitor = "on" if picture.monitor_on else "OFF"
    state = f" broker: {broker}   monitor: {monitor}   node: {_node(picture.wall, now)}"
    return [
        _fleet(picture),
        [(f" alarm-node demo   {room.id}, {room.location}", Style.BOLD), (f"   {_kind(picture.wall)}", Style.PLAIN)],
        [(state, Style.PLAIN)],
    ]


def _kind(wall: Wall) -> str:
    return f"{wall.room.alarm_class}, {wall.room.tells_words}"


def _fleet(picture: Picture) -> Line:
    """What the monitor says of each node; a dash while it says nothing."""
    line: Line = []
    for number, (name, wall) in enumerate(picture.walls.items(), start=1):
        status = picture.fleet.statuses.get(name, "-") if picture.fleet else "-"
        told = status.upper() if status in _BAD else status
        called = " CALLS" if wall.in_alarm else ""
        chosen = name == picture.chosen
        style = Style.LOUD if wall.in_alarm or told != status else Style.BOLD if chosen else Style.PLAIN
        line += [(">" if chosen else " ", Style.BOLD), (f"{number} {name} {told}{called}", style), ("   ", Style.PLAIN)]
    return line


def _node(wall: Wall, now: float) -> str:
    if not wall.node_on:
        return "ENDED"
    if wall.heartbeat_at is None:
        return "starting"
    age = now - wall.heartbeat_at
    late = " LATE" if age > wall.period_s + GRACE_S else ""
    return f"heartbeat {age:.0f} s ago{late}"


def _wall(picture: Picture, now: float) -> list[Line]:
    wall = picture.wall
    lit, _ = lamp_level(wall.lamp, wall.lamp_at, now)
    bulb = ("#######", Style.LIT) if lit else ("       ", Style.PLAIN)
    name = "dark" if wall.lamp is None else wall.lamp.value
    if wall.lamp is LampPattern.NOBODY and not wall.in_alarm:
        name = "fault"
    recent = wall.buzzer_at is not None and now - wall.buzzer_at < _BUZZER_PAUSE_S
    quiet = "(((      )))" if recent else "silent"
    buzzer = ("((( BZZZ )))", Style.LOUD) if wall.buzzer else (quiet, Style.PLAIN)
    button = ("[## PRESSED ##]", Style.LOUD) if wall.pressed else ("[  released  ]", Style.PLAIN)
    left: list[Line] = [
        [("   .-------.", Style.PLAIN)],
        [("   |", Style.PLAIN), bulb, ("|   LAMP    ", Style.PLAIN), (name, Style.BOLD)],
        [("   |", Style.PLAIN), bulb, ("|", Style.PLAIN)],
        [("   '-------'   BUZZER  ", Style.PLAIN), buzzer],
        [],
        [("               BUTTON  ", Style.PLAIN), button],
        [],
    ]
    right = _ladder(picture)
    return [_beside(one, other) for one, other in zip(left, right, strict=True)]


def _ladder(picture: Picture) -> list[Line]:
    wall, ladder = picture.wall, picture.wall.ladder
    begun = ladder.get(Step.PRESSED)
    if wall.incidents:
        incident = wall.incidents[0]
        title = f"CALL FOR HELP {incident.incident} ({incident.alarm_class})"
    else:
        title = "CALL FOR HELP" if ladder else "no call for help"
    lines: list[Line] = [[(title, Style.BOLD)]]
    for step, label in _STEPS.items():
        reached = ladder.get(step)
        if reached is None and step is Step.ACKNOWLEDGED and Step.NOBODY in ladder:
            lines.append([("[!] NOBODY HAS IT", Style.LOUD)])
        elif reached is None:
            lines.append([(f"[ ] {label}", Style.DIM)])
        else:
            after = "" if begun is None else _duration(reached - begun)
            lines.append([(f"[x] {label:<29}{after:>7}", Style.PLAIN)])
    return lines


def _duration(seconds: float) -> str:
    if seconds < 1.0:
        return f"{max(0.0, seconds) * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"


def _advice(picture: Picture, now: float, width: int) -> list[Line]:
    wall = picture.wall
    lines: list[Line] = [[(" The lamp says  ", Style.PLAIN), (_says(wall), Style.BOLD)]]
    if wall.node_on:
        for fault in wall.faults[:1]:
            lines += _wrapped("Fault", f"{fault.code} {fault.text}. Next: {fault.next}.", width, _FAULT_ROWS)
    else:
        lines += _wrapped("Its last words", wall.last_words, width, _FAULT_ROWS)
    lines += _finding(picture, width)
    note = picture.note if now - picture.note_at < _NOTE_S else ""
    lines.append([(" Next           ", Style.PLAIN), (note or _next(picture), Style.PLAIN)])
    return lines


def _finding(picture: Picture, width: int) -> list[Line]:
    """The worst that the monitor finds, but for what the chosen node says itself above."""
    said = {fault.code for fault in picture.wall.faults}
    findings = picture.fleet.findings if picture.fleet else ()
    others = [each for each in findings if each.node != picture.chosen or each.code not in said]
    if not others:
        return []
    worst = others[0]
    more = f" (1 of {len(others)})" if len(others) > 1 else ""
    words = f"{worst.code}{more} {worst.node or 'building'}: {worst.text}. Next: {worst.next_step}."
    return _wrapped("Monitor finds", words, width, _FINDING_ROWS)


def _wrapped(name: str, words: str, width: int, rows: int) -> list[Line]:
    wrapped = textwrap.wrap(words, max(20, width - 17), break_on_hyphens=False)[:rows]
    return [[(f" {name if number == 0 else '':<15}{row}", Style.PLAIN)] for number, row in enumerate(wrapped)]


def _says(wall: Wall) -> str:
    if wall.lamp is None:
        return "dark: there is no node, this button calls nobody"
    if wall.lamp is LampPattern.NOBODY:
        return "slow: NOBODY HAS IT, get help another way" if wall.in_alarm else "slow: a fault, don't rely on me"
    return _SAYS[wall.lamp]


def _next(picture: Picture) -> str:
    match picture.wall:
        case Wall(node_on=False):
            return "k starts the node again"
        case Wall(ladder={Step.PRESSED: _}) if not picture.broker_on:
            return "it is stored: b starts the broker, and it arrives"
        case Wall() if not picture.broker_on:
            return "p: press all the same; b: start the broker again"
        case Wall(ladder={Step.ACKNOWLEDGED: _}, pressed=True):
            return "r: let go of the button"
        case Wall(ladder={Step.ACKNOWLEDGED: _}):
            return "x: a person at the guard's desk ends the incident"
        case Wall(ladder={Step.NOBODY: _}) if not picture.monitor_on:
            return "m: the monitor comes back"
        case Wall(ladder={Step.PRESSED: _}) if not picture.monitor_on:
            return "wait: if nobody is told within 5 s, nobody has it"
        case Wall(ladder={Step.TOLD: _}):
            return "a: a person at the guard's desk says that somebody is coming"
        case Wall(lamp=LampPattern.WALK_TEST):
            return "p, r at once: a test; held for 2 s, once more, or pressed in the last 5 min: an alarm"
        case Wall(ever_pressed=False):
            return "p: somebody presses the panic button"
    return "b, k or m takes something away, w begins a walk test; then p"


def _message(picture: Picture, passed: Passed) -> Line:
    times = f" (no. {passed.heartbeats})" if passed.heartbeats > 1 else ""
    head = f" {passed.at - picture.began_at:6.1f} s  {passed.sender:<14} "
    return [(head, Style.DIM), (f"{passed.text}{times}", Style.PLAIN)]


def _keys(picture: Picture, width: int) -> list[Line]:
    """The keys on as few lines as they fit on."""
    lines: list[Line] = [[]]
    for key, does in keys(picture):
        if lines[-1] and len(text(lines[-1])) + len(f" {key} {does} ") > width:
            lines.append([])
        lines[-1] += [(f" {key}", Style.BOLD), (f" {does} ", Style.PLAIN)]
    return lines


def _beside(left: Line, right: Line) -> Line:
    return [*_cut(left, LEFT_WIDTH), (" " * (LEFT_WIDTH - len(text(left))), Style.PLAIN), *right]


def _cut(line: Line, width: int) -> Line:
    kept: Line = []
    for piece, style in line:
        if width > 0:
            kept.append((piece[:width], style))
        width -= len(piece)
    return kept
