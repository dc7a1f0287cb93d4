"""The whole screen as lines of text. It can be read without colour and in plain ASCII; what doesn't fit is cut."""

from node.demo.rooms import GRACE_S
from node.demo.screen.advice import advice
from node.demo.screen.room_panel import room_panel
from node.demo.screen.state import MessageLine, RoomState, ScreenState
from node.demo.screen.text import Line, Style, cut, plain_text

FULL_WIDTH, FULL_HEIGHT = 78, 20
"""On a smaller screen something is cut."""

_NOT_UP = ("late", "down")

_KEYS = (
    ("p", "press"),
    ("r", "release"),
    ("a", "acknowledge"),
    ("x", "reset"),
    ("w", "walk test"),
    ("k", "kill/start node"),
    ("b", "kill/start broker"),
    ("m", "stop/start monitor"),
    ("q", "quit"),
)


def keys(state: ScreenState) -> list[tuple[str, str]]:
    """The keys and what they do."""
    return [(f"1-{len(state.rooms)}", "choose a node"), *_KEYS]


def draw(state: ScreenState, now: float, width: int, height: int) -> list[Line]:
    """Exactly ``height`` lines, none longer than ``width``. What is above the keys is cut before they are."""
    hint = _size_hint(width, height)
    foot = _key_lines(state, width)[: max(0, height - len(hint))]
    above = height - len(foot)
    head = [
        *hint,
        *_title(state, now),
        [],
        *room_panel(state.room, now),
        [],
        *advice(state, now, width),
        [(f"-- messages {'-' * width}", Style.DIM)],
    ][:above]
    shown = [each for each in state.messages if each.node in ("", state.chosen)]
    messages = [_message(state, each) for each in shown][-(above - len(head)) :] if above > len(head) else []
    blank: list[Line] = [[] for _ in range(above - len(head) - len(messages))]
    return [cut(line, width) for line in [*head, *messages, *blank, *foot]]


def _size_hint(width: int, height: int) -> list[Line]:
    if width >= FULL_WIDTH and height >= FULL_HEIGHT:
        return []
    return [[(f" too small: needs {FULL_WIDTH} x {FULL_HEIGHT}, has {width} x {height}", Style.LOUD)]]


def _title(state: ScreenState, now: float) -> list[Line]:
    room = state.room.room
    signals = f"   {room.alarm_class}, {room.signals_text}"
    broker = f"on, 127.0.0.1:{state.port}" if state.broker_on else "OFF"
    monitor = "OFF" if not state.monitor_on else "on" if state.monitor_answers else "starting"
    return [
        _nodes(state),
        [(f" alarm-node demo   {room.id}, {room.location}", Style.BOLD), (signals, Style.PLAIN)],
        [(f" broker: {broker}   monitor: {monitor}   node: {_node(state.room, now)}", Style.PLAIN)],
    ]


def _nodes(state: ScreenState) -> Line:
    """What the monitor says of each node; a dash while it says nothing."""
    line: Line = []
    for number, (name, room) in enumerate(state.rooms.items(), start=1):
        status = state.view.statuses.get(name, "-") if state.view else "-"
        shown = status.upper() if status in _NOT_UP else status
        calls = " CALLS" if room.in_alarm else ""
        chosen = name == state.chosen
        style = Style.LOUD if room.in_alarm or status in _NOT_UP else Style.BOLD if chosen else Style.PLAIN
        line += [(">" if chosen else " ", Style.BOLD), (f"{number} {name} {shown}{calls}", style), ("   ", Style.PLAIN)]
    return line


def _node(room: RoomState, now: float) -> str:
    if not room.node_on:
        return "OFF"
    if room.heartbeat_at is None:
        return "starting"
    age_s = now - room.heartbeat_at
    late = " LATE" if age_s > room.period_s + GRACE_S else ""
    return f"heartbeat {age_s:.0f} s ago{late}"


def _message(state: ScreenState, message: MessageLine) -> Line:
    count = f" (no. {message.heartbeats})" if message.heartbeats > 1 else ""
    head = f" {message.at - state.began_at:6.1f} s  {message.sender:<14} "
    return [(head, Style.DIM), (f"{message.text}{count}", Style.PLAIN)]


def _key_lines(state: ScreenState, width: int) -> list[Line]:
    """The keys on as few lines as they fit on."""
    lines: list[Line] = [[]]
    for key, action in keys(state):
        if lines[-1] and len(plain_text(lines[-1])) + len(f" {key} {action} ") > width:
            lines.append([])
        lines[-1] += [(f" {key}", Style.BOLD), (f" {action} ", Style.PLAIN)]
    return lines
