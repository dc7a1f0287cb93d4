"""``python -m tests.bench.press``, or ``make bench``: this node and others, measured side by side.

    contact     __|‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾    the contact's own edge
    debounce      <-20 ms->
    buzzer      ___________|‾‾‾‾‾‾‾    the buzzer's pin changes
    subscriber  _____________|‾‾‾‾‾    the message is in another process

One run has one broker and one subscriber. In each round all cases come in random order, each with a new process. A
figure of presses is the median of the rounds' medians, or of their 99th percentiles. Then those that rest are watched
together on a second broker, which is frozen at the end, after a press.

Ends with 1 if a goal is missed, and with 2 if the machine was too busy to judge.
"""

import argparse
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from platform import machine, python_version

from rich.console import Console

from tests.bench.press.cases import CASES, Case, cases
from tests.bench.press.contenders import Program, Room, Subscriber
from tests.bench.press.report import GOALS, PRESSES, REST, draw, summed_up, table, verdicts
from tests.bench.press.usage import Usage, connections, idle_share, is_counted, memory_mib, wake_up_late_s, wakeups
from tests.support import broker as brokers
from tests.support.broker import Broker
from tests.support.certificates import Authority

BUILD = Path(__file__).parents[3] / "build"
IDLE_SHARE = 0.9
"""Of the processors' time before and after a run; with less the machine is too busy to judge anything."""

LATE_S = 0.0005
"""If a thread wakes up later than that (99th), the host has other work: these times are as long as what is measured."""

QUIET = ["log_type none", "log_type error", "log_type warning", "log_type notice"]
"""As mosquitto logs by default: a line for each packet would be part of the figures."""

PAUSE_S = (0.15, 0.25)
"""Between presses: so long that mqtt-io, which looks every 100 ms by default, sees that the button was let go."""

POLL_S = 0.005
CALM_S = 1.0
"""After which a press is let go and everything about it is said."""

DAY_S, MINUTE_S = 86_400.0, 60.0

Rounds = dict[str, dict[str, list[list[float]]]]
"""By case and kind, for each round: "subscriber", "buzzer", "armed", "state" in seconds; "lost", 1 for a lost press."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured, and for how long.

    ``settle_s``: from a start to the time of rest; a node judges its machine's clock after a minute. ``frozen_s``: how
    long a frozen broker is watched; ``look_s``: how long this machine is.
    """

    rounds: int
    warm_up: int
    presses: int
    starts: int
    settle_s: float
    rest_s: float
    frozen_s: float
    look_s: float


WHOLE = Size(rounds=5, warm_up=2, presses=100, starts=3, settle_s=75.0, rest_s=60.0, frozen_s=30.0, look_s=3.0)
QUICK = Size(rounds=1, warm_up=0, presses=2, starts=1, settle_s=0.5, rest_s=1.0, frozen_s=8.0, look_s=0.5)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, judge."""
    asked = _parser().parse_args(arguments)
    size = QUICK if asked.quick else WHOLE
    size = replace(size, rounds=asked.rounds or size.rounds, presses=asked.presses or size.presses)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what was started is ended
    console = Console(width=150)
    able, lack = cases(install=not asked.quick)
    chosen = [able[name] for name in asked.only or able if name in able]
    skipped = set(asked.only or CASES) - able.keys()
    if skipped:
        console.print(f"skipped: {', '.join(sorted(skipped))}: {lack}")
    names = {case.name: case.what for case in chosen}

    console.print(f"seed {asked.seed}")
    looks = [_look(size.look_s, console)]
    figures, rounds = _measured(chosen, size, asked.seed, console)
    console.print(table(PRESSES, figures, names), table(REST, figures, names))
    console.print(f"In brackets: times the script's. A frozen broker was watched for {size.frozen_s:g} s.")
    looks.append(_look(size.look_s, console))
    busy = any(idle < IDLE_SHARE or late_s > LATE_S for idle, late_s in looks)
    missed = [] if busy else [f"{goal.case} {goal.figure}" for goal in GOALS if goal.met(figures) is False]
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    told = {
        "seed": asked.seed,
        "idle_and_late_s": looks,
        "judged": not busy,
        "machine": machine(),
        "python": python_version(),
    }
    told |= {"size": asdict(size), "missed": missed, "figures": figures, "rounds": rounds}
    asked.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    draw(figures, names, asked.json.with_suffix(".svg"))
    if busy:
        console.print("not judged: this machine, or its host, is busy")
        return 2
    console.print(verdicts(figures, names))
    return 1 if missed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.press", description="Measured side by side.")
    parser.add_argument("--rounds", type=int, help=f"default: {WHOLE.rounds}")
    parser.add_argument("--presses", type=int, help=f"of each case in each round; default: {WHOLE.presses}")
    parser.add_argument("--only", action="append", choices=CASES, help="this case; may be given again")
    parser.add_argument("--quick", action="store_true", help="so little that no figure means much; installs nothing")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="of the order")
    parser.add_argument("--json", type=Path, default=BUILD / "bench.json", help="and .svg; default: %(default)s")
    return parser


def _look(seconds: float, console: Console) -> tuple[float, float]:
    """How much of the processors is idle, and how late a thread wakes up, in seconds."""
    load, idle, late_s = os.getloadavg()[0], idle_share(seconds), wake_up_late_s(seconds)
    console.print(
        f"load {load:.1f}; {idle:.0%} of the processors idle; a thread wakes up {late_s * 1e3:.2f} ms late (99th)"
    )
    return idle, late_s


def _measured(
    chosen: Sequence[Case], size: Size, seed: int, console: Console
) -> tuple[dict[str, dict[str, float]], Rounds]:
    rounds: Rounds = {case.name: defaultdict(list) for case in chosen}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        room = _room(stack, directory / "presses")
        chance = random.Random(seed)  # noqa: S311 - an order, no secret
        for number in range(1, size.rounds + 1):
            for case in chance.sample(chosen, len(chosen)):
                for kind, seconds in _round(case, room, size, chance).items():
                    rounds[case.name][kind].append(seconds)
                lost = sum(rounds[case.name]["lost"][-1])
                console.print(
                    f"{number}/{size.rounds} {case.what}" + (f": {lost:.0f} presses are lost" if lost else "")
                )
        figures = {name: _figures(kinds) for name, kinds in rounds.items()}
        resting = [case for case in chosen if case.rests]
        for name, found in _rest(resting, _room(stack, directory / "rest"), size).items():
            figures[name] |= found
    return figures, rounds


def _room(stack: ExitStack, directory: Path) -> Room:
    directory.mkdir()
    authority = Authority(directory / "ca.pem")
    shown = brokers.Tls(authority.issue("broker", directory, "127.0.0.1"))
    broker = stack.enter_context(Broker(directory / "broker", options=QUIET, tls=shown))
    return Room(directory, broker, stack.enter_context(Subscriber(broker.port)), authority.file)


def _round(case: Case, room: Room, size: Size, chance: random.Random) -> dict[str, list[float]]:
    """One round of a case: seconds, by kind."""
    measured: dict[str, list[float]] = defaultdict(list)
    for number in range(size.starts if case.starts else 1):
        with case.make(room) as contender:
            if isinstance(contender, Program) and case.starts:
                measured["armed"].append(contender.to_armed_s)
                measured["state"].append(contender.to_state_s)
            for press in range(size.warm_up + size.presses if number == 0 else 0):
                time.sleep(chance.uniform(*PAUSE_S))
                took = contender.tap()
                if press >= size.warm_up:
                    measured["lost"].append(float(took.to_subscriber_s is None))
                    for kind, seconds in (("subscriber", took.to_subscriber_s), ("buzzer", took.to_buzzer_s)):
                        measured[kind] += [] if seconds is None else [seconds]
    return {kind: values for kind, values in measured.items() if values}


def _figures(kinds: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, float]:
    """By the names of the report."""
    figures = {}
    for kind, rounds in kinds.items():
        if kind == "lost":
            figures["lost_percent"] = 100 * statistics.fmean(chain.from_iterable(rounds))
            continue
        median, nearly_all = summed_up(rounds)
        if kind in ("armed", "state"):
            figures[f"{kind}_s"] = median
        else:
            figures[f"{kind}_median_ms"], figures[f"{kind}_p99_ms"] = median * 1e3, nearly_all * 1e3
    return figures


def _rest(resting: Sequence[Case], room: Room, size: Size) -> dict[str, dict[str, float]]:
    """What these use while nobody presses, all at once; then how soon each leaves a broker that is frozen."""
    figures: dict[str, dict[str, float]] = {}
    counted = is_counted(room.directory)
    with ExitStack() as stack:
        made = {case.name: stack.enter_context(case.make(room)) for case in resting}
        programs = {name: each for name, each in made.items() if isinstance(each, Program)}
        time.sleep(size.settle_s)
        before = {name: Usage.of(program.pid) for name, program in programs.items()}
        time.sleep(size.rest_s)
        for name, program in programs.items():
            then, now = before[name], Usage.of(program.pid)
            seconds = now.at - then.at
            rss, pss = memory_mib(program.pid)
            figures[name] = {
                "cpu_s_per_minute": (now.cpu_s - then.cpu_s) / seconds * MINUTE_S,
                "wakeups_per_s": wakeups(then, now) / seconds,
                "rss_mib": rss,
                "pss_mib": pss,
            }
            if counted:
                figures[name]["written_mb_per_day"] = (now.written - then.written) / seconds * DAY_S / 1e6
        for name, seconds in _frozen(programs, room, size.frozen_s).items():
            figures[name]["frozen_s"] = seconds
    return figures


def _frozen(programs: Mapping[str, Program], room: Room, limit_s: float) -> dict[str, float]:
    """How long after a press during an alarm each gives up the connection to a broker that is frozen: seconds."""
    for program in programs.values():
        program.press()
    time.sleep(CALM_S)
    before = {name: connections(program.pid, room.broker.port) for name, program in programs.items()}
    assert all(before.values()), f"who isn't connected can't notice anything: {before}"
    noticed: dict[str, float] = {}
    room.broker.freeze()
    try:
        pressed = {name: program.press() for name, program in programs.items()}
        until = time.monotonic() + limit_s
        while len(noticed) < len(programs) and time.monotonic() < until:
            for name, program in programs.items():
                if name not in noticed and not before[name] & connections(program.pid, room.broker.port):
                    noticed[name] = time.monotonic() - pressed[name]
            time.sleep(POLL_S)
    finally:
        room.broker.thaw()
    return noticed


if __name__ == "__main__":
    sys.exit(main())
