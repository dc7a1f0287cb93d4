"""Why a command doesn't do it, as people read it: a sentence and a next step, in their language, for where they are."""

import ast
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

import pytest

from node.core import commands
from node.monitor.api.operations.answers import REFUSALS, UNHEARD_OF, UNSAID
from node.monitor.cli.api_client import which_monitor
from node.monitor.cli.api_client.http_client import Api
from node.monitor.cli.api_client.monitor_client import ApiError, MonitorClient, Where, explained
from node.monitor.cli.api_client.which_monitor import reach
from node.monitor.cli.output.replies import refused, words_of
from node.monitor.core.model.records import Role
from node.monitor.core.model.requests import Answer
from tests.support.broker import free_port
from tests.support.certificates import Authority, Pair
from tests.support.monitor import write_monitor
from tests.support.strangers import serving_page
from tests.support.web import SECRETS, Behind, serving

GERMAN = words_of("de")
TOKEN = SECRETS[Role.MANAGER]


def said(url: str, token: str = TOKEN, where: Where = "elsewhere", *, post: bool = False) -> tuple[str, str]:
    """What somebody is told who asks there, in English and in German."""
    asked = MonitorClient(Api(url, token, 5.0), where)
    with pytest.raises(ApiError) as caught:
        asked.post("nodes", "mitte", "desk-1", "resume") if post else asked.get("fleet")
    return str(caught.value), refused(caught.value, GERMAN)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """A certificate that nobody here trusts."""
    return Authority(tmp_path / "authority.pem").issue("guards", tmp_path, "127.0.0.1")


def test_https_to_a_port_that_speaks_http_is_said() -> None:
    """Not the words of a TLS library."""
    with serving(Behind()) as site:
        english, german = said(site.url.replace("http:", "https:"))

    address = site.url.removeprefix("http://")
    assert english.startswith(
        f"E054 {address} speaks http, and is asked by https. Next: begin the address with http://"
    )
    assert german.startswith(f"E054 {address} spricht http und wird über https gefragt. Zu tun: die Adresse mit ")


@pytest.mark.parametrize("says_so", [False, True], ids=["breaks off", "says 400"])
def test_http_to_a_port_that_speaks_tls_is_said(pair: Pair, says_so: bool) -> None:
    """Whether the other side breaks off or answers as a proxy does."""
    with serving_page(400, pair=pair, says_so=says_so) as port:
        english, german = said(f"http://127.0.0.1:{port}")

    address = f"127.0.0.1:{port}"
    assert english == f"E054 {address} speaks https, and is asked by http. Next: begin the address with https://."
    assert german == (
        f"E054 {address} spricht https und wird über http gefragt. Zu tun: die Adresse mit https:// beginnen."
    )


def test_a_certificate_that_is_not_accepted_is_said(pair: Pair) -> None:
    """With how its authority is named."""
    with serving_page(200, pair=pair) as port:
        english, german = said(f"https://127.0.0.1:{port}")

    assert english.startswith(f"E055 the certificate of https://127.0.0.1:{port} isn't accepted: ")
    assert "SSL_CERT_FILE=FILE" in english
    assert f"das Zertifikat von https://127.0.0.1:{port} wird nicht anerkannt: " in german


@pytest.mark.parametrize(
    ("status", "body", "english", "german"),
    [
        (502, b"<html>", "the proxy at {} doesn't reach the monitor. Next: check the address ", "der Proxy unter {} "),
        (
            404,
            b"<html>",
            "no alarm-monitor answers at {}: it answers with a page of its own. Next: name ",
            "unter {} antwor",
        ),
        (
            400,
            b"<html>",
            "no alarm-monitor answers at {}: it answers with a page of its own. Next: name ",
            "unter {} antwor",
        ),
        (200, b"<html>", "no alarm-monitor answers at {}: its answer isn't JSON. Next: name the ", "unter {} antwor"),
    ],
)
def test_what_is_no_monitor_is_said(status: int, body: bytes, english: str, german: str) -> None:
    """A page that isn't found there is no node that isn't known."""
    with serving_page(status, body) as port:
        told = said(f"http://127.0.0.1:{port}")

    url = f"http://127.0.0.1:{port}"
    code = "E031" if status == 502 else "E054"
    assert told[0].startswith(f"{code} {english.format(url)}")
    assert told[1].startswith(f"{code} {german.format(url)}")
    assert str(status) not in "".join(told).replace(url, "")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.RESPONDER])
def test_a_role_that_may_not_is_told_which_one_may(role: Role) -> None:
    """The one that is needed, the one that is there, and whom to ask for a token."""
    with serving(Behind()) as site:
        english, german = said(site.url, SECRETS[role], post=True)

    assert english == (
        f"E057 this needs the role manager, but the token desk-{role} has the role {role}. Next: ask the "
        "people who run the monitor for a token with that role, and name it with --token-file: "
        "sudo alarm-monitor token create NAME --role manager."
    )
    assert german == (
        f"E057 das verlangt die Rolle manager, aber das Token desk-{role} hat die Rolle {role}. Zu tun: bei der "
        "Verwaltung des Monitors ein Token mit dieser Rolle erbitten und es mit --token-file nennen: "
        "sudo alarm-monitor token create NAME --role manager."
    )


@pytest.mark.parametrize("reason", [*REFUSALS, "brand-new", ""])
def test_a_refusal_is_a_sentence(reason: str) -> None:
    """Neither a number nor a word of the program stands in it; each has a German one, with its next step."""
    with serving(Behind(answer=Answer("refused", reason))) as site:
        english, german = said(site.url, post=True)

    text, step = REFUSALS.get(reason, UNHEARD_OF if reason else UNSAID)
    assert english == f"E061 {text}. Next: {step}."
    assert german == f"E061 {GERMAN.translate(text)}. Zu tun: {GERMAN.translate(step)}."
    assert GERMAN.translate(text) != text
    assert GERMAN.translate(step) != step


def test_every_reason_of_a_node_is_known() -> None:
    """Whoever lets a node refuse for another one says what it means, and what is to be done."""
    tree = ast.parse(Path(commands.__file__).read_text(encoding="utf-8"))
    reasons = {
        each.value.value
        for each in ast.walk(tree)
        if isinstance(each, ast.Return) and isinstance(each.value, ast.Constant) and isinstance(each.value.value, str)
    }

    never_asked = {"no-such-input", "no-walk-test", "already-acknowledged"}
    assert reasons - never_asked - REFUSALS.keys() == set()
    assert never_asked <= reasons


@pytest.mark.parametrize(
    ("environ", "is_told"),
    [({}, True), ({"ALARM_MONITOR_TOKEN": "a-token"}, True), ({"STATE_DIRECTORY": "{there}"}, False)],
    ids=["nothing", "a token", "a socket"],
)
def test_a_pc_without_a_monitor_is_told_how_to_name_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: Mapping[str, str], is_told: bool
) -> None:
    """Not to start a service that isn't there."""
    usual = tmp_path / "monitor.toml"
    monkeypatch.setattr(which_monitor, "DEFAULT_CONFIG", usual)
    (tmp_path / "api.socket").touch()
    told = {name: value.format(there=tmp_path) for name, value in environ.items()}
    nothing = Namespace(url=None, token_file=None, config=usual)

    with pytest.raises(ApiError) as caught:
        reach(nothing, {"HOME": str(tmp_path), **told}, 5.0).get("fleet")

    english, german = str(caught.value), refused(caught.value, GERMAN)
    assert (
        "Next: give its address with --url or ALARM_MONITOR_URL, and a token with --token-file" in english
    ) is is_told
    assert ("seine Adresse mit --url oder ALARM_MONITOR_URL angeben, und ein Token mit " in german) is is_told
    assert ("sudo alarm-monitor check" in english) is not is_told


def test_who_asks_a_monitor_elsewhere_is_sent_to_whoever_runs_it(tmp_path: Path) -> None:
    """There is no service here that could be started, and no log; beside a configuration there is."""
    config = write_monitor(tmp_path, 1)
    url = f"http://127.0.0.1:{free_port()}"
    flags = Namespace(url=url, token_file=None, config=config)
    here = Namespace(url=None, token_file=None, config=config)
    environ = {"ALARM_MONITOR_TOKEN": "a-token"}

    told = []
    for parsed in (flags, here):
        with pytest.raises(ApiError) as caught:
            reach(parsed, environ, 5.0).get("fleet")
        told.append(str(caught.value))

    assert "Next: check the address (--url or ALARM_MONITOR_URL), or ask the people who run the monitor" in told[0]
    assert "Next: find out why it doesn't run: sudo alarm-monitor check" in told[1]
    assert str(explained(TimeoutError(), "elsewhere")).endswith("to look into its log: journalctl -u alarm-monitor.")
    assert str(explained(TimeoutError(), "here")).endswith("Next: look into its log: journalctl -u alarm-monitor.")
