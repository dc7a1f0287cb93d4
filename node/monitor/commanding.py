"""The running monitor, asked by the commands: by its socket or with a token; errors end with the next step."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from node.errors import AlarmNodeError
from node.monitor.client import UNIX, Api, AskError, NothingError

ANSWER_S = 40.0
"""Beyond the longest time that the monitor itself waits for a node's answer."""

SOCKET = "api.socket"
"""In the state directory: where the commands of this machine reach the monitor."""

LOOK_S = 10.0
"""As long as somebody who only looks may see what isn't so any more."""


COMPLETE_S = 1.0
"""As long as somebody who pressed Tab waits."""


class ApiError(AlarmNodeError):
    """The monitor can't be asked, or refuses. ``template`` has the ``values`` of its text yet to be filled in."""

    code = "E031"

    def __init__(self, text: str, next_step: str, **values: object) -> None:
        super().__init__(text.format(**values), next_step)
        self.template, self.values = text, values


def on_this_machine(directory: Path, answer_s: float = ANSWER_S) -> Api:
    """The monitor whose state directory this is: whoever may open its socket may ask everything."""
    return Api(f"{UNIX}{directory / SOCKET}", "", answer_s)


class Commands:
    """The monitor that is asked by ``api``. Every method raises ApiError."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def get(self, *path: str) -> Any:
        """What there is."""
        return self._call("GET", *path)

    def items(self, *path: str, **query: str | None) -> Iterator[Any]:
        """All items of a list, a page in memory at a time."""
        wanted = {name: value for name, value in query.items() if value is not None}
        try:
            yield from self._api.items(*path, **wanted)
        except NothingError:
            raise ApiError(
                "the running monitor has no such list", "start it anew if it is older than this command"
            ) from None
        except (AskError, TimeoutError) as problem:
            raise _explained(problem) from problem

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
            raise ApiError(
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
            return self._api.call(method, *path, body=body)
        except NothingError:
            raise _nothing(path) from None
        except (AskError, TimeoutError) as problem:
            if path == ("walk-tests",) and isinstance(problem, AskError) and problem.values.get("status") == 422:
                raise _nothing(path) from None  # what isn't even a name
            raise _explained(problem) from problem


def _nothing(path: tuple[str, ...]) -> ApiError:
    """What isn't there, by its name."""
    match path:
        case ("incidents", site, node, incident, *_):
            return ApiError(
                "no alarm {incident} is open",
                "see what is open: alarm-monitor status; and what is over: alarm-monitor history",
                incident=f"{site}/{node}/{incident}",
            )
        case ("nodes", *names):
            name = "/".join(names[:2])
            return ApiError("there is no node {node}", "see which there are: alarm-monitor status", node=name)
        case ("targets", name, *_):
            return ApiError("there is no target {name}", "see which there are: alarm-monitor check", name=name)
        case ("walk-tests", name):
            return ApiError("no walk test {id} holds", "see which do: alarm-monitor walk-test list", id=name)
        case ("walk-tests",):
            return ApiError("there is no such node, floor or site", "see which nodes there are: alarm-monitor status")
        case _:
            return ApiError("there is no such thing", "look at what there is: alarm-monitor status")


def _explained(problem: AskError | TimeoutError) -> ApiError:
    if isinstance(problem, TimeoutError):
        return ApiError("the monitor doesn't answer in time", "see its log: journalctl -u alarm-monitor")
    if problem.away:
        return ApiError(
            problem.text,
            "start it: systemctl start alarm-monitor; or name its configuration with --config",
            **problem.values,
        )
    if problem.denied:
        return ApiError(
            problem.text,
            "run this as root or as the monitor's account; or name a token with --token-file",
            **problem.values,
        )
    if problem.values.get("status") == 401:
        return ApiError(
            "the monitor doesn't know this token, or it was revoked",
            "name a valid one with --token-file; see which are: alarm-monitor token list",
        )
    if problem.values.get("status") == 403:
        return ApiError(
            "this token may not do that",
            "name one of a responder or a manager with --token-file; see which are: alarm-monitor token list",
        )
    if problem.next_step:
        return ApiError(problem.text, problem.next_step, **problem.values)
    return ApiError(problem.text, "see the monitor's log: journalctl -u alarm-monitor", **problem.values)
