"""What many tests need."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.examples import register_profiles
from tests.support.inherited import forget_inherited

forget_inherited()
register_profiles()

# The files that take longest. They begin first: a long one that began last would run alone, beside an idle processor.
LONGEST = (
    "deploy/test_booted.py",
    "deploy/test_package_life.py",
    "deploy/test_install_guide.py",
    "deploy/test_card_guide.py",
    "deploy/test_fresh_debian.py",
    "monitor/service/test_system.py",
    "campaigns/test_short.py",
    "deploy/test_package.py",
    "monitor/service/test_two_monitors.py",
    "system/test_deaf_session.py",
    "monitor/cli/test_history_command.py",
    "system/test_demo.py",
    "system/test_damaged_starts.py",
    "monitor/service/test_thread_watch.py",
    "integration/config/test_damaged_files.py",
    "monitor/core/test_hub_machine.py",
    "system/test_no_files.py",
    "system/test_two_brokers.py",
    "monitor/cli/test_commands.py",
    "monitor/api/test_openapi.py",
    "monitor/cli/test_printing.py",
    "monitor/history/test_history_outbox.py",
    "monitor/history/test_history_away.py",
    "monitor/history/test_history_lookup.py",
    "system/test_demo_terminal.py",
    "monitor/service/test_hostile.py",
    "monitor/api/test_auth.py",
    "monitor/notify/test_fair_turns.py",
    "system/test_presence.py",
    "deploy/test_release_upgrade.py",
    "integration/mqtt/test_link_loss.py",
    "integration/service/test_service_watchdog.py",
    "monitor/service/test_fleet_bench.py",
    "monitor/service/test_told.py",
    "monitor/history/test_history_processes.py",
    "monitor/history/test_history_unusable.py",
    "campaigns/test_defects_endurance.py",
    "monitor/cli/test_guard.py",
    "campaigns/test_defects_monitor.py",
    "system/test_storage.py",
    "system/test_bench.py",
    "system/test_identity.py",
    "monitor/history/test_history_reading.py",
    "monitor/cli/test_check_plugin.py",
    "monitor/cli/test_language.py",
)

# What is covered whole (pyproject.toml) is covered without these.
UNWATCHED = (
    *("bench", "campaigns", "deploy", "system"),
    *("integration/demo", "integration/mqtt", "integration/panel", "integration/simulate"),
    *("monitor/api", "monitor/notify"),
)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Let coverage be measured once in a worker of xdist.

    pytest-cov 7.1.0 begins to measure when it is loaded, and again at the start of a session. For a test that is marked
    no_cover it pauses the second measurement only, and the first one would go on. So the first one ends here.
    """
    plugin = session.config.pluginmanager.getplugin("_cov")
    if hasattr(session.config, "workerinput") and plugin is not None and plugin.cov_controller is not None:
        plugin.cov_controller.cov.stop()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of LONGEST first, in their order; all others stay in the random one.

    Coverage watches no test of Hypothesis and none of UNWATCHED: it would take three times as long.
    """
    here = Path(__file__).parent
    unwatched = tuple(f"{here / name}/" for name in UNWATCHED)
    places = {here / name: place for place, name in enumerate(LONGEST)}
    assert [path for path in places if not path.exists()] == [], "LONGEST names files that aren't there"
    for each in items:
        if each.get_closest_marker("hypothesis") is not None or str(each.path).startswith(unwatched):
            each.add_marker("no_cover")
    items.sort(key=lambda each: places.get(each.path, len(places)))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A started mosquitto that allows everything."""
    with Broker(tmp_path / "broker") as started:
        yield started
