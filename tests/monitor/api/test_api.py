"""The API over real HTTP: what can be looked at, what can be done, and how it says no."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from node.errors import AlarmNodeError
from node.monitor.api.operations import actions
from node.monitor.core.model import requests
from node.monitor.core.model.catalogue import DOWN
from node.monitor.core.model.records import IncidentKey, NodeKey, Role
from node.monitor.core.model.requests import Answer, RecordFilter
from tests.support.building import INCIDENT, building, node
from tests.support.web import Behind, Site, serving

API = "/api/v1"
DONE = {"id": "", "note": "", "until": None, "replaced_by": "", "replaced_until": None}
DESK = NodeKey("mitte", "desk-1")
CALL = IncidentKey("mitte", "desk-1", INCIDENT)


@pytest.fixture(scope="module")
def served() -> Iterator[Site]:
    """A server for all tests here."""
    with serving(Behind()) as site:
        yield site


@pytest.fixture
def site(served: Site) -> Site:
    """The server, with everything behind it as it was."""
    fresh = Behind()
    for name in ("view", "age_s", "answer"):
        setattr(served.behind, name, getattr(fresh, name))
    served.behind.asked.clear()
    served.behind.history.failing = None
    return served


def get(site: Site, path: str, status: int = 200, /, **query: Any) -> Any:
    """What a viewer gets."""
    response = site.client(Role.VIEWER).get(f"{API}{path}", params=query)
    assert response.status_code == status, response.text
    return response.json()


def names(page: Any) -> list[str]:
    """Which nodes a page is about."""
    return [item["node"] for item in page["items"]]


def test_the_fleet_is_told_in_numbers(site: Site) -> None:
    """One look says how many nodes, calls and findings there are at each site, and how old the look is."""
    fleet = get(site, "/fleet")

    assert fleet["age_s"] == 0.25
    assert fleet["sites"] == [
        {
            "site": "mitte",
            "nodes": {"new": 1, "up": 1, "late": 1, "down": 1, "paused": 1},
            "incidents": 1,
            "findings": {"critical": 1, "warning": 2, "notice": 1},
        }
    ]
    assert [target["failing"] for target in fleet["targets"]] == [True]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["desk-1", "desk-2", "desk-3", "desk-4", "desk-5"]),
        ({"status": "down"}, ["desk-3"]),
        ({"site": "mitte", "floor": "2", "limit": 2}, ["desk-1", "desk-2"]),
        ({"site": "nord"}, []),
        ({"floor": "3"}, []),
    ],
)
def test_nodes_are_found_by_what_they_are(site: Site, query: dict[str, Any], expected: list[str]) -> None:
    """Site, floor and status narrow the list."""
    page = get(site, "/nodes", **query)

    assert names(page) == expected


def test_a_long_list_comes_whole_page_by_page(site: Site) -> None:
    """Whoever follows the cursors gets each node once, even if one before them has gone meanwhile."""
    first = get(site, "/nodes", limit=2)
    site.behind.view = building(nodes=site.behind.view.nodes[1:])
    second = get(site, "/nodes", limit=2, cursor=first["next"])
    third = get(site, "/nodes", limit=2, cursor=second["next"])

    assert names(first) + names(second) + names(third) == ["desk-1", "desk-2", "desk-3", "desk-4", "desk-5"]
    assert third["next"] is None


def test_a_node_is_told_with_all_that_is_about_it(site: Site) -> None:
    """One request is enough to judge one node."""
    detail = get(site, "/nodes/mitte/desk-3")

    assert detail["node"]["status"] == "down"
    assert [finding["code"] for finding in detail["findings"]] == ["M001", "M003"]
    assert detail["incidents"] == detail["buttons"] == []
    assert (detail["blind"], detail["age_s"]) == (False, 0.25)


def test_the_worst_finding_comes_first(site: Site) -> None:
    """Who reads only the first line reads the right one."""
    page = get(site, "/findings")

    assert [item["code"] for item in page["items"]] == ["M001", "M010", "M003", "M006", "M007"]


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/findings", {"severity": "warning"}, ["desk-3", "desk-2"]),
        ("/findings", {"node": "desk-2"}, ["desk-2", "desk-2"]),
        ("/incidents", {}, ["desk-1"]),
        ("/incidents", {"node": "desk-2"}, []),
        ("/buttons", {}, ["desk-1", "desk-2"]),
        ("/buttons", {"site": "nord"}, []),
    ],
)
def test_what_is_now_is_found_by_node_and_site(
    site: Site, path: str, query: dict[str, str], expected: list[str]
) -> None:
    """Findings, open incidents and buttons."""
    page = get(site, path, **query)

    assert names(page) == expected


def test_walk_tests_that_hold_are_told(site: Site) -> None:
    """With what is tested and what isn't yet."""
    page = get(site, "/walk-tests", site="mitte")

    assert [(item["id"], item["untested"]) for item in page["items"]] == [("w-1", ["desk-2/button"])]


@pytest.mark.parametrize("path", ["/events", "/findings/past", "/incidents/past", "/flips", "/tests"])
def test_the_history_comes_page_by_page(site: Site, path: str) -> None:
    """What the history's cursor says is handed on as it is."""
    first = get(site, path, limit=2)
    second = get(site, path, limit=2, cursor=first["next"])

    assert [len(first["items"]), len(second["items"])] == [2, 1]
    assert second["next"] is None


def test_the_history_is_asked_for_what_is_wanted(site: Site) -> None:
    """Each word of the query reaches it; instants in any zone mean the same."""
    get(
        site,
        "/events",
        site="mitte",
        node="desk-1",
        input="button",
        kind="pressed",
        incident=INCIDENT,
        since="2026-03-01T01:00:00+01:00",
        until="2026-03-02T00:00:00Z",
    )

    assert site.behind.history.asked == RecordFilter(
        site="mitte",
        node="desk-1",
        input="button",
        kind="pressed",
        incident=INCIDENT,
        since_utc=datetime(2026, 3, 1, tzinfo=UTC),
        until_utc=datetime(2026, 3, 2, tzinfo=UTC),
    )


def test_past_findings_are_asked_for_by_their_code(site: Site) -> None:
    """Beside node, site and time."""
    get(site, "/findings/past", node="desk-1", code="M001", until="2026-03-02T00:00:00Z")

    assert site.behind.history.asked == RecordFilter(
        node="desk-1", kind="M001", until_utc=datetime(2026, 3, 2, tzinfo=UTC)
    )


def test_a_past_finding_says_from_when_until_when_and_where_it_was(site: Site) -> None:
    """In the words of one that is open; which one of them may be, too."""
    page = get(site, "/findings/past")

    assert [item["until"] for item in page["items"]] == [None, "2026-03-02T09:30:00Z", "2026-03-02T09:30:00Z"]
    assert page["items"][2] == {
        "code": "M001",
        "severity": "critical",
        "site": "mitte",
        "node": "desk-1",
        "subject": "",
        "place": "Room desk-1",
        "since": "2026-02-27T09:30:00Z",
        "until": "2026-03-02T09:30:00Z",
        "text": DOWN.text,
        "count": None,
        "detail": "silent",
    }


def test_an_event_is_told_as_the_node_said_it(site: Site) -> None:
    """Its message is JSON within JSON, and null where the content isn't kept."""
    page = get(site, "/events")

    assert [item["message"] for item in page["items"]] == [{"v": 1, "kind": "pressed"}] * 2 + [None]


def test_a_past_incident_has_its_phase_and_its_place(site: Site) -> None:
    """As one that is open."""
    page = get(site, "/incidents/past")

    assert [item["phase"] for item in page["items"]] == ["acknowledged", "held", "open"]
    assert {item["place"] for item in page["items"]} == {"Room desk-1"}


def test_a_history_that_fails_says_what_to_do(site: Site) -> None:
    """Its own words and its own next step reach who asks."""
    site.behind.history.failing = AlarmNodeError("the database is away", "start it")

    problem = get(site, "/events", 503)

    assert (problem["detail"], problem["next"]) == ("the database is away", "start it")


@pytest.mark.parametrize(
    ("role", "path", "body", "expected"),
    [
        (Role.RESPONDER, f"/incidents/{CALL}/acknowledge", None, requests.Acknowledge(CALL, "desk-responder")),
        (Role.RESPONDER, f"/incidents/{CALL}/silence", {}, requests.Silence(CALL, "desk-responder")),
        (
            Role.RESPONDER,
            f"/incidents/{CALL}/reset",
            {"reason": "drill"},
            requests.Reset(CALL, "desk-responder", "drill"),
        ),
        (Role.RESPONDER, f"/nodes/{DESK}/identify", {}, requests.Identify(DESK, "desk-responder", 10.0)),
        (Role.MANAGER, f"/nodes/{DESK}/identify", {"for_s": 5}, requests.Identify(DESK, "desk-manager", 5.0)),
        (
            Role.MANAGER,
            f"/nodes/{DESK}/pause",
            {"reason": "painting", "for_s": 3600},
            requests.PauseNode(DESK, "desk-manager", "painting", 3600.0),
        ),
        (Role.MANAGER, f"/nodes/{DESK}/resume", None, requests.Resume(DESK, "desk-manager")),
    ],
)
def test_what_is_asked_reaches_who_decides(
    site: Site, role: Role, path: str, body: object, expected: requests.Request
) -> None:
    """With the token's name as who asks."""
    response = site.client(role).post(f"{API}{path}", json=body)

    assert (response.status_code, response.json()) == (200, DONE)
    assert site.behind.asked == [expected]


def test_a_walk_test_is_begun_and_ended(site: Site) -> None:
    """Its id comes back with its beginning, and ends it."""
    site.behind.answer = Answer("done", id="w-2")
    asked = {"site": "mitte", "for_s": 600, "floor": "2", "nodes": ["desk-1"]}

    begun = site.client(Role.MANAGER).post(f"{API}/walk-tests", json=asked)
    ended = site.client(Role.MANAGER).delete(f"{API}/walk-tests/{begun.json()['id']}")

    assert (begun.status_code, ended.status_code) == (201, 200)
    assert site.behind.asked == [
        requests.StartWalkTest("mitte", "desk-manager", 600.0, "2", ("desk-1",)),
        requests.EndWalkTest("w-2", "desk-manager"),
    ]


@pytest.mark.parametrize(
    ("answer", "status", "word"),
    [
        (Answer("refused", "reset already"), 409, "reset already"),
        (Answer("refused", "pressed-again"), 409, "somebody has pressed again in the meantime (pressed-again)"),
        (Answer("unanswered"), 504, "the monitor has noted that somebody is coming"),
        (Answer("unknown"), 404, "no such"),
    ],
)
def test_what_came_to_nothing_says_so(site: Site, answer: Answer, status: int, word: str) -> None:
    """Never a 200 for what wasn't done."""
    site.behind.answer = answer

    response = site.client(Role.RESPONDER).post(f"{API}/incidents/{CALL}/acknowledge")

    assert response.status_code == status
    assert word in response.json()["detail"]


def test_an_end_that_the_node_does_not_know_of_says_so(site: Site) -> None:
    """Who ends an alarm of a node that is down must know that it may come back in alarm."""
    site.behind.answer = Answer("done", "only-here")

    response = site.client(Role.RESPONDER).post(f"{API}/incidents/{CALL}/reset", json={"reason": "real"})

    assert response.status_code == 200
    assert response.json()["note"] == (
        "this ends the alarm at the monitor only: the node may still be in alarm, so go there. The monitor "
        "tells the node once it is back"
    )


def test_what_is_left_out_of_a_walk_test_is_told(site: Site) -> None:
    """Nobody takes a button for tested whose node is down."""
    site.behind.answer = Answer("done", "left out: desk-2 (down)", id="w-2")

    begun = site.client(Role.MANAGER).post(f"{API}/walk-tests", json={"site": "mitte", "for_s": 600})

    assert begun.json() == {**DONE, "id": "w-2", "note": "left out: desk-2 (down)"}


def test_a_deciding_thread_that_hangs_is_told_and_may_still_answer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asked isn't left hanging; and the late answer doesn't raise where it is given."""
    monkeypatch.setattr(actions, "ANSWER_S", 0.05)
    site.behind.answer = None

    response = site.client(Role.RESPONDER).post(f"{API}/incidents/{CALL}/acknowledge")

    assert response.status_code == 504
    site.behind.futures[-1].set_result(Answer("done"))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nodes/mitte/desk-9", 404),
        ("GET", "/nodes/mitte/DESK", 404),
        ("GET", "/nodes/mitte/desk-1%0A", 404),
        ("GET", "/nodes/", 404),
        ("GET", "/nodes?cursor=never", 404),
        ("GET", "/events?cursor=never", 404),
        ("GET", "/nothing", 404),
        ("GET", "/nodes?colour=red", 422),
        ("GET", "/nodes?status=dead", 422),
        ("GET", "/nodes?limit=0", 422),
        ("GET", "/nodes?limit=1001", 422),
        ("GET", "/nodes?limit=+5", 422),
        ("GET", "/nodes?limit=1&limit=2", 422),
        ("GET", "/fleet?limit=1", 422),
        ("GET", "/events?since=2026-03-01T00:00:00", 422),
        ("GET", "/events?since=5", 422),
        ("GET", "/events?kind=nothing", 422),
        ("GET", f"/nodes?floor={'2' * 5000}", 414),
        ("DELETE", "/fleet", 405),
        ("POST", "/nodes", 405),
        ("PUT", "/walk-tests", 405),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_next_step(site: Site, method: str, path: str, status: int) -> None:
    """Unknown paths, fields and values change nothing and say what to do."""
    response = site.client(Role.MANAGER).request(method, f"{API}{path}")

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == status
    assert response.json()["next"]
    assert status != 405 or response.headers["allow"]


@pytest.mark.parametrize(
    ("path", "body", "media_type", "status"),
    [
        (f"/incidents/{CALL}/reset", b'{"reason": "boredom"}', "application/json", 422),
        (f"/incidents/{CALL}/reset", b'{"reason": "real", "by": "someone"}', "application/json", 422),
        (f"/incidents/{CALL}/reset", b"", "application/json", 400),
        (f"/incidents/{CALL}/reset", b'{"reason": "\xff"}', "application/json", 400),
        (f"/incidents/{CALL}/reset", b'{"reason": "real"}', "text/plain", 415),
        (f"/incidents/{CALL}/acknowledge", b'{"by": "someone"}', "application/json", 422),
        (f"/incidents/{CALL}/acknowledge", b"{" + b" " * 17_000 + b"}", "application/json", 413),
        (f"/nodes/{DESK}/identify", b'{"for_s": 61}', "application/json", 422),
        (f"/nodes/{DESK}/pause", b'{"for_s": 3600}', "application/json", 422),
        (f"/nodes/{DESK}/pause", b'{"for_s": 3600, "reason": "a\\nb"}', "application/json", 422),
        (f"/nodes/{DESK}/pause", b'{"for_s": 99999999, "reason": "a"}', "application/json", 422),
        ("/walk-tests", b'{"site": "mitte", "for_s": 3601}', "application/json", 422),
    ],
)
def test_a_body_that_makes_no_sense_asks_nobody(
    site: Site, path: str, body: bytes, media_type: str, status: int
) -> None:
    """Whatever is wrong with it, who decides hears nothing of it."""
    response = site.client(Role.MANAGER).post(f"{API}{path}", content=body, headers={"Content-Type": media_type})

    assert response.status_code == status
    assert site.behind.asked == []


def test_a_mistake_in_the_program_shows_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    """Who asks learns that it is one; the log has the rest."""
    behind = Behind()
    behind.history.failing = KeyError("a secret thing")

    with serving(behind) as site:
        problem = get(site, "/events", 500)

    assert "secret" not in str(problem)
    assert "a secret thing" in caplog.text


@pytest.mark.parametrize(
    ("changes", "age_s", "status", "word"),
    [
        ({}, 1.0, 200, "ok"),
        ({"blind": True}, 1.0, 503, "blind"),
        ({"history_ok": False}, 1.0, 503, "history"),
        ({}, 11.0, 503, "stalled"),
        ({"nodes": (node("desk-1"),), "incidents": ()}, 10.0, 200, "ok"),
    ],
)
def test_health_is_one_word(site: Site, changes: dict[str, Any], age_s: float, status: int, word: str) -> None:
    """For whom there is no token: nothing about the building, and never ok while the monitor stands still."""
    site.behind.view = building(**changes)
    site.behind.age_s = age_s

    response = site.client(None).get("/healthz")

    assert (response.status_code, response.text) == (status, f"{word}\n")
