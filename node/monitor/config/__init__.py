"""monitor.toml, nodes.toml and the files that they name: read, checked, and written by init."""
