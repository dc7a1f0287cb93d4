"""GET /metrics: the view as Prometheus reads it, by its conventions for names, units and labels.

1. Labels have only values that the monitor limits: sites, nodes, codes, brokers, targets. A version is what its node
   says: at most 32 characters, one for each node, and none of a node that the roster doesn't list.
2. What isn't known has no sample ("no data" isn't "failed"): a node that wasn't heard since the start, or is paused,
   has no ``alarm_node_up``. No node has it while the monitor reaches no broker or its loop hangs.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from node.core.settings import AlarmClass
from node.monitor.api.operations.operation import STALLED_S, Sources
from node.monitor.core.model.records import Status
from node.monitor.core.view.view_types import Phase, View
from node.sanitize import plain

_PHASES: tuple[Phase, ...] = ("open", "held", "told", "acknowledged")
_COUNTERS = {
    "heartbeats": "Heartbeats heard from nodes.",
    "events": "Events heard from nodes, repeated ones included.",
    "receipts": "Receipts given for stored events (held).",
    "repeated": "Events heard that were stored already.",
    "malformed": "Messages heard that no node of this protocol says.",
    "dropped": "Messages dropped, because more was said than can be heard.",
    "unknown_nodes": "Messages heard from nodes that the roster doesn't know.",
}


class Metrics(Collector):
    """Collects the metrics of one view at a time. ``refused``: how many wrong tokens came since the start."""

    def __init__(self, sources: Sources, refused: Callable[[], int]) -> None:
        self._sources = sources
        self._refused = refused
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self, accept: str) -> tuple[bytes, str]:
        """All of it, and its media type, in the format that an Accept header asks for."""
        try:
            encode, media_type = choose_encoder(accept)
        except (TypeError, ValueError):  # it compares a version's words with numbers
            encode, media_type = choose_encoder("")
        return encode(self._registry), media_type

    def describe(self) -> Iterable[Metric]:
        """Nothing: nobody looks for doubles before there is a view."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The metrics of the newest view."""
        view, age_s = self._sources.view(), self._sources.age_s()
        yield from _of_monitor(view)
        yield _gauge("alarm_monitor_view_age_seconds", "How long ago the monitor last looked.", age_s)
        refused = CounterMetricFamily("alarm_monitor_refused_logins", "Wrong or revoked tokens.")
        refused.add_metric([], self._refused())
        yield refused
        yield from _of_building(view)
        yield from _of_nodes(view, known=not view.blind and age_s <= STALLED_S)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _of_monitor(view: View) -> Iterator[Metric]:
    yield InfoMetricFamily(
        "alarm_monitor", "Which monitor this is.", value={"monitor": plain(view.monitor), "version": view.version}
    )
    yield _gauge("alarm_monitor_blind", "1 where no broker is reached: nothing is known of the nodes.", view.blind)
    yield _gauge("alarm_monitor_history_writable", "0 where events can't be stored.", view.history_ok)
    connected = GaugeMetricFamily("alarm_monitor_broker_connected", "1 where the broker is reached.", labels=["broker"])
    for broker in view.brokers:
        connected.add_metric([plain(broker.name)], broker.connected)
    yield connected
    failing = GaugeMetricFamily("alarm_monitor_target_failing", "1 where people can't be told.", labels=["target"])
    waiting = GaugeMetricFamily("alarm_monitor_target_waiting", "Notices that wait to be told.", labels=["target"])
    told = CounterMetricFamily("alarm_monitor_target_told", "Notices that were told.", labels=["target"])
    for target in view.targets:
        failing.add_metric([plain(target.name)], target.failing)
        waiting.add_metric([plain(target.name)], target.waiting)
        told.add_metric([plain(target.name)], target.told)
    yield from (failing, waiting, told)
    for name, text in _COUNTERS.items():
        counter = CounterMetricFamily(f"alarm_monitor_{name}", text)
        counter.add_metric([], getattr(view.counters, name))
        yield counter
    yield SummaryMetricFamily(
        "alarm_monitor_store_seconds",
        "From an event's arrival to its being stored.",
        count_value=view.counters.stored,
        sum_value=view.counters.stored_s,
    )
    yield SummaryMetricFamily(
        "alarm_monitor_tell_seconds",
        "From a call's arrival to a target's having taken a message about it.",
        count_value=view.counters.told,
        sum_value=view.counters.told_s,
    )


def _of_building(view: View) -> Iterator[Metric]:
    sites = sorted({node.site for node in view.nodes} | {incident.site for incident in view.incidents})
    by_status = Counter((node.site, node.status) for node in view.nodes)
    nodes = GaugeMetricFamily("alarm_monitor_nodes", "Nodes, by what is known of them.", labels=["site", "status"])
    by_phase = Counter((each.site, each.alarm_class, each.phase) for each in view.incidents if not each.test)
    incidents = GaugeMetricFamily(
        "alarm_monitor_open_incidents",
        "Open incidents, tests left out, by how far each has got; open and held: nobody was told.",
        labels=["site", "class", "phase"],
    )
    buttons = GaugeMetricFamily("alarm_monitor_buttons", "Buttons that nodes have.", labels=["site"])
    overdue = GaugeMetricFamily("alarm_monitor_buttons_overdue", "Buttons whose test is overdue.", labels=["site"])
    walk_tests = GaugeMetricFamily("alarm_monitor_walk_tests", "Walk tests that hold.", labels=["site"])
    for site in sites:
        for status in Status:
            nodes.add_metric([site, status], by_status[site, status])
        for alarm_class in AlarmClass:
            for phase in _PHASES:
                incidents.add_metric([site, alarm_class, phase], by_phase[site, alarm_class.value, phase])
        buttons.add_metric([site], sum(each.site == site for each in view.buttons))
        overdue.add_metric([site], sum(each.site == site and each.overdue for each in view.buttons))
        walk_tests.add_metric([site], sum(each.site == site for each in view.walk_tests))
    yield from (nodes, incidents, buttons, overdue, walk_tests)
    findings = GaugeMetricFamily(
        "alarm_monitor_findings",
        "What needs somebody, by its code (OPERATIONS.md) and the node that it is about.",
        labels=["code", "severity", "site", "node"],
    )
    found = Counter((each.code, each.severity, each.site, each.node) for each in view.findings)
    for labels, count in sorted(found.items()):
        findings.add_metric(list(map(plain, labels)), count)
    yield findings


def _of_nodes(view: View, *, known: bool) -> Iterator[Metric]:
    labels = ["site", "node"]
    up = GaugeMetricFamily("alarm_node_up", "1 where the node is heard in time, 0 where it is down.", labels=labels)
    paused = GaugeMetricFamily("alarm_node_paused", "1 during maintenance.", labels=labels)
    heard = GaugeMetricFamily("alarm_node_last_heard_timestamp_seconds", "When it was last heard.", labels=labels)
    incidents = GaugeMetricFamily("alarm_node_open_incidents", "Its open incidents, tests included.", labels=labels)
    missing = GaugeMetricFamily("alarm_node_missing_events", "Its events that never came.", labels=labels)
    trip = GaugeMetricFamily("alarm_node_round_trip_seconds", "Its own round trip to its broker.", labels=labels)
    info = InfoMetricFamily("alarm_node", "The version of its program, where it said one.", labels=labels)
    for node in view.nodes:
        of = [node.site, node.node]
        if known and node.status in {Status.UP, Status.LATE, Status.DOWN}:
            up.add_metric(of, node.status is not Status.DOWN)
        paused.add_metric(of, node.status is Status.PAUSED)
        if node.heard_s is not None:
            heard.add_metric(of, view.at.timestamp() - node.heard_s)
        incidents.add_metric(of, node.incidents)
        missing.add_metric(of, node.missing)
        if node.rtt_ms is not None:
            trip.add_metric(of, node.rtt_ms / 1000)
        if node.known and node.version is not None:
            info.add_metric(of, {"version": plain(node.version)})
    yield from (up, paused, heard, incidents, missing, trip, info)
