"""The picture as lines of text: the wall and its ladder, what to do next, the messages, the keys. No terminal here.

Everything can be read without colour and in plain ASCII; what doesn't fit is cut, and the keys are always there.
"""

import textwrap
from enum import StrEnum

from node.core.memory import Step
from node.core.signals import LAMP_WAVES, LampPattern
from node.demo.picture import Passed, Picture
from node.demo.stage import LOCATION, NODE

LEFT_WIDTH = 40
_BUZZER_PAUSE_S = 1.0
_LATE_S = 10.0
_NOTE_S = 4.0
_ADVICE_ROWS = 4


class Style(StrEnum):
    """How a piece of text stands out: the parameters of ANSI's SGR sequence."""

    PLAIN = "0"
    BOLD = "1"
    DIM = "2"
    LIT = "1;30;43"
    LOUD = "1;7"


Line = list[tuple[str, Style]]
"""Pieces of one line, from left to right."""

KEYS = (
    ("p", "press"),
    ("r", "release"),
    ("a", "acknowledge"),
    ("x", "reset"),
    ("b", "stop/start the broker"),
    ("m", "guard's desk on/off"),
    ("k", "kill -9 and restart the node"),
    ("q", "quit"),
)

_SAYS = {
    LampPattern.READY: "a short flash every 5 s: ready",
    LampPattern.READY_MISSING: "every third flash is missing: somebody is coming",
    LampPattern.WALK_TEST: "a short flash every second: walk test, the first press is only a test",
    LampPattern.WALK_TEST_MISSING: "every third flash is missing: somebody is coming",
    LampPattern.CALLING: "fast: calling, nobody has confirmed it yet",
    LampPattern.RECEIVED: "double flash: received, the building has it",
    LampPattern.ACKNOWLEDGED: "steady: somebody is coming",
}

_STEPS = {
    Step.PRESSED: "pressed",
    Step.STORED: "stored on the disk",
    Step.ACCEPTED: "accepted by the broker",
    Step.RECEIVED: "received by the guard's desk",
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


def draw(picture: Picture, now: float, width: int, height: int) -> list[Line]:
    """At most ``height`` lines, none longer than ``width``."""
    keys = _keys(width)
    head = [*_title(picture, now), [], *_wall(picture, now), [], *_advice(picture, now, width)]
    head.append([(f"-- messages at the broker {'-' * width}", Style.DIM)])
    room = max(0, height - len(keys))
    head = head[:room]
    messages = [_message(picture, each) for each in picture.passed][-(room - len(head)) :] if room > len(head) else []
    blank: list[Line] = [[] for _ in range(room - len(head) - len(messages))]
    return [_cut(line, width) for line in [*head, *messages, *blank, *keys[:height]]]


def text(line: Line) -> str:
    """A line without its styles."""
    return "".join(piece for piece, _ in line)


def _title(picture: Picture, now: float) -> list[Line]:
    broker = f"on, 127.0.0.1:{picture.port}" if picture.broker_on else "STOPPED"
    desk = "on" if picture.desk_on else "OFF"
    return [
        [(f" alarm-node demo   {NODE}, {LOCATION}", Style.BOLD)],
        [(f" broker: {broker}   guard's desk: {desk}   node: {_node(picture, now)}", Style.PLAIN)],
    ]


def _node(picture: Picture, now: float) -> str:
    if not picture.node_on:
        return "ENDED"
    if picture.heartbeat_at is None:
        return "starting"
    age = now - picture.heartbeat_at
    late = " LATE" if age > picture.period_s + _LATE_S else ""
    return f"heartbeat {age:.0f} s ago{late}"


def _wall(picture: Picture, now: float) -> list[Line]:
    lit, _ = lamp_level(picture.lamp, picture.lamp_at, now)
    bulb = ("#######", Style.LIT) if lit else ("       ", Style.PLAIN)
    name = "dark" if picture.lamp is None else picture.lamp.value
    if picture.lamp is LampPattern.NOBODY and not _in_alarm(picture):
        name = "fault"
    recent = picture.buzzer_at is not None and now - picture.buzzer_at < _BUZZER_PAUSE_S
    quiet = "(((      )))" if recent else "silent"
    buzzer = ("((( BZZZ )))", Style.LOUD) if picture.buzzer else (quiet, Style.PLAIN)
    button = ("[## PRESSED ##]", Style.LOUD) if picture.pressed else ("[  released  ]", Style.PLAIN)
    left: list[Line] = [
        [("   .-------.", Style.PLAIN)],
        [("   |", Style.PLAIN), bulb, ("|   LAMP    ", Style.PLAIN), (name, Style.BOLD)],
        [("   |", Style.PLAIN), bulb, ("|", Style.PLAIN)],
        [("   '-------'   BUZZER  ", Style.PLAIN), buzzer],
        [],
        [("               BUTTON  ", Style.PLAIN), button],
    ]
    right = _ladder(picture)
    return [_beside(one, other) for one, other in zip(left, right, strict=True)]


def _ladder(picture: Picture) -> list[Line]:
    ladder = picture.ladder
    begun = ladder.get(Step.PRESSED)
    if picture.incidents:
        incident = picture.incidents[0]
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
    says = _says(picture)
    lines: list[Line] = [[(" The lamp says  ", Style.PLAIN), (says, Style.BOLD)]]
    told = [("Fault", f"{fault.code} {fault.text}. Next: {fault.next}.") for fault in picture.faults[:1]]
    if not picture.node_on:
        told = [("Its last words", picture.last_words)]
    for name, words in told:
        wrapped = textwrap.wrap(words, max(20, width - 17))[:_ADVICE_ROWS]
        lines += [[(f" {name if number == 0 else '':<15}{row}", Style.PLAIN)] for number, row in enumerate(wrapped)]
    note = picture.note if now - picture.note_at < _NOTE_S else ""
    lines.append([(" Next           ", Style.PLAIN), (note or _next(picture), Style.PLAIN)])
    return lines


def _says(picture: Picture) -> str:
    if picture.lamp is None:
        return "dark: there is no node, this button calls nobody"
    if picture.lamp is LampPattern.NOBODY:
        return "slow: NOBODY HAS IT, get help another way" if _in_alarm(picture) else "slow: a fault, don't rely on me"
    return _SAYS[picture.lamp]


def _in_alarm(picture: Picture) -> bool:
    return bool(picture.ladder or picture.incidents)


def _next(picture: Picture) -> str:
    match picture:
        case Picture(node_on=False):
            return "k starts the node again"
        case Picture(broker_on=False, ladder={Step.PRESSED: _}):
            return "it is stored: b starts the broker, and it arrives"
        case Picture(broker_on=False):
            return "p: press all the same; b: start the broker again"
        case Picture(lamp=LampPattern.ACKNOWLEDGED, pressed=True):
            return "r: let go of the button"
        case Picture(lamp=LampPattern.ACKNOWLEDGED):
            return "x: the guard's desk ends the incident"
        case Picture(desk_on=False, ladder={Step.NOBODY: _}):
            return "m: somebody comes back to the guard's desk"
        case Picture(desk_on=False, ladder={Step.PRESSED: _}):
            return "wait: without a receipt within 5 s nobody has it"
        case Picture(lamp=LampPattern.RECEIVED):
            return "a: the guard's desk says that somebody is coming"
        case Picture(ever_pressed=False):
            return "p: somebody presses the panic button"
    return "b (no broker), k (no node) or m (nobody at the desk), then p"


def _message(picture: Picture, passed: Passed) -> Line:
    times = f" (no. {passed.heartbeats})" if passed.heartbeats > 1 else ""
    head = f" {passed.at - picture.began_at:6.1f} s  {passed.sender:<14} "
    return [(head, Style.DIM), (f"{passed.text}{times}", Style.PLAIN)]


def _keys(width: int) -> list[Line]:
    """The keys on as few lines as they fit on."""
    lines: list[Line] = [[]]
    for key, does in KEYS:
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
