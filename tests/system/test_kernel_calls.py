"""How often a node calls the kernel: at rest, where calls cost power, and for a press, where each one takes time.

strace counts. So the numbers depend on no machine; ``make bench`` measures times (deploy/design/PERFORMANCE.md).
"""

import re
from collections import Counter
from pathlib import Path

from tests.support.broker import Broker
from tests.support.desk import Desk
from tests.support.node import SimulatedNode, wait_until, write_config

BEATS = 5
REST_MOST = 40
"""Calls for one heartbeat, of all threads, its status file among them (25). Between two there are none."""

PRESS_MOST = 160
"""From the press until people were told and the button was let go (120): buzzer, broker, record and log."""

_CALL = re.compile(r"^\d+ +(\w+)\(", re.MULTILINE)
_UNSEEN = "trace=!clock_gettime,futex"
"""How often threads wait for each other, and look at the time they have used, depends on the machine."""


def _calls(trace: Path, since: int = 0) -> Counter[str]:
    """The calls in this file behind so many bytes."""
    return Counter(_CALL.findall(trace.read_bytes()[since:].decode(errors="replace")))


def test_a_node_calls_the_kernel_seldom(tmp_path: Path, broker: Broker) -> None:
    """At rest, and for one press that is received and let go."""
    trace = tmp_path / "calls"
    config = write_config(tmp_path, broker.port, heartbeat_s=1)
    strace = ("strace", "-f", "-qq", "-e", _UNSEEN, "-e", "signal=none", "-o", str(trace))
    with Desk(broker.port, receipts=True) as desk, SimulatedNode(config, prefix=strace) as node:
        desk.beat()
        for _ in range(3):
            desk.receive("heartbeat")
        begun = trace.stat().st_size
        for _ in range(BEATS):
            desk.receive("heartbeat")
        rest = _calls(trace, begun)

        begun, mark = trace.stat().st_size, node.mark
        node.tap()
        node.expect(since=mark, ladder="told")
        desk.receive("event", kind="restored")
        wait_until(lambda: trace.stat().st_size > begun, what="a press in the file")
        press = _calls(trace, begun)
        node.quit()

    assert 0 < rest.total() <= BEATS * REST_MOST, rest
    assert 0 < press.total() <= PRESS_MOST, press
