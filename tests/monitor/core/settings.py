"""Settings for the monitor's tests, as monitor_file.py makes them."""

from pathlib import Path
from typing import Any

from node.config.brokers import Broker
from node.monitor.core.model.monitor_settings import Settings, Target
from tests.monitor.core.node_messages import BROKER, OTHER_BROKER, SITE

TWO_BROKERS = (Broker(BROKER, "127.0.0.1", 1), Broker(OTHER_BROKER, "127.0.0.1", 2))


def settings_of(**changes: Any) -> Settings:
    """One site, one broker, one target, everything else as its default is."""
    fields: dict[str, Any] = {
        "path": Path("/etc/alarm-monitor/monitor.toml"),
        "monitor": "guard-desk",
        "sites": (SITE,),
        "root": "alarm/v1",
        "language": "de",
        "state_directory": None,
        "history_url": "",
        "brokers": (Broker(BROKER, "127.0.0.1", 1),),
        "targets": (Target("telephone", "json://x"),),
        **changes,
    }
    return Settings(**fields)
