"""A copy of the tree in which mutants are tried one after another: nothing is changed in the tree itself."""

import compileall
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from py_compile import PycInvalidationMode
from threading import Lock

import pytest

from tests.bench.mutants import plugin
from tests.bench.mutants.mutations import Mutant

_LEFT_OUT = (".*", "build", "*.egg-info")
_PYTEST = (
    *("-m", "pytest", "-q", "-x", "--tb=line", "-p", "no:cacheprovider", "-p", "pytest_timeout"),
    *("-p", "_hypothesis_pytestplugin", "-p", "tests.bench.mutants.plugin"),
)
_WHOLE_S = 60.0
"""Goes to what is no test: starting and collecting, where a mutant may hang as well."""


class Outcome(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    TIMED_OUT = "timed out"
    SURVIVED = "survived"


class BadRunError(Exception):
    """pytest didn't work, or the tests fail without any mutant: the text is what it printed."""


class StoppedError(Exception):
    """``Tree.stop`` was called."""


class Tree:
    """A copy at ``path``. One mutant at a time is tried in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._running: subprocess.Popen[str] | None = None
        self._stopped = False

    def copy_from(self, source: Path) -> None:
        """Fill it, and compile it so that an unchanged file is never compiled again, and a changed one always is."""
        shutil.copytree(source, self.path, ignore=shutil.ignore_patterns(*_LEFT_OUT), symlinks=True)
        for folder in ("node", "tests"):
            mode = PycInvalidationMode.CHECKED_HASH
            compileall.compile_dir(self.path / folder, quiet=2, force=True, invalidation_mode=mode)

    def map(self, tests: Sequence[str], to: Path) -> None:
        """Run the tests without a mutant, and write what they reach; BadRunError where they fail."""
        code, output = self._pytest(tests, {plugin.MAP: str(to)}, None)
        if code != pytest.ExitCode.OK:
            raise BadRunError(output)

    def attempt(self, mutant: Mutant, chosen: Mapping[str, float]) -> Outcome:
        """Try one mutant with these tests."""
        file = self.path / mutant.path
        original = file.read_text("utf-8")
        run = self.path / "run.json"
        run.write_text(json.dumps(chosen), "utf-8")
        file.write_text(mutant.code, "utf-8")
        try:
            files = list(dict.fromkeys(test.partition("::")[0] for test in chosen))
            code, output = self._pytest(files, {plugin.RUN: str(run)}, _WHOLE_S + sum(chosen.values()))
        except subprocess.TimeoutExpired:
            return Outcome.TIMED_OUT
        finally:
            file.write_text(original, "utf-8")
        if code == pytest.ExitCode.OK:
            return Outcome.SURVIVED
        if code in {pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED}:
            raise BadRunError(f"{mutant}\n{output}")
        return Outcome.TIMED_OUT if "Failed: Timeout" in output else Outcome.KILLED

    def stop(self) -> None:
        """End what is running, and run nothing more."""
        with self._lock:
            self._stopped = True
            if self._running is not None:
                _kill(self._running)

    def _pytest(self, tests: Sequence[str], task: Mapping[str, str], limit: float | None) -> tuple[int, str]:
        environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1", **task}
        with self._lock:
            if self._stopped:
                raise StoppedError
            running = self._running = subprocess.Popen(
                [sys.executable, *_PYTEST, *tests],
                cwd=self.path,
                env=environment,
                text=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            output, _ = running.communicate(timeout=limit)
        finally:
            with self._lock:
                _kill(running)
                running.wait()
                self._running = None
        if self._stopped:
            raise StoppedError
        return running.returncode, output


def _kill(running: subprocess.Popen[str]) -> None:
    if running.poll() is None:
        os.killpg(running.pid, signal.SIGKILL)
