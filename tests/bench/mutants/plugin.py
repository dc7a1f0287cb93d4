"""What pytest does otherwise for mutants (``-p tests.bench.mutants.plugin``).

The environment names the task:

- ``MAP``, the path of a file to write: runs the tests but for those of properties, and notes which lines each reaches.
  What a property reaches depends on its examples, so its test is taken to reach every line.
- ``RUN``, the path of a list of tests with the seconds that each may take: runs these, in this order.
"""

import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest
from hypothesis import Phase, settings

MAP, RUN = "MUTANTS_MAP", "MUTANTS_RUN"
MEMORY = 4 << 30
"""What a mutant may fill, in bytes: one that collects without end shall not take the machine along."""


def pytest_configure(config: pytest.Config) -> None:
    """Take up the task."""
    # Few examples, and no time for making one small that fails: that it fails is all that is asked.
    settings.register_profile(
        "quick", settings.get_profile("quick"), phases=(Phase.explicit, Phase.generate), database=None
    )
    settings.load_profile("quick")
    if path := os.environ.get(MAP):
        config.pluginmanager.register(_Map(Path(path)))
    if path := os.environ.get(RUN):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        config.pluginmanager.register(_Run(json.loads(Path(path).read_text("utf-8"))))


class _Map:
    """Notes for each test the lines that it reaches, and how long it takes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._coverage = coverage.Coverage(data_file=None, config_file=False, include=[f"{Path.cwd()}/node/*"])
        self._seconds: dict[str, float] = {}
        self._properties: list[str] = []
        self._coverage.start()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self._properties = sorted(each.nodeid for each in items if each.get_closest_marker("hypothesis"))
        items[:] = [each for each in items if not each.get_closest_marker("hypothesis")]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._coverage.switch_context(item.nodeid)
        result = yield
        self._coverage.switch_context("")
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        data = self._coverage.get_data()
        names = sorted(self._seconds)
        numbers = {name: number for number, name in enumerate(names)}
        reached = {
            Path(file).relative_to(Path.cwd()).as_posix(): {
                line: [numbers[test] for test in tests if test] for line, tests in data.contexts_by_lineno(file).items()
            }
            for file in data.measured_files()
        }
        seconds = [self._seconds[name] for name in names]
        found = {"names": names, "seconds": seconds, "reached": reached, "properties": self._properties}
        self._path.write_text(json.dumps(found), "utf-8")


class _Run:
    """Runs the tests that were chosen, in their order, and none for much longer than it takes without a mutant."""

    def __init__(self, chosen: dict[str, float]) -> None:
        self._chosen = chosen

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        by_name = {each.nodeid: each for each in items}
        items[:] = [by_name[name] for name in self._chosen if name in by_name]
        for item in items:
            item.add_marker(pytest.mark.timeout(self._chosen[item.nodeid]))
