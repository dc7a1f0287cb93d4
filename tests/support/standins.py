"""Nodes that are no programs: one connection speaks for many, as PROTOCOL.md says that a node does.

What isn't held is said again when a monitor is heard that wasn't there before, and ``AGAIN_S`` later with each of its
heartbeats. So whatever a monitor loses comes back, unless it has said that it holds it. A call is listed as received
once a monitor says of its newest press that people were told; where none does within ``NOBODY_S``, the node says so.
"""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.support.mqtt import TIMEOUT_S, Client, Received
from tests.support.node import SITE

AGAIN_S = 2.0
NOBODY_S = 5.0
BOOT = "5a5a0001"


class Said(NamedTuple):
    """An event's identity."""

    node: str
    boot: str
    seq: int


@dataclass(slots=True)
class Incident:
    """One call for help; ``first`` is the event that began it, ``press`` its newest press.

    ``pressed_at``: when that press was, None once its node has said that nobody has it. ``told``: all events about it.
    """

    id: str
    node: str
    first: Said
    press: Said
    alarm_class: str
    pressed_at: float | None = None
    presses: int = 1
    phase: str = "active"
    told: list[Said] = field(default_factory=list)

    @property
    def is_calling(self) -> bool:
        """Whether nobody has said to be coming."""
        return self.phase in ("active", "received")


@dataclass(slots=True)
class _Sent:
    payload: dict[str, Any]
    began: float
    at: float


class StandIns:
    """Connected from entering it as a context to leaving it. ``retained``: whether the broker keeps their lists."""

    def __init__(self, port: int, *, site: str = SITE, retained: bool = True) -> None:
        self.incidents: dict[str, Incident] = {}
        self._branch = f"alarm/v1/{site}"
        self._retained = retained
        self._changed = threading.Condition(threading.RLock())
        self._seqs: dict[str, int] = {}
        self._sent: dict[Said, _Sent] = {}
        self._receipts: dict[Said, dict[str, float]] = {}
        self._told: dict[Said, float] = {}
        self._heard: set[str] = set()
        heard = (
            f"{self._branch}/node/+/receipt",
            f"{self._branch}/monitor/+/state",
            f"{self._branch}/monitor/+/heartbeat",
        )
        self._client = Client(port, subscribe=heard, on_received=self._hear)

    @property
    def events(self) -> list[Said]:
        """All that were said."""
        with self._changed:
            return [*self._sent]

    @property
    def receipted(self) -> set[Said]:
        """Those that some monitor has given a receipt for."""
        with self._changed:
            return {*self._receipts}

    def receipts(self, said: Said) -> dict[str, float]:
        """Who has given a receipt for it, and in how many seconds after it was first said."""
        with self._changed:
            return dict(self._receipts.get(said, {}))

    @property
    def told(self) -> dict[Said, float]:
        """The presses of which a monitor has said that people were told, and when that was heard."""
        with self._changed:
            return dict(self._told)

    def age_s(self, said: Said) -> float:
        """How long ago it was first said."""
        with self._changed:
            return time.monotonic() - self._sent[said].began

    def begin(self, *nodes: str) -> None:
        """These nodes are there: births and first events."""
        for node in nodes:
            self._publish(node, "state", {"state": "online", "session": 1}, retain=True)
            self._say(node, "started")

    def press(self, node: str, alarm_class: str = "threat") -> Incident:
        """Somebody calls for help: for the first time, or once more while it is open."""
        with self._changed:
            known = self.incidents.get(node)
            press = Said(node, BOOT, self._seqs.get(node, 0) + 1)
            if known is None:
                known = self.incidents[node] = Incident(f"{BOOT}-{press.seq}", node, press, press, alarm_class)
            else:
                known.presses += 1
            known.press, known.pressed_at, known.phase = press, time.monotonic(), "active"
            self._about(known, "pressed")
            return known

    def acknowledge(self, incident: Incident) -> None:
        """Somebody is coming."""
        with self._changed:
            incident.phase = "acknowledged"
            self._about(incident, "acknowledged", by="guard-desk")

    def reset(self, incident: Incident) -> None:
        """It is over."""
        with self._changed:
            incident.phase = "reset"
            self._about(incident, "reset", by="guard-desk", reason="drill")

    def beat(self, node: str, period_s: float = 10.0) -> None:
        """One heartbeat of a node that is well."""
        button = {"kind": "button", "state": "normal", "wire": "unsupervised"}
        counts = dict.fromkeys(("faults_standing", "incidents", "waiting", "record_depth", "refused", "dropped"), 0)
        said = {"period_s": period_s, "uptime_s": 1.0, "inputs": {"button": button}, "faults": [], "links": {}}
        self._publish(node, "heartbeat", {**said, **counts, "monitors": [], "spilled": False, "health": {}})

    def wait(self, enough: Callable[[], bool], timeout_s: float = TIMEOUT_S, what: str = "the receipts") -> None:
        """Until this is so; looked at with each receipt."""
        with self._changed:
            if not self._changed.wait_for(enough, timeout_s):
                resync = [said for said in self._sent if said not in self._receipts]
                raise AssertionError(f"{what} didn't come within {timeout_s:g} s; without a receipt: {resync}")

    def wait_for_all(self, timeout_s: float = TIMEOUT_S) -> None:
        """Until every event has a receipt."""
        self.wait(lambda: self._sent.keys() == self._receipts.keys(), timeout_s)

    def __enter__(self) -> Self:
        self._client.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.__exit__(kind, value, traceback)

    def _about(self, incident: Incident, kind: str, **fields: object) -> None:
        self._list(incident)
        about = {"class": incident.alarm_class, "incident": incident.id, "presses": incident.presses}
        about["input"] = "button"
        incident.told.append(self._say(incident.node, kind, **about, **fields))

    def _list(self, incident: Incident) -> None:
        open_ones = [incident] if incident.phase != "reset" else []
        listed = [
            {
                "incident": each.id,
                "class": each.alarm_class,
                "input": "button",
                "phase": each.phase,
                "presses": each.presses,
                "since": _now(),
                "press": {"boot": BOOT, "seq": each.press.seq},
            }
            for each in open_ones
        ]
        phase = incident.phase if open_ones else "normal"
        self._publish(incident.node, "alarm", {"phase": phase, "incidents": listed}, retain=self._retained)

    def _say(self, node: str, kind: str, **fields: object) -> Said:
        with self._changed:
            seq = self._seqs[node] = self._seqs.get(node, 0) + 1
            said = Said(node, BOOT, seq)
            now = time.monotonic()
            sent = _Sent({"kind": kind, "seq": seq, "age_ms": 0, **fields}, now, now)
            self._sent[said] = sent
            self._publish(node, "event", sent.payload)
            return said

    def _say_again(self, than_s: float) -> None:
        now = time.monotonic()
        for said, sent in self._sent.items():
            if said not in self._receipts and now - sent.at >= than_s:
                sent.at = now
                self._publish(said.node, "event", {**sent.payload, "age_ms": int((now - sent.began) * 1000)})

    def _publish(self, node: str, kind: str, fields: dict[str, Any], *, retain: bool = False) -> None:
        head = {"v": 1, "node": node, "boot": BOOT, "seq": self._seqs.get(node, 0), "at_utc": _now(), "clock": "free"}
        self._client.send(f"{self._branch}/node/{node}/{kind}", json.dumps({**head, **fields}), retain=retain)

    def _hear(self, received: Received) -> None:
        parts = received.topic.split("/")
        message = json.loads(received.payload)
        with self._changed:
            if parts[-1] == "receipt":
                said = Said(parts[-2], message["event"]["boot"], message["event"]["seq"])
                sent = self._sent.get(said)
                if sent is None:
                    return  # it is another's
                if message["kind"] == "told":
                    self._is_told(said, received.at)
                else:
                    self._receipts.setdefault(said, {}).setdefault(message["monitor"], received.at - sent.began)
                self._changed.notify_all()
            elif message["state"] == "online" and not received.retain:
                is_new = message["boot"] not in self._heard
                if is_new and not self._retained:
                    for incident in self.incidents.values():
                        self._list(incident)
                self._say_again(0.0 if is_new else AGAIN_S)
                self._heard.add(message["boot"])
                self._say_that_nobody_has_it()

    def _is_told(self, said: Said, at: float) -> None:
        self._told.setdefault(said, at)
        incident = self.incidents.get(said.node)
        if incident is not None and incident.press == said and incident.phase == "active":
            incident.phase, incident.pressed_at = "received", None
            self._list(incident)

    def _say_that_nobody_has_it(self) -> None:
        for incident in self.incidents.values():
            pressed_at = incident.pressed_at
            if incident.phase == "active" and pressed_at is not None and time.monotonic() - pressed_at >= NOBODY_S:
                incident.pressed_at = None
                self._about(incident, "nobody", reason="timed-out")


def names(count: int, prefix: str = "wall") -> Sequence[str]:
    """So many names of nodes."""
    return [f"{prefix}-{number:02d}" for number in range(count)]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
