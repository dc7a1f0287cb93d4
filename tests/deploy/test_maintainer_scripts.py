"""What somebody who installs a package reads at its end."""

import dataclasses
import os
import subprocess
from pathlib import Path

import pytest

from deploy.package.control import describe
from deploy.package.programs import PROGRAMS, Program
from deploy.package.targets import target

TOOLS = ("deb-systemd-helper", "systemd-sysusers", "systemctl")
"""What the script runs on the machine. Here each of them does nothing."""


def told(program: Program, directory: Path) -> str:
    """What the package's postinst prints on a machine that has this directory."""
    tools, root = directory / "tools", directory / "root"
    for each in (tools, root):
        each.mkdir()
    for name in TOOLS:
        (tools / name).write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
        (tools / name).chmod(0o755)
    describe(program, target("trixie", "amd64"), "1", "nobody", root)
    done = subprocess.run(
        [root / "DEBIAN" / "postinst", "configure"],
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.mark.skipif(Path("/run/systemd/system").exists(), reason="the script would touch a service of this machine")
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
@pytest.mark.parametrize("is_there", [False, True], ids=["no configuration", "a wrong one"])
def test_the_end_of_an_installation_names_the_next_command(program: Program, is_there: bool, tmp_path: Path) -> None:
    """Without a configuration, the one that writes it, and the guide; with a wrong one, the one that says why."""
    config = tmp_path / "wrong.toml"
    if is_there:
        config.write_text("?", encoding="utf-8")

    lines = told(dataclasses.replace(program, config=str(config)), tmp_path).splitlines()

    name = program.name
    absent = [
        f"{name} isn't configured yet. Next: sudo {name} init",
        f"All steps: /usr/share/doc/{name}/guides/{program.guide}",
    ]
    assert lines == ([f"{name} isn't started: {config} can't be used. Next: sudo {name} check"] if is_there else absent)
