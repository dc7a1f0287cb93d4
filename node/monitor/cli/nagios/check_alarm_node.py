"""check_alarm_node: a plugin for Nagios, Icinga and Checkmk, which asks the monitor's API about one thing.

1. OK 0, WARNING 1, CRITICAL 2, UNKNOWN 3; the worst of all that is found counts. Wrong usage, --help and --version are
   UNKNOWN.
2. What isn't known is UNKNOWN, never OK: a monitor that reaches no broker, or whose loop hangs, knows no node's state.
3. A monitor that can't be asked is CRITICAL for the mode ``monitor`` alone. For a node or a site it is UNKNOWN: one
   failed monitor must not look like a thousand failed nodes.
"""

import argparse
import re
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from node import __version__
from node.config.files import FileError
from node.io.terminal.output import OutputError, ReaderGoneError, printing
from node.monitor.cli.api_client.http_client import Api, AskError, NothingError, address, read_token
from node.monitor.cli.nagios.plugin import Measure, Range, Report, State, threshold
from node.sanitize import plain

DEFAULT_URL = "http://127.0.0.1:8780"
TIMEOUT_S = 10
STALLED_S = (10.0, 30.0)
"""From which age on a monitor's look at its nodes is a warning, and from which it stands still."""

_NOT_HEARD = {"M001", "M002", "M004"}
"""The findings about nodes that aren't heard: for a site, the thresholds judge those."""

_UNTOLD = {"open", "held"}
"""The phases of an alarm of which nobody was told."""

_REASONS = {
    "silent": "no heartbeat arrives",
    "will": "the broker reports that the connection broke",
    "goodbye": "it was stopped",
}
"""Why a node is down, as people are told it."""

BROKER_AWAY = "broker-away"
"""The reason of a node that only a broker brings which the monitor doesn't reach: how it is isn't known."""

_SEVERITIES = {"critical": State.CRITICAL, "warning": State.WARNING, "notice": State.OK}


def main(arguments: Sequence[str] | None = None) -> int:
    """Check one thing; the exit code."""
    state = State.UNKNOWN
    # Where nobody takes its line any more, its exit code still says how it is.
    with suppress(OutputError, ReaderGoneError, SystemExit), printing():
        parsed = parser().parse_args(arguments)
        report = _within(parsed)
        state = report.state
        print(*report.lines(parsed.verbose), sep="\n")
    return state


def parser() -> argparse.ArgumentParser:
    """The modes and flags; the short ones are those that the guidelines reserve."""
    made = _Parser(
        prog="check_alarm_node",
        description="Check one node, all nodes of a site, or the monitor itself, for Nagios, Icinga and Checkmk.",
    )
    made.add_argument("-V", "--version", action="version", version=f"check_alarm_node {__version__}")
    made.add_argument("-H", "--url", type=_url, default=DEFAULT_URL, help="of the monitor (default: %(default)s)")
    made.add_argument("--token-file", type=Path, help="file with a viewer's token, on one line", metavar="FILE")
    made.add_argument("-t", "--timeout", type=_seconds, default=TIMEOUT_S, help="seconds (default: %(default)s)")
    judged = "node: seconds since heard; site: nodes down; monitor: seconds since it updated its data"
    made.add_argument("-w", "--warning", type=_range, help=judged, metavar="RANGE")
    made.add_argument("-c", "--critical", type=_range, help="as -w; 20, 5:20, @5:20", metavar="RANGE")
    made.add_argument("-v", "--verbose", action="count", default=0, help="each finding with its next step")
    modes = made.add_subparsers(required=True, metavar="MODE", dest="mode")
    modes.add_parser("node", help="one node").add_argument("subject", metavar="SITE/NODE", type=_site_and_node)
    modes.add_parser("site", help="all nodes of a site").add_argument("subject", metavar="SITE")
    modes.add_parser("monitor", help="the monitor itself").set_defaults(subject="monitor")
    return made


def check_node(api: Api, report: Report, parsed: argparse.Namespace) -> None:
    """One node: whether it is heard, and what is wrong with it."""
    detail = api.get("nodes", *parsed.subject.split("/"))
    node = detail["node"]
    known = _is_known(detail, report)
    if known and node["reason"] == BROKER_AWAY:
        known = False
        report.reasons.append((State.UNKNOWN, "the monitor doesn't reach its broker"))
    report.details += [f"place: {node['place']}", *_next_steps(detail["findings"])]
    if node["heard_s"] is not None:
        heard = Measure("heard", round(node["heard_s"] + detail["age_s"], 3), "s", parsed.warning, parsed.critical)
        # A node in maintenance may be silent.
        judged = known and node["status"] != "paused"
        report.measures.append(heard if judged else Measure("heard", heard.value, "s"))
        if judged and heard.state is not State.OK:
            report.reasons.append((heard.state, f"heard {heard.value:g} s ago"))
    report.measures.append(Measure("incidents", node["incidents"]))
    report.reasons += _calls(node["incidents"], detail["incidents"])
    if not known:
        return
    reason = _REASONS.get(node["reason"], node["reason"])
    words = {
        "new": (State.UNKNOWN, "not heard since the monitor's start"),
        "late": (State.WARNING, "late"),
        "down": (State.CRITICAL, f"down ({reason})" if reason else "down"),
        "paused": (State.OK, f"paused until {node['paused_until']}"),
    }
    if node["status"] in words:
        report.reasons.append(words[node["status"]])
    report.reasons += _judged(detail["findings"])


def check_site(api: Api, report: Report, parsed: argparse.Namespace) -> None:
    """All nodes of a site: how many aren't heard, and what else is wrong."""
    fleet = api.get("fleet")
    site = next((each for each in fleet["sites"] if each["site"] == parsed.subject), None)
    if site is None:
        raise NothingError
    known = _is_known(fleet, report)
    none = threshold("0")
    down = Measure("down", site["nodes"]["down"], "", parsed.warning, parsed.critical or none)
    report.measures += [down if known else Measure("down", down.value)]
    report.measures += [Measure(status, count) for status, count in site["nodes"].items() if status != "down"]
    report.measures.append(Measure("incidents", site["incidents"]))
    report.reasons += _calls(site["incidents"], api.items("incidents", site=parsed.subject))
    if not known:
        return
    if not all(broker["connected"] for broker in fleet["brokers"]):
        unseen = sum(each["reason"] == BROKER_AWAY for each in api.items("nodes", site=parsed.subject))
        if unseen:
            report.reasons.append((State.UNKNOWN, f"{unseen} not known: the monitor doesn't reach their broker"))
    findings = list(api.items("findings", site=parsed.subject))
    report.details += _next_steps(findings)
    if down.value:
        names = ", ".join(
            each["node"] for each in api.get("nodes", site=parsed.subject, status="down", limit="10")["items"]
        )
        more = ", ..." if down.value > 10 else ""
        report.reasons.append((down.state, f"{down.value} down ({names}{more})"))
    elif down.state is not State.OK:
        report.reasons.append((down.state, "none down"))
    report.reasons += _judged([finding for finding in findings if finding["code"] not in _NOT_HEARD])


def check_monitor(api: Api, report: Report, parsed: argparse.Namespace) -> None:
    """The monitor itself: whether it decides, hears, stores and tells."""
    fleet = api.get("fleet")
    warning = parsed.warning or threshold(f"{STALLED_S[0]:g}")
    critical = parsed.critical or threshold(f"{STALLED_S[1]:g}")
    age = Measure("age", round(fleet["age_s"], 3), "s", warning, critical)
    report.measures.append(age)
    report.measures.append(Measure("uptime", round(fleet["uptime_s"]), "s"))
    report.measures.append(Measure("waiting", sum(target["waiting"] for target in fleet["targets"])))
    if age.state is not State.OK:
        report.reasons.append((age.state, f"it last looked {age.value:g} s ago"))
    if fleet["blind"]:
        report.reasons.append((State.CRITICAL, "blind: no broker is reached"))
    if not fleet["history_ok"]:
        report.reasons.append((State.CRITICAL, "the history can't be written"))
    own = [finding for finding in api.items("findings") if not finding["node"]]
    report.details += _next_steps(own)
    report.reasons += _judged(own)


_MODES = {"node": check_node, "site": check_site, "monitor": check_monitor}


def _within(parsed: argparse.Namespace) -> Report:
    """The report; after the timeout, whatever the plugin waits for, that it didn't come."""
    report = Report(parsed.subject)
    away = State.CRITICAL if parsed.mode == "monitor" else State.UNKNOWN
    signal.signal(signal.SIGALRM, _too_late)
    signal.setitimer(signal.ITIMER_REAL, parsed.timeout)
    try:
        api = Api(parsed.url, _token(parsed.token_file), parsed.timeout)
        _MODES[parsed.mode](api, report, parsed)
    except TimeoutError:
        return Report(parsed.subject, [(away, f"the monitor didn't answer within {parsed.timeout:g} s")])
    except AskError as error:
        return Report(parsed.subject, [(away if error.away else State.UNKNOWN, str(error))])
    except NothingError:
        return Report(parsed.subject, [(State.UNKNOWN, f"the monitor knows no {parsed.mode} of this name")])
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        return Report(parsed.subject, [(State.UNKNOWN, f"the monitor's answer can't be read: {error!r}")])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return report


def _is_known(told: Any, report: Report) -> bool:
    """Whether what the monitor tells about nodes is so now."""
    if told["blind"]:
        report.reasons.append((State.UNKNOWN, "the monitor is blind: it reaches no broker"))
    elif told["age_s"] > STALLED_S[1]:
        report.reasons.append((State.UNKNOWN, f"the monitor stands still: it last looked {told['age_s']:.0f} s ago"))
    else:
        return True
    return False


def _calls(count: int, incidents: Iterable[Any]) -> Iterator[tuple[State, str]]:
    """An alarm is no fault of a node; but nobody is told that all is well while somebody calls for help.

    Where no target has taken a message about it, whoever reads this may be the first who hears of it.
    """
    untold = sum(each["phase"] in _UNTOLD and not each["test"] for each in incidents) if count else 0
    if untold:
        text = "an alarm of which nobody was told" if untold == 1 else f"{untold} alarms of which nobody was told"
        yield State.CRITICAL, text
    if count:
        yield State.OK, "an alarm is open" if count == 1 else f"{count} alarms are open"


def _judged(findings: Sequence[Any]) -> Iterator[tuple[State, str]]:
    for finding in findings:
        where = "/".join(part for part in (finding["node"], finding["subject"]) if part)
        yield _SEVERITIES.get(finding["severity"], State.UNKNOWN), f"{finding['code']} {where}".strip()


def _next_steps(findings: Sequence[Any]) -> Iterator[str]:
    for each in findings:
        where = "/".join(part for part in (each["site"], each["node"], each["subject"]) if part)
        detail = f" ({each['detail']})" if each["detail"] else ""
        yield f"{each['code']} {where}: {each['text']}{detail}. Next: {each['next']} ({each['page']})"


def _token(path: Path | None) -> str:
    try:
        return "" if path is None else read_token(path)
    except FileError as error:
        raise AskError("the token can't be read from {path}: {why}", path=path, why=error.reason) from None


def _too_late(*_: object) -> NoReturn:
    raise TimeoutError


def _url(text: str) -> str:
    try:
        return address(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} isn't like {DEFAULT_URL}") from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} isn't a number of seconds up to 3600")
    return seconds


def _range(text: str) -> Range:
    try:
        return threshold(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} isn't a range like 20, 5:20 or @5:20") from None


def _site_and_node(text: str) -> str:
    if re.fullmatch(r"[^/]+/[^/]+", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} isn't SITE/NODE, as alarm-monitor status shows it")
    return text


class _Parser(argparse.ArgumentParser):
    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """As argparse, with the guidelines' one exit code; who runs a plugin reads what it prints, so it goes there."""
        if message:
            print(*map(plain, message.split("\n")), sep="\n", end="")
        raise SystemExit(int(State.UNKNOWN))


if __name__ == "__main__":
    sys.exit(main())
