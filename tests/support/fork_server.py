"""The other half of tests/support/prepared.py: has imported the programs, and forks one for each request.

    python -m tests.support.fork_server FD

The socket FD carries requests; it ends with it. It has no threads and opens nothing: what it forks is as new.
"""

import gc
import json
import os
import runpy
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import TextIOWrapper
from typing import Any, Literal, TextIO

import node.cli.check
import node.cli.main
import node.monitor.cli.doctor.monitor_check
import node.monitor.cli.main
import node.monitor.cli.nagios.check_alarm_node
import node.monitor.service.assembly
import node.service.loop
import node.simulate.wall
from node.monitor.notify import sender
from tests.support.prepared import LENGTH, MODULE, STATUS

PROGRAMS: Mapping[str, Callable[[], int]] = {
    "alarm-node": node.cli.main.main,
    "alarm-monitor": node.monitor.cli.main.main,
    "check_alarm_node": node.monitor.cli.nagios.check_alarm_node.main,
}
"""What pyproject.toml names as the programs' beginnings."""


@dataclass(frozen=True, slots=True)
class _Request:
    """A program to be forked; ``files`` become its standard input, output and error."""

    program: str
    arguments: list[str]
    cwd: str
    environ: dict[str, str]
    files: list[int]


def _serve(link: socket.socket) -> _Request | None:
    """Fork until the link is closed. Returns twice: None in this process, its request in each one that is forked."""
    with selectors.DefaultSelector() as selector:
        selector.register(link, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not link:
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    pid, answer = key.data
                    _, status = os.waitpid(pid, 0)
                    answer.sendall(STATUS.pack(os.waitstatus_to_exitcode(status)))
                    answer.close()
                    continue
                head, files, _, _ = socket.recv_fds(link, LENGTH.size, 4)
                if not head:
                    return None
                request, answer = _read(link, head, files)
                pid = os.fork()
                if pid == 0:
                    answer.close()
                    _close_what_others_are_told_by(selector)
                    return request
                for each in request.files:
                    os.close(each)
                pidfd = os.pidfd_open(pid)
                socket.send_fds(answer, [LENGTH.pack(pid)], [pidfd])
                selector.register(pidfd, selectors.EVENT_READ, (pid, answer))


def _read(link: socket.socket, head: bytes, files: list[int]) -> tuple[_Request, socket.socket]:
    content: dict[str, Any] = json.loads(link.recv(LENGTH.unpack(head)[0], socket.MSG_WAITALL))
    return _Request(**content, files=files[:3]), socket.socket(fileno=files[3])


def _close_what_others_are_told_by(selector: selectors.BaseSelector) -> None:
    """Or a process would hold files that aren't its own."""
    for key in selector.get_map().values():
        if key.data is not None:
            os.close(key.fd)
            key.data[1].close()


def _become(request: _Request) -> None:
    """Be the program's process, as a shell would have started it."""
    for number, each in enumerate(request.files):
        os.dup2(each, number)
        os.close(each)
    # New ones, as an interpreter makes them: those of this process know what its own files can do.
    sys.stdin = _text(sys.stdin, "r")
    sys.stdout = _text(sys.stdout, "w")
    sys.stderr = _text(sys.stderr, "w", line_buffering=True)
    os.chdir(request.cwd)
    os.environ.clear()
    os.environ.update(request.environ)
    time.tzset()
    sys.argv[:] = [request.program, *request.arguments]


def _text(former: TextIO, mode: Literal["r", "w"], *, line_buffering: bool = False) -> TextIOWrapper:
    stream: TextIOWrapper = os.fdopen(
        former.fileno(), mode, encoding=former.encoding, errors=former.errors, closefd=False
    )
    stream.reconfigure(line_buffering=line_buffering or stream.isatty())
    return stream


def main() -> None:
    """Serve until the tests have ended."""
    link = socket.socket(fileno=int(sys.argv[1]))
    sender.problem_of("json://nobody.example")  # has Apprise import all of its plugins
    assert threading.active_count() == 1, "a thread isn't there any more in a forked process"
    gc.collect()
    gc.freeze()
    request = _serve(link)
    link.close()
    if request is not None:
        _become(request)
        if request.program == MODULE:
            runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
        else:
            sys.exit(PROGRAMS[request.program]())


if __name__ == "__main__":
    main()
