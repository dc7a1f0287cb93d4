"""The running monitor, asked by the commands: by its socket or with a token; errors end with the next step."""

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

from node.errors import AlarmNodeError
from node.monitor.cli.api_client.http_client import UNIX, Api, AskError, NothingError, StrangerError, UntrustedError
from node.monitor.core.model.monitor_settings import SOCKET

ANSWER_S = 40.0
"""Beyond the longest time that the monitor itself waits for a node's answer."""


LOOK_S = 10.0
"""As long as somebody who only looks may see what isn't so any more."""


COMPLETE_S = 1.0
"""As long as somebody who pressed Tab waits."""

Where = Literal["here", "elsewhere", "nowhere"]
"""Where the monitor is that is asked: set up on this machine, at an address that was named, or neither."""

_AWAY: Mapping[Where, str] = {
    "here": "find out why it doesn't run: sudo alarm-monitor check; or name its configuration with --config",
    "elsewhere": "check the address (--url or ALARM_MONITOR_URL), "
    "or ask the people who run the monitor whether it is running",
    "nowhere": "give its address with --url or ALARM_MONITOR_URL, and a token with --token-file or in "
    "~/.config/alarm-monitor/token; on the monitor's own machine: alarm-monitor init",
}
_LOG: Mapping[Where, str] = {
    "here": "look into its log: journalctl -u alarm-monitor",
    "elsewhere": "ask the people who run the monitor to look into its log: journalctl -u alarm-monitor",
    "nowhere": "look into its log: journalctl -u alarm-monitor",
}

_REFUSED = re.compile(r"refused: (?P<why>.+?)(?: \([a-z-]+\))?")
"""How a monitor says why; the word in brackets is for tools, and for the search in a log."""


class ApiError(AlarmNodeError):
    """The monitor doesn't answer; what derives from it has a code and a next step of its own.

    ``template`` has the ``values`` of its text yet to be filled in.
    """

    code = "E031"

    def __init__(self, text: str, next_step: str, **values: object) -> None:
        super().__init__(text.format(**values), next_step)
        self.template, self.values = text, values


class NoMonitorError(ApiError):
    """It isn't known which monitor is meant: none is set up here, and no address is given."""

    code = "E053"


class AddressError(ApiError):
    """The address isn't a monitor's: it is written wrongly, or something else answers there."""

    code = "E054"


class CertificateError(ApiError):
    """The certificate at the address isn't accepted."""

    code = "E055"


class TokenError(ApiError):
    """There is no token, or the monitor doesn't know it."""

    code = "E056"


class RoleError(ApiError):
    """The token's role may not do this."""

    code = "E057"


class AccountError(ApiError):
    """This account of the machine may not do this; root may."""

    code = "E058"


class UnknownNameError(ApiError):
    """What was typed names nothing that there is, or lacks a name."""

    code = "E059"


class NothingThereError(ApiError):
    """There is nothing of this kind: no alarm is open, no walk test runs, no target is set up."""

    code = "E060"


class RefusedError(ApiError):
    """The monitor or the node refuses, and says why."""

    code = "E061"


def on_this_machine(directory: Path, answer_s: float = ANSWER_S) -> Api:
    """The monitor whose state directory this is: whoever may open its socket may ask everything."""
    return Api(f"{UNIX}{directory / SOCKET}", "", answer_s)


class MonitorClient:
    """The monitor that is asked by ``api``. Every method raises ApiError, whose next step is one for ``where``."""

    def __init__(self, api: Api, where: Where = "here") -> None:
        self.api = api
        self._where = where

    def get(self, *path: str) -> Any:
        """What there is."""
        return self._call("GET", *path)

    def items(self, *path: str, **query: str | None) -> Iterator[Any]:
        """All items of a list, a page in memory at a time."""
        wanted = {name: value for name, value in query.items() if value is not None}
        try:
            yield from self.api.items(*path, **wanted)
        except NothingError:
            raise RefusedError(
                "the running monitor has no such list", "restart the monitor if it is older than this command"
            ) from None
        except (AskError, TimeoutError) as problem:
            raise explained(problem, self._where) from problem

    def known(self, *path: str, site: str | None, node: str | None = None, **query: str | None) -> Iterator[Any]:
        """As ``items``; where there is nothing, and no such site or node, that is said: it looks like a quiet one."""
        items = self.items(*path, site=site, node=node, **query)
        try:
            first = next(items, None)
        except ApiError:
            self._must_have(site, node)  # it isn't even a name, say
            raise
        if first is None:
            self._must_have(site, node)
            return
        yield first
        yield from items

    def _must_have(self, site: str | None, node: str | None) -> None:
        sites = [each["site"] for each in self.get("fleet")["sites"]]
        if site is not None and site not in sites:
            raise UnknownNameError(
                "there is no site {site}; there are: {sites}",
                "name one of these, or leave --site out",
                site=site,
                sites=", ".join(sites) or "-",
            )
        if node is not None and node not in {each["node"] for each in self.items("nodes", site=site)}:
            raise _nothing(("nodes", site, node) if site else ("nodes", node))

    def post(self, *path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask for something to be done."""
        return self._call("POST", *path, body=body)

    def delete(self, *path: str) -> Any:
        """End something."""
        return self._call("DELETE", *path)

    def _call(self, method: str, *path: str, body: Mapping[str, Any] | None = None) -> Any:
        try:
            return self.api.call(method, *path, body=body)
        except NothingError:
            raise _nothing(path) from None
        except (AskError, TimeoutError) as problem:
            if path == ("walk-tests",) and isinstance(problem, AskError) and problem.status == 422:
                raise _nothing(path) from None  # what isn't even a name
            raise explained(problem, self._where) from problem


def _nothing(path: tuple[str, ...]) -> ApiError:
    """What isn't there, by its name."""
    match path:
        case ("incidents", site, node, incident, *_):
            return UnknownNameError(
                "no alarm {incident} is open",
                "list what is open: alarm-monitor status; and what is over: alarm-monitor history",
                incident=f"{site}/{node}/{incident}",
            )
        case ("nodes", *names):
            name = "/".join(names[:2])
            return UnknownNameError("there is no node {node}", "list them: alarm-monitor status", node=name)
        case ("targets", name, *_):
            return UnknownNameError(
                "there is no target {name}", "list the targets: sudo alarm-monitor check", name=name
            )
        case ("walk-tests", name):
            return UnknownNameError(
                "there is no running walk test {id}", "list them: alarm-monitor walk-test list", id=name
            )
        case ("walk-tests",):
            return UnknownNameError("there is no such node, floor or site", "list the nodes: alarm-monitor status")
        case _:
            return UnknownNameError("there is no such thing", "list what there is: alarm-monitor status")


def explained(problem: AskError | TimeoutError, where: Where) -> ApiError:
    """What people are told of this, with a next step for where the monitor is."""
    if isinstance(problem, TimeoutError):
        return ApiError("the monitor doesn't answer in time", _LOG[where])
    if problem.away and where == "nowhere":
        return NoMonitorError(
            "no monitor is set up on this machine, and no address of another one is given", _AWAY[where]
        )
    if problem.away:
        return ApiError(problem.text, _AWAY[where], **problem.values)
    if problem.denied:
        return AccountError(
            problem.text,
            "run this with sudo, or name a token with --token-file; the technician makes one: "
            "sudo alarm-monitor token create guard-pc --role responder",
            **problem.values,
        )
    if problem.status == HTTPStatus.UNAUTHORIZED:
        return TokenError(
            "the monitor doesn't know this token, or it was revoked",
            "name a valid one with --token-file, or ask the technician for one: "
            "sudo alarm-monitor token create guard-pc --role responder",
        )
    values = dict(problem.values)
    refused = _REFUSED.fullmatch(str(values.get("detail", "")))
    if refused is not None:
        values["detail"] = refused["why"]
    made = _ERRORS.get(problem.status) or _ERRORS[type(problem)]
    return made(problem.text, problem.next_step or _LOG[where], **values)


_ERRORS: Mapping[object, type[ApiError]] = {
    HTTPStatus.FORBIDDEN: RoleError,
    StrangerError: AddressError,
    UntrustedError: CertificateError,
    AskError: RefusedError,
}
"""What people are told of a refusal: by its HTTP status, else by its type."""
