"""What somebody means who types less than a whole name: the alarm that is open, the room that there is once.

Where several could be meant nothing is done, and it is said what to type.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from node.core.settings import AlarmClass
from node.monitor.cli.api_client.monitor_client import ApiError, MonitorClient, NothingThereError, UnknownNameError
from node.monitor.cli.state_words import STATES
from node.monitor.locale.translation import Words, mark
from node.monitor.notify.texts.vocabulary import CLASSES


class SeveralError(ApiError):
    """What was typed may mean several things; ``problems`` says what to type for each."""

    code = "E052"

    def __init__(self, text: str, choices: Iterable[str], **values: object) -> None:
        super().__init__(text, mark("type one of the lines above"), **values)
        self.problems = tuple(choices)


def incident(commands: MonitorClient, action: str, given: str | None, words: Words) -> tuple[tuple[str, str, str], str]:
    """The open alarm that is meant, and a line that says which; "" where it was typed whole.

    A real one is meant before a test, and one that nobody answered before others where somebody comes.
    """
    parts = tuple((given or "").split("/"))
    if len(parts) == 3:
        return parts, ""
    if len(parts) > 3:
        raise UnknownNameError("{given!r} isn't SITE/NODE/INCIDENT", "copy it from alarm-monitor status", given=given)
    found = [each for each in commands.items("incidents") if not given or given in _names(each)]
    found = _preferred(found, lambda each: not each["test"])
    if action == "acknowledge":
        found = _preferred(found, lambda each: each["phase"] != "acknowledged")
    if not found:
        if not given:
            raise NothingThereError("no alarm is open", "nothing needs doing")
        step = mark("list what is open: alarm-monitor status; and what is over: alarm-monitor history")
        raise UnknownNameError("no alarm {incident} is open", step, incident=given)
    lines = [f"alarm-monitor {action} {_line(each, words)}" for each in found]
    if action == "reset" and not given:  # the only open alarm may be another one than people think of
        raise SeveralError("name the alarm that is over", lines)
    if len(found) > 1:
        raise SeveralError("{count} alarms are open", lines, count=len(found))
    only = found[0]
    return (only["site"], only["node"], only["incident"]), _line(only, words)


def _names(incident: Mapping[str, Any]) -> set[str]:
    """By which an alarm may be called."""
    site, node, number = incident["site"], incident["node"], incident["incident"]
    return {number, node, f"{site}/{node}"}


def _preferred(found: list[Any], wanted: Any) -> list[Any]:
    return [each for each in found if wanted(each)] or found


def _line(incident: Mapping[str, Any], words: Words) -> str:
    told = [
        incident["id"],
        incident["place"],
        incident["input"],
        words.translate(CLASSES[AlarmClass(incident["alarm_class"])]),
        words.translate(STATES[incident["phase"]]),
    ]
    return "  ".join(filter(None, (*told, words.say("TEST") if incident["test"] else "")))


def node(commands: MonitorClient, given: str, site: str | None = None) -> tuple[str, str]:
    """The site and the node that are meant by ``room-214`` or ``mitte/room-214``."""
    parts = given.split("/")
    if len(parts) == 2:
        return parts[0], parts[1]
    if len(parts) > 2:
        raise UnknownNameError("{given!r} isn't SITE/NODE", "copy it from alarm-monitor status", given=given)
    sites = sites_of(commands, given, site)
    if not sites:
        raise UnknownNameError("there is no node {node}", "list them: alarm-monitor status", node=given)
    return one_of(given, sites), given


def sites_of(commands: MonitorClient, name: str, site: str | None = None) -> Sequence[str]:
    """The sites that have a node of this name."""
    return [each["site"] for each in commands.items("nodes", site=site) if each["node"] == name]


def one_of(name: str, sites: Sequence[str]) -> str:
    """The only one of these sites; SeveralError where there are more."""
    if len(sites) > 1:
        raise SeveralError(
            "{node} is at {count} sites", [f"{each}/{name}" for each in sites], node=name, count=len(sites)
        )
    return sites[0]


def walk_test(commands: MonitorClient) -> str:
    """The id of the only walk test that holds."""
    walks = list(commands.items("walk-tests"))
    if not walks:
        raise NothingThereError("no walk test is running", "nothing needs doing")
    if len(walks) > 1:
        lines = [f"alarm-monitor walk-test end {each['id']}  {each['site']}" for each in walks]
        raise SeveralError("{count} walk tests are running", lines, count=len(walks))
    return str(walks[0]["id"])
