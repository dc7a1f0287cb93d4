"""``alarm-monitor run`` as a process of its own, and its commands and API as a tool uses them; always reaped."""

import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import IO, Any, Self

from tests.support import prepared
from tests.support.broker import free_port
from tests.support.desk import is_of_the_machine
from tests.support.node import SITE, TIMEOUT_S, Pages, wait_until
from tests.support.receivers import telephone

MONITOR = "guard-desk"
READY_S = 60.0


def write_monitor(
    directory: Path,
    *ports: int,
    name: str = MONITOR,
    language: str = "en",
    sites: Sequence[str] = (SITE,),
    history_url: str | None = None,
    roster: Sequence[Mapping[str, object]] | None = None,
    targets: Sequence[Mapping[str, object]] | None = None,
    brokers: Sequence[Mapping[str, object]] = (),
    **tables: Mapping[str, object],
) -> Path:
    """The path of a monitor.toml; its state directory lies beside it, its API listens on a free port.

    ``ports`` of plain brokers on this machine, ``brokers`` the keys of others, ``tables`` whatever else it has. Without
    ``targets`` somebody is told who takes everything.
    """
    if targets is None:
        targets = [{"name": "telephone", "url": telephone().url}]
    directory.mkdir(parents=True, exist_ok=True)
    monitor: dict[str, object] = {"id": name, "sites": list(sites), "state_directory": str(directory / "state")}
    monitor["language"] = language
    if roster is not None:
        monitor["roster"] = str(directory / "nodes.toml")
        _write(directory / "nodes.toml", [("[[node]]", each) for each in roster])
    history: dict[str, object] = {}
    if history_url is not None:
        (directory / "history.url").write_text(f"{history_url}\n", encoding="utf-8")
        history["url_file"] = str(directory / "history.url")
    written: list[tuple[str, Mapping[str, object]]] = [
        ("[monitor]", monitor),
        ("[history]", {**history, **tables.pop("history", {})}),
        ("[api]", {"port": free_port(), **tables.pop("api", {})}),
        *(("[[broker]]", {"host": "127.0.0.1", "port": port}) for port in ports),
        *(("[[broker]]", broker) for broker in brokers),
        *(("[[target]]", target) for target in targets),
        *((f"[{name}]", keys) for name, keys in tables.items()),
    ]
    path = directory / "monitor.toml"
    _write(path, written)
    return path


def _write(path: Path, tables: Sequence[tuple[str, Mapping[str, object]]]) -> None:
    lines = [line for name, keys in tables for line in (name, *(f"{key} = {json.dumps(keys[key])}" for key in keys))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def alarm_monitor(
    config: Path,
    *arguments: str,
    timeout_s: float = 60.0,
    into: int | IO[bytes] = subprocess.PIPE,
    environ: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.CompletedProcess[str]:
    """Run one command of alarm-monitor to its end; ``into`` takes what it prints, ``environ`` is more of its own."""
    name, *others = arguments
    return prepared.run(
        prepared.MONITOR,
        name,
        "--config",
        str(config),
        *others,
        cwd=config.parent,
        environ=_environment(environ),
        timeout_s=timeout_s,
        into=into,
    )


@contextmanager
def started(config: Path, *arguments: str, into: Path) -> Iterator[prepared.Running]:
    """A command of alarm-monitor that runs meanwhile and prints into a file; it is ended with the context."""
    name, *others = arguments
    with (
        into.open("wb") as printed,
        prepared.start(
            prepared.MONITOR,
            name,
            "--config",
            str(config),
            *others,
            cwd=config.parent,
            environ=_environment(),
            stdout=printed,
            stderr=subprocess.PIPE,
        ) as command,
    ):
        try:
            yield command
        finally:
            command.kill()


def _environment(more: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_DIRECTORY")}
    return {**kept, "PYTHONPATH": str(prepared.ROOT), "TZ": "Europe/Berlin", "COLUMNS": "200", "LANGUAGE": "en", **more}


class RunningMonitor:
    """A monitor from entering it as a context to leaving it. It may be killed and started again in between."""

    def __init__(
        self,
        config: Path,
        *,
        program: Sequence[str] = (prepared.MONITOR,),
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.config = config
        self._program, self._environ = program, environ
        self._logged = Pages()
        self._process: prepared.Running | None = None
        self._reader: threading.Thread | None = None
        self.port: int = tomllib.loads(config.read_text(encoding="utf-8"))["api"]["port"]

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_until_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()
        if error is not None:
            error.add_note(f"the monitor's log:\n{self.log[-6000:]}")

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    @property
    def log(self) -> str:
        """What all its processes have logged so far."""
        with self._logged.changed:
            return "\n".join(line for _, line in self._logged.lines)

    def start(self) -> None:
        """Start it; it needn't be ready when this returns."""
        if self._reader is not None:
            self._take_another_port()  # while it was dead, somebody else may have taken its own
        self._process = self._started("run", "--config", str(self.config))
        self._reader = threading.Thread(target=self._logged.read, args=(self._process.stderr,), daemon=True)
        self._reader.start()

    def _started(self, *arguments: str) -> prepared.Running:
        directory, environ = self.config.parent, _environment(self._environ)
        nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
        return prepared.start(*self._program, *arguments, cwd=directory, environ=environ, stdin=nothing, stderr=pipe)

    def _take_another_port(self) -> None:
        text, before = self.config.read_text(encoding="utf-8"), self.port
        self.port = free_port()
        self.config.write_text(
            text.replace(f"[api]\nport = {before}\n", f"[api]\nport = {self.port}\n"), encoding="utf-8"
        )

    def wait_until_ready(self) -> None:
        """Wait until it is well: a broker is reached and the history can be written."""
        self.wait(lambda: self.health() == "ok", READY_S, "a monitor that is ready")

    def wait(self, condition: Callable[[], bool], timeout_s: float = TIMEOUT_S, what: str = "it") -> None:
        """Look again and again, as long as the process lives."""

        def met() -> bool:
            assert self._process is not None
            if self._process.poll() is not None:
                self._reap()
                raise AssertionError(f"the monitor has ended:\n{self.log}")
            return condition()

        wait_until(met, timeout_s, what)

    def health(self) -> str:
        """What /healthz says; empty where nobody answers."""
        try:
            return self._ask("GET", "/healthz", {})[1].decode().strip()
        except OSError:
            return ""

    def get(self, path: str) -> Any:
        """What the API says on its own machine."""
        status, body = self._ask("GET", f"/api/v1{path}", {})
        assert status == 200, (path, status, body)
        return json.loads(body)

    def metrics(self) -> str:
        """What Prometheus reads."""
        status, body = self._ask("GET", "/metrics", {})
        assert status == 200, body
        return body.decode()

    def post(self, path: str, body: Mapping[str, object] | None = None) -> tuple[int, Any]:
        """Ask for something: the status, and what it says."""
        content = None if body is None else json.dumps(body)
        headers = {} if content is None else {"Content-Type": "application/json"}
        status, answer = self._ask("POST", f"/api/v1{path}", headers, content)
        return status, json.loads(answer)

    def items(self, path: str) -> list[dict[str, Any]]:
        """The items of a list, up to 1,000."""
        separator = "&" if "?" in path else "?"
        found: list[dict[str, Any]] = self.get(f"{path}{separator}limit=1000")["items"]
        return found

    def codes(self) -> list[str]:
        """The codes of all findings, sorted, but for those of the machine."""
        codes = sorted(each["code"] for each in self.items("/findings"))
        return [code for code in codes if not is_of_the_machine(code)]

    def node(self, name: str, site: str = SITE) -> dict[str, Any] | None:
        """One node as the API shows it."""
        return next((each for each in self.items("/nodes") if (each["site"], each["node"]) == (site, name)), None)

    def expect_incident(self) -> dict[str, Any]:
        """Wait until there is one; what the API shows is up to half a second old."""
        self.wait(lambda: len(self.items("/incidents")) > 0, what="an incident")
        return self.items("/incidents")[0]

    def expect_status(self, name: str, status: str, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
        """Wait until a node has this status; the node."""
        found: dict[str, Any] = {}

        def has_it() -> bool:
            nonlocal found
            found = self.node(name) or {}
            return found.get("status") == status

        self.wait(has_it, timeout_s, f"{name} {status}")
        return found

    def kill(self) -> None:
        """End it as a power cut would; nothing where it has ended."""
        if self._process is not None:
            self._process.kill()
            self._reap()

    def terminate(self) -> int:
        """End it as a service manager would; its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(TIMEOUT_S)
        self._reap()
        return code

    def ended(self, timeout_s: float = TIMEOUT_S) -> int:
        """Wait until it has ended by itself; its exit code."""
        assert self._process is not None
        code = self._process.wait(timeout_s)
        self._reap()
        return code

    def _reap(self) -> None:
        assert self._process is not None
        self._process.wait()
        if self._reader is not None:
            self._reader.join()
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._process = None

    def _ask(self, method: str, path: str, headers: Mapping[str, str], body: str | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("localhost", timeout=40.0)
        try:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(40.0)
            connection.sock.connect(str(self.config.parent / "state" / "api.socket"))
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()
