"""Waves on the wall: what a contact does, and how much of it reaches the core."""

from collections.abc import Callable, Iterable
from itertools import accumulate

from node.core.settings import Receipts
from tests.core.house import make_settings
from tests.core.playbook import Playbook

Wave = list[tuple[float, bool]]
"""(seconds, actuated from then on), in order."""

BEAT_S = 0.050


def quiet_wall(debounce_ms: float = 20) -> Playbook:
    """A begun node with one button at rest and no broker."""
    return Playbook(make_settings(links=(), debounce_s=debounce_ms / 1000, receipts=Receipts.NONE)).begin().skip()


def tap(length_s: float, at: float = 0.0) -> Wave:
    """One clean press."""
    return [(at, True), (at + length_s, False)]


def train(count: int, length_s: float, spacing_s: float) -> Wave:
    """Pulses; ``spacing_s`` from one's start to the next one's."""
    return [each for number in range(count) for each in tap(length_s, number * spacing_s)]


def chattering(length_s: float, closing: Iterable[float], opening: Iterable[float]) -> Wave:
    """A press that chatters at both ends: each number is the time (seconds) until the contact changes once more."""
    wave: Wave = []
    for start, final, gaps in ((0.0, True, closing), (length_s, False, opening)):
        instants = [start, *(start + gap for gap in accumulate(gaps))]
        if len(instants) % 2 == 0:
            instants.pop()
        wave += [(at, final is (index % 2 == 0)) for index, at in enumerate(instants)]
    return wave


def watch(
    play: Playbook,
    wave: Wave,
    *,
    name: str = "button",
    wakes_s: Iterable[float] = (),
    lost: bool = False,
    dropped: Callable[[int], bool] = lambda _number: False,
    phase_s: float = 0.025,
    rest_s: float = 0.2,
) -> Playbook:
    """Let the contact play this wave, while the sampler beats 20 times a second from ``phase_s`` on.

    Edges come at once, or are ``lost``, or wait for the thread that brings them: it sleeps until the first of
    ``wakes_s``, and then until the next one, and brings what has happened meanwhile in a burst. The edges whose numbers
    are ``dropped`` are told as such before the next one or the next sample. The play goes on for ``rest_s`` after the
    last change.
    """
    start = play.now
    wakes = [start + at for at in wakes_s]
    end = max([start + wave[-1][0], *wakes]) + rest_s
    happenings: list[tuple[float, int, float, bool]] = [(start + at, 0, start + at, level) for at, level in wave]
    for at, level in wave if not lost else ():
        arrival = next((wake for wake in wakes if wake >= start + at), start + at)
        happenings.append((arrival, 1, start + at, level))
    beats = int((end - start - phase_s) / BEAT_S) + 1
    happenings += [(start + phase_s + number * BEAT_S, 2, 0.0, False) for number in range(beats)]
    edges = 0
    for at, what, stamp, level in sorted(happenings):
        if at > play.now:
            play.until(at)
        if what == 0:
            play.actuated[name] = level
            continue
        if what == 1:
            edges += 1
            if dropped(edges):
                play.drop_edge(name)
                continue
            true_level = play.actuated[name]
            play.edge(name, level, stamp)
            play.actuated[name] = true_level
        else:
            play.sample()
    return play.until(end)
