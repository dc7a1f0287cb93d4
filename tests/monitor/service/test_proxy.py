"""A guard on another PC asks through nginx, set up as MONITOR says: by TLS, with nothing but an address and a token."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import prepared
from tests.support.broker import Broker, free_port
from tests.support.certificates import Authority
from tests.support.monitor import RunningMonitor, alarm_monitor, write_monitor
from tests.support.node import NODE, SITE, SimulatedNode, wait_until, write_config

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
GUIDE = (Path(__file__).parents[3] / "deploy" / "guides" / "MONITOR.md").read_text(encoding="utf-8")

MAIN = """\
daemon off;
pid {directory}/pid;
error_log stderr;
events {{}}
http {{
access_log off;
client_body_temp_path {directory}/body;
proxy_temp_path {directory}/proxy;
fastcgi_temp_path {directory}/fastcgi;
uwsgi_temp_path {directory}/uwsgi;
scgi_temp_path {directory}/scgi;
{server}
}}
"""
"""What Debian's nginx.conf does around the guide's part, in a directory of our own."""


def server_of_the_guide(replaced: Mapping[str, str]) -> str:
    """The part of nginx's configuration that the guide shows, with what is different here."""
    block: str
    (block,) = re.findall(r"^ *```nginx\n(.*?)^ *```$", GUIDE, re.MULTILINE | re.DOTALL)
    for there, here in replaced.items():
        assert there in block, there
        block = block.replace(there, here)
    return block


@contextmanager
def nginx(directory: Path, server: str) -> Iterator[None]:
    """The real program with this server, from entering the context to leaving it."""
    directory.mkdir()
    directory.chmod(0o755)
    config = directory / "nginx.conf"
    config.write_text(MAIN.format(directory=directory, server=server), encoding="utf-8")
    assert NGINX is not None
    arguments = [NGINX, "-p", str(directory), "-e", "stderr", "-c", str(config)]
    with (directory / "log").open("wb") as log, subprocess.Popen(arguments, stderr=log) as running:
        try:
            wait_until((directory / "pid").exists, what="nginx")
            assert running.poll() is None, (directory / "log").read_text(encoding="utf-8")
            yield
        finally:
            running.terminate()


@dataclass(frozen=True)
class Guard:
    """Somebody on another PC: what its environment names is all that it knows."""

    home: Path
    environ: Mapping[str, str]

    def run(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """How a command ends."""
        kept = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANGUAGE": "en", "COLUMNS": "80"}
        return prepared.run(
            prepared.MONITOR,
            *command,
            cwd=self.home,
            environ={**kept, "PYTHONPATH": str(prepared.ROOT), **self.environ, **environ},
            timeout_s=60.0,
        )


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[tuple[RunningMonitor, SimulatedNode]]:
    """A monitor and its node."""
    with Broker(tmp_path / "broker") as broker:
        (tmp_path / "node").mkdir()
        config = write_config(tmp_path / "node", broker.port, heartbeat_s=1)
        with RunningMonitor(write_monitor(tmp_path / "monitor", broker.port)) as running, SimulatedNode(config) as node:
            running.expect_status(NODE, "up")
            yield running, node


@pytest.mark.skipif(NGINX is None, reason="needs nginx: apt install nginx")
def test_a_guard_works_through_the_proxy_of_the_guide(
    tmp_path: Path, monitor: tuple[RunningMonitor, SimulatedNode]
) -> None:
    """It sees, acknowledges and ends an alarm. A wrong token or certificate, and a monitor that is away, are told."""
    running, node = monitor
    authority, port = Authority(tmp_path / "authority.pem"), free_port()
    pair = authority.issue("guards", tmp_path / "keys", "127.0.0.1")
    here = (f"listen 127.0.0.1:{port} ssl;", str(pair.certificate), str(pair.key), f"http://127.0.0.1:{running.port}")
    there = ("listen 443 ssl;", "/etc/nginx/guards.pem", "/etc/nginx/guards.key", "http://127.0.0.1:8780")
    token = tmp_path / "home" / ".config" / "alarm-monitor" / "token"
    token.parent.mkdir(parents=True)
    token.write_text(alarm_monitor(running.config, "token", "create", "guard-pc", "--role", "responder").stdout)
    url = f"https://127.0.0.1:{port}"
    guard = Guard(tmp_path / "home", {"ALARM_MONITOR_URL": url, "SSL_CERT_FILE": str(authority.file)})

    with nginx(tmp_path / "nginx", server_of_the_guide(dict(zip(there, here, strict=True)))):
        node.tap()
        incident = running.expect_incident()["id"]
        seen = guard.run("status")
        acknowledged = guard.run("acknowledge")
        assert acknowledged.returncode == 0, acknowledged.stderr
        node.expect(ladder="acknowledged")
        refused = guard.run("pause", f"{SITE}/{NODE}", "--for", "1h", "--reason", "x")
        ended = guard.run("reset", NODE, "--reason", "drill")
        stranger = guard.run("status", ALARM_MONITOR_TOKEN="wrong")  # noqa: S106 - that it is wrong is the point
        untrusted = guard.run("status", SSL_CERT_FILE=str(pair.key))
        running.kill()
        away = guard.run("status")

    assert f"alarm-monitor acknowledge {incident}" in seen.stdout
    assert [each.returncode for each in (seen, acknowledged, ended)] == [0, 0, 0], acknowledged.stderr + ended.stderr
    told = [each.stderr[:4] for each in (refused, stranger, untrusted, away)]
    assert told == ["E057", "E056", "E055", "E031"]
    assert "the proxy at" in away.stderr
