"""The chosen room: lamp, buzzer and button on the left, how far the call has got on the right."""

from node.core.model import Step
from node.core.signals import LAMP_WAVES, LampPattern
from node.demo.screen.state import RoomState
from node.demo.screen.text import Line, Style, beside

LEFT_WIDTH = 40
_BUZZER_PAUSE_S = 1.0

_STEPS = {
    Step.PRESSED: "pressed",
    Step.STORED: "stored on the disk",
    Step.ACCEPTED: "accepted by the broker",
    Step.HELD: "held by the monitor",
    Step.TOLD: "told to people",
    Step.ACKNOWLEDGED: "acknowledged by the guard",
}


def lamp_level(pattern: LampPattern | None, since: float, now: float) -> tuple[bool, float]:
    """Whether the lamp is lit, and for how many seconds more it stays so; ``since``: when the pattern began."""
    if pattern is None:
        return False, 1.0
    wave = LAMP_WAVES[pattern]
    left_s = (now - since) % sum(seconds for _, seconds in wave)
    for level, seconds in wave:
        if left_s < seconds:
            return level, seconds - left_s
        left_s -= seconds
    return wave[0]


def room_panel(room: RoomState, now: float) -> list[Line]:
    """Seven lines."""
    return [beside(left, right, LEFT_WIDTH) for left, right in zip(_devices(room, now), _ladder(room), strict=True)]


def _devices(room: RoomState, now: float) -> list[Line]:
    lit, _ = lamp_level(room.lamp, room.lamp_at, now)
    bulb = ("#######", Style.LIT) if lit else ("       ", Style.PLAIN)
    name = "dark" if room.lamp is None else room.lamp.value
    if room.lamp is LampPattern.NOBODY and not room.in_alarm:
        name = "fault"
    sounded = room.buzzer_at is not None and now - room.buzzer_at < _BUZZER_PAUSE_S
    pause = "(((      )))" if sounded else "silent"
    buzzer = ("((( BZZZ )))", Style.LOUD) if room.buzzer else (pause, Style.PLAIN)
    button = ("[## PRESSED ##]", Style.LOUD) if room.pressed else ("[  released  ]", Style.PLAIN)
    return [
        [("   .-------.", Style.PLAIN)],
        [("   |", Style.PLAIN), bulb, ("|   LAMP    ", Style.PLAIN), (name, Style.BOLD)],
        [("   |", Style.PLAIN), bulb, ("|", Style.PLAIN)],
        [("   '-------'   BUZZER  ", Style.PLAIN), buzzer],
        [],
        [("               BUTTON  ", Style.PLAIN), button],
        [],
    ]


def _ladder(room: RoomState) -> list[Line]:
    """The steps of the newest press, and how long after it each was reached."""
    begun = room.ladder.get(Step.PRESSED)
    if room.incidents:
        incident = room.incidents[0]
        title = f"CALL FOR HELP {incident.incident} ({incident.alarm_class})"
    else:
        title = "CALL FOR HELP" if room.ladder else "no call for help"
    lines: list[Line] = [[(title, Style.BOLD)]]
    for step, label in _STEPS.items():
        reached = room.ladder.get(step)
        if reached is None and step is Step.ACKNOWLEDGED and Step.NOBODY in room.ladder:
            lines.append([("[!] NOBODY HAS IT", Style.LOUD)])
        elif reached is None:
            lines.append([(f"[ ] {label}", Style.DIM)])
        else:
            after = "" if begun is None else _duration(reached - begun)
            lines.append([(f"[x] {label:<27}{after:>7}", Style.PLAIN)])
    return lines


def _duration(seconds: float) -> str:
    if seconds < 1.0:
        return f"{max(0.0, seconds) * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"
