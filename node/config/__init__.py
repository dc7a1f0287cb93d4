"""node.toml as frozen, validated settings, and how TOML files are declared, read and written."""

from node.config.brokers import Broker, Login, Tls
from node.config.node_file import (
    DEFAULT_STATE_DIRECTORY,
    NODE_FILE,
    Config,
    load,
    merged,
    problems_of,
    state_directory,
    watch,
)

__all__ = [
    "DEFAULT_STATE_DIRECTORY",
    "NODE_FILE",
    "Broker",
    "Config",
    "Login",
    "Tls",
    "load",
    "merged",
    "problems_of",
    "state_directory",
    "watch",
]
