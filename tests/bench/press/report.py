"""What a run has found: figures by case and name, what they must reach, and how both are shown."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as Xml

from rich.table import Table

Figures = Mapping[str, Mapping[str, float]]
"""By the name of the case, then by that of the figure, which ends with its unit. What wasn't measured isn't there."""

SCRIPT = "script"

PRESSES = {
    "subscriber_median_ms": "press to subscriber, median (ms)",
    "subscriber_p99_ms": "99th (ms)",
    "lost_percent": "lost (%)",
    "buzzer_median_ms": "press to buzzer, median (ms)",
    "buzzer_p99_ms": "99th (ms)",
    "armed_s": "start to armed (s)",
    "state_s": "to first state (s)",
}
REST = {
    "cpu_s_per_minute": "CPU a minute (s)",
    "wakeups_per_s": "wake-ups a second",
    "rss_mib": "RSS (MiB)",
    "pss_mib": "PSS (MiB)",
    "written_mb_per_day": "written a day (MB)",
    "frozen_s": "frozen broker noticed (s)",
}

_BAR, _GAP, _LEFT, _WIDTH = 18, 8, 260, 760


def summed_up(rounds: Iterable[Sequence[float]]) -> tuple[float, float]:
    """The medians of the rounds' medians and 99th percentiles."""
    ordered = [sorted(each) for each in rounds]
    nearly_all = [each[round(0.99 * (len(each) - 1))] for each in ordered]
    return statistics.median(map(statistics.median, ordered)), statistics.median(nearly_all)


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure of a case must be at most ``most``, which may be ``times`` the same figure of another case."""

    case: str
    figure: str
    most: float | str
    times: float = 1.0
    digits: int = 2

    def limit(self, figures: Figures) -> float | None:
        """In the figure's unit; None where it wasn't measured."""
        if isinstance(self.most, float):
            return self.most
        compared = figures.get(self.most, {}).get(self.figure)
        return None if compared is None else compared * self.times

    def met(self, figures: Figures) -> bool | None:
        """Whether it is met, to ``digits`` decimals; None where it can't be judged."""
        value, limit = figures.get(self.case, {}).get(self.figure), self.limit(figures)
        return None if value is None or limit is None else round(value, self.digits) <= round(limit, self.digits)

    @property
    def text(self) -> str:
        """In words."""
        if isinstance(self.most, float):
            return f"{self.most:g}"
        return f"{self.times:g} x {self.most}" if self.times != 1.0 else self.most


_FAR = 50.0
"""Times the quickest: whose median is so long doesn't make the scale."""

_SUBSCRIBER = ("subscriber_median_ms", "subscriber_p99_ms")
_BUZZER = ("buzzer_median_ms", "buzzer_p99_ms")

GOALS = (
    *(Goal("node", figure, "script") for figure in _SUBSCRIBER),
    *(Goal("node-tls", figure, "script-tls") for figure in _SUBSCRIBER),
    *(Goal("node-stalled", figure, "node", 1.2) for figure in (*_SUBSCRIBER, *_BUZZER)),
    *(Goal("node-silent", figure, "node-two", 1.2) for figure in (*_SUBSCRIBER, *_BUZZER)),
    Goal("node-beside", "buzzer_p99_ms", 0.3),
    *(Goal("node", figure, "script") for figure in ("armed_s", "state_s", "rss_mib", "pss_mib")),
    Goal("node", "cpu_s_per_minute", 0.3),
    Goal("node", "wakeups_per_s", 30.0),
    Goal("node", "written_mb_per_day", 1.0),
    Goal("node", "frozen_s", 3.0, digits=1),
)


def table(columns: Mapping[str, str], figures: Figures, names: Mapping[str, str]) -> Table:
    """One line for each case that has one of these figures, each with its ratio to the script's."""
    shown = Table("", *columns.values())
    for case, found in figures.items():
        if columns.keys() & found.keys():
            shown.add_row(names[case], *(_cell(found.get(name), figures.get(SCRIPT, {}).get(name)) for name in columns))
    return shown


def _cell(value: float | None, script: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f} (x{value / script:.2f})" if script else f"{value:.2f}"


def verdicts(figures: Figures, names: Mapping[str, str]) -> Table:
    """One line for each goal that can be judged."""
    shown = Table("", "figure", "is", "must be at most", "")
    for goal in GOALS:
        met, limit = goal.met(figures), goal.limit(figures)
        if met is not None and limit is not None:
            value = figures[goal.case][goal.figure]
            most = f"{limit:.2f}" + (f" ({goal.text})" if isinstance(goal.most, str) else "")
            shown.add_row(names[goal.case], goal.figure, f"{value:.2f}", most, "met" if met else "[bold]MISSED[/]")
    return shown


def draw(figures: Figures, names: Mapping[str, str], path: Path) -> None:
    """An SVG of the times from a press to the subscriber: a bar to the median, a thin one to the 99th percentile.

    What is far slower than the rest ends at the edge, and its number says by how much.
    """
    median, nearly_all = _SUBSCRIBER
    drawn = {case: found for case, found in figures.items() if median in found}
    quickest = min((found[median] for found in drawn.values()), default=1.0)
    longest = max((found[nearly_all] for found in drawn.values() if found[median] < _FAR * quickest), default=1.0)
    height = (_BAR + _GAP) * (len(drawn) + 1) + _GAP
    root = Xml.Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {_WIDTH} {height}")
    style = {"font-family": "sans-serif", "font-size": "13"}
    place = _GAP + _BAR
    title = "Press to subscriber beyond the debounce, ms: median (bar) and 99th percentile (line)"
    Xml.SubElement(root, "text", {"x": "0", "y": f"{place - 5}", **style}).text = title
    for case, found in drawn.items():
        top = place + _GAP
        place = top + _BAR
        wide, line = (min(1.0, found[each] / longest) * (_WIDTH - _LEFT - 110) for each in (median, nearly_all))
        colour = "#1f6f43" if case.startswith("node") else "#8a8f98"
        Xml.SubElement(root, "text", {"x": "0", "y": f"{place - 5}", **style}).text = names[case]
        _rectangle(root, top, _BAR, wide, colour)
        _rectangle(root, top + _BAR / 2 - 1, 2, line, colour)
        label = {"x": f"{_LEFT + max(wide, line) + 6:.1f}", "y": f"{place - 5}", **style}
        Xml.SubElement(root, "text", label).text = f"{found[median]:.2f} / {found[nearly_all]:.2f}"
    Xml.indent(root)
    Xml.ElementTree(root).write(path, encoding="utf-8")


def _rectangle(root: Xml.Element, top: float, height: float, width: float, colour: str) -> None:
    place = {"x": f"{_LEFT}", "y": f"{top:.1f}", "width": f"{width:.1f}", "height": f"{height}", "fill": colour}
    Xml.SubElement(root, "rect", place)
