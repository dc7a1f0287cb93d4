"""`make install-monitor` into a tree of its own, by real processes: what is there, that it runs, what stays."""

import subprocess
from pathlib import Path

import pytest

from tests.deploy.test_install import dead_links, files
from tests.support.installation import copy, installed, make

PROGRAM = Path("opt/alarm-monitor")
DOCUMENTS = Path("share/doc/alarm-monitor")
GIVEN = {
    Path("usr/local/lib/systemd/system/alarm-monitor.service"),
    Path("usr/local/lib/sysusers.d/alarm-monitor.conf"),
    Path("usr/local/bin/alarm-monitor"),
    Path("usr/local/bin/check_alarm_node"),
    Path("usr/local/share/bash-completion/completions/alarm-monitor"),
    Path("usr/local/share/fish/vendor_completions.d/alarm-monitor.fish"),
    Path("usr/local/share/zsh/site-functions/_alarm-monitor"),
}

pytestmark = pytest.mark.timeout(900)  # packages are fetched, and one is built


def test_the_monitor_is_installed_whole_and_taken_away_whole(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It runs from there with its German texts and its migrations; what it was told stays."""
    copy(installed("install-monitor", tmp_path_factory), tmp_path)
    given = {path for path in files(tmp_path) if PROGRAM not in path.parents}
    told = subprocess.run(
        [tmp_path / PROGRAM / "bin/python", "-m", "node.monitor", "init", "--config", tmp_path / "etc/monitor.toml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    packed = {
        str(path.relative_to(package))
        for package in (tmp_path / PROGRAM).rglob("node/monitor")
        for path in package.rglob("*")
    }
    guides = {path.name for path in (tmp_path / PROGRAM / DOCUMENTS / "guides").glob("*.md")}
    lost = dead_links(tmp_path / PROGRAM / DOCUMENTS)
    begins = (tmp_path / PROGRAM / "bin/alarm-monitor").read_text(encoding="utf-8").splitlines()[0]

    make("uninstall-monitor", tmp_path)

    assert given == GIVEN
    assert told.returncode == 0, told.stderr
    assert {"locale/de/LC_MESSAGES/monitor.po", "history/schema/migrations/versions/v0001_first.py"} <= packed
    assert {"MONITOR.md", "MONITOR.de.md", "OPERATIONS.md", "OPERATIONS.de.md"} <= guides
    assert lost == []
    assert begins.startswith("#!/opt/alarm-monitor/bin/python")
    assert files(tmp_path) == {Path("etc/monitor.toml"), Path("etc/nodes.toml")}
