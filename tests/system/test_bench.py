"""The bench works; how fast a machine is, no test asks."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as Xml

from tests.bench.press.report import PRESSES, REST, Goal

ROOT = Path(__file__).parents[2]
OF_A_PROCESS = {"armed_s", "state_s"}
BUZZER = {"buzzer_median_ms", "buzzer_p99_ms"}


def test_every_contender_that_can_run_gives_its_figures(tmp_path: Path) -> None:
    """One short round on real processes, brokers and pins. What can't run is told as skipped."""
    file = tmp_path / "bench.json"

    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.press", "--quick", "--seed", "7", "--json", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert done.returncode in (0, 1, 2), done.stderr
    assert not done.stderr
    told = json.loads(file.read_text(encoding="utf-8"))
    figures = told["figures"]
    pressed = PRESSES.keys() - OF_A_PROCESS - BUZZER
    resting = REST.keys() - {"frozen_s", "written_mb_per_day"}
    for name, found in figures.items():
        assert pressed <= found.keys(), name
        ours = name.startswith(("node", "script"))
        assert found.keys() >= BUZZER or not ours, name
        assert found.keys() >= OF_A_PROCESS or name.endswith("beside") or not ours, name
    assert all(resting <= figures[name].keys() for name in ("node", "script", "script-sqlite"))
    assert "frozen_s" in figures["node"]
    bars = Xml.parse(tmp_path / "bench.svg").findall("{http://www.w3.org/2000/svg}rect")  # noqa: S314 - ours
    assert len(bars) == 2 * len(figures)
    assert "seed 7\n" in done.stdout
    assert (done.returncode == 2) is not told["judged"]
    assert (done.returncode == 1) is (told["judged"] and bool(told["missed"]))


def test_a_goal_that_was_not_measured_is_not_judged() -> None:
    """Neither as met nor as missed; the others to the decimals that are shown."""
    figures = {"node": {"a_ms": 1.204, "b_s": 3.04}, "script": {"a_ms": 1.0}}

    assert Goal("node", "a_ms", "script", 1.2).met(figures) is True
    assert Goal("node", "a_ms", "script").met(figures) is False
    assert Goal("node", "b_s", 3.0, digits=1).met(figures) is True
    assert Goal("node", "b_s", 3.0).met(figures) is False
    assert Goal("node", "b_s", "script").met(figures) is None
    assert Goal("node-tls", "a_ms", 3.0).met(figures) is None
