"""The administrator's way to GLPI: logging in, errors by name, and an end on every way out."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import certifi
import pytest

from flyve_mdm.backend.glpi import Answer
from flyve_mdm.glpi import transport
from flyve_mdm.glpi.account import Account, AccountError, load
from flyve_mdm.glpi.errors import GlpiError, NoAnswer, Refused
from flyve_mdm.glpi.session import Session
from flyve_mdm.glpi.transport import Transport
from flyve_mdm.patience import stretched
from host_tests.kit.administrator import flyve

FLYVE = [sys.executable, "-c", "from flyve_mdm.cli import main; main()"]
URL = "https://glpi.example.org/apirest.php"


def session(backend, **account):
    return Session(Account(backend.url, **{"user_token": backend.admin_token, **account}))


def opened_and_killed(backend):
    return len(backend.events.of("session opened")), len(backend.events.of("session killed"))


def test_tokens_travel_in_headers_only_and_the_session_is_killed(start):
    backend = start(app_token="letmein", header_only=True)
    with session(backend, app_token="letmein") as one:
        assert one.get("PluginFlyvemdmFleet/102")["name"] == "not managed"
        secret = one._http.tokens["Session-Token"]
    login, middle, end = backend.requests
    assert (login.path, login.query) == ("/apirest.php/initSession", "")
    assert login.headers["authorization"] == f"user_token {backend.admin_token}"
    assert middle.headers["session-token"] == end.headers["session-token"] == secret
    assert "authorization" not in middle.headers and end.path.endswith("/killSession")
    assert all(one.headers["app-token"] == "letmein" for one in backend.requests)
    assert not backend.state.sessions


def test_a_login_by_name(start):
    backend = start(admin_password="a:\u00e9")
    with session(backend, user_token="", login="glpi", password="a:\u00e9") as one:
        assert one.get("getActiveProfile")["active_profile"]["id"] == 4


WRONG = [
    ({}, {"user_token": "x"}, "the login: parameter user_token seems invalid", "FLYVE_USER_TOKEN"),
    ({}, {"user_token": "", "login": "glpi", "password": "x"}, "is disabled", "FLYVE_USER_TOKEN"),
    ({"admin_password": "y"}, {"user_token": "", "login": "glpi", "password": "x"},
     "Incorrect username or password", "FLYVE_LOGIN"),
    ({"app_token": "y"}, {}, "missing parameter app_token", "FLYVE_APP_TOKEN"),
    ({"app_token": "y"}, {"app_token": "x"}, "app_token seems wrong", "FLYVE_APP_TOKEN"),
    ({"api": False}, {}, "API disabled", "enable the REST API"),
    ({"plugin": False}, {}, "resource not found", "is the plugin Flyve MDM active"),
    ({"rights": {"flyvemdm:agent": 0}}, {}, "ERROR_RIGHT_MISSING", "FLYVE_PROFILE"),
    ({}, {"profile": "Observer"}, "none of yours", "4 (Super-Admin), 1 (Self-Service)"),
    ({}, {"profile": "1"}, "ERROR_RIGHT_MISSING", "FLYVE_PROFILE"),
    ({}, {"entity": "5"}, "GLPI refuses entity 5", "FLYVE_ENTITY"),
]  # fmt: skip


@pytest.mark.parametrize(("switches", "account", "told", "step"), WRONG)
def test_what_glpi_refuses_has_a_next_step_and_no_session_stays(
    start, switches, account, told, step
):
    backend = start(**switches)
    with pytest.raises(GlpiError) as caught, session(backend, **account) as one:
        one.get("PluginFlyvemdmAgent")
    text = str(caught.value)
    assert told in text and step in text and "view documentation" not in text
    assert "\n" not in text and backend.admin_token not in text
    assert not backend.state.sessions


def test_a_url_beside_the_api_is_said_to_be_one(backend):
    with pytest.raises(GlpiError, match="the login: .*: is FLYVE_URL the whole url of its REST"):
        Session(Account(backend.url + "/elsewhere", user_token="x")).__enter__()


def test_a_profile_and_an_entity_are_chosen(backend):
    backend.state.administrator.profiles.reverse()  # it starts with Self-Service
    with session(backend, profile="Super-Admin", entity="76") as one:
        assert one.count("PluginFlyvemdmFleet") == 1
        (mine,) = backend.state.sessions.values()
        assert (mine.profile, mine.entities) == (4, (76,))
    bodies = [one.body for one in backend.requests if one.method == "POST"]
    assert bodies == [b'{"profiles_id": 4}', b'{"entities_id": 76, "is_recursive": true}']


STRANGERS = [
    ({"kind": "html"}, "is not GLPI's REST API (HTTP 200, no JSON)"),
    ({"kind": "error", "status": 404}, "is not GLPI's REST API (HTTP 404, no JSON)"),
    ({"kind": "error", "status": 403, "form": "pair"}, "is not GLPI's REST API (HTTP 403"),
    ({"kind": "error", "status": 403, "form": "json"}, "is not GLPI's REST API (HTTP 403"),
    ({"kind": "error", "status": 500}, "failed with HTTP 500: see GLPI's PHP log"),
    ({"kind": "redirect", "location": "https://other/"}, "leads to https://other/: use that"),
    ({"kind": "drop-before"}, "no backend answers at 127.0.0.1"),
]


@pytest.mark.parametrize(("fault", "told"), STRANGERS)
@pytest.mark.parametrize("where", ["initSession", "PluginFlyvemdmFleet"])
def test_what_is_no_answer_of_glpis_is_named(backend, fault, told, where):
    backend.fault(where, **fault)
    with pytest.raises(GlpiError) as caught, session(backend) as one:
        one.get("PluginFlyvemdmFleet")
    assert told in str(caught.value)
    assert not backend.state.sessions


def test_an_answer_that_breaks_off_is_named(backend):
    with session(backend) as one:
        backend.fault("PluginFlyvemdmFleet", "truncate")
        with pytest.raises(GlpiError, match="to GET PluginFlyvemdmFleet broke off"):
            one.get("PluginFlyvemdmFleet")


def test_a_gateways_trouble_is_waited_for_but_nothing_is_sent_twice(backend, device):
    device(backend).enroll()
    backend.fault("PluginFlyvemdmAgent", "error", status=502, times=1)
    with session(backend) as one:
        assert one.get("PluginFlyvemdmAgent/17")["id"] == 17
        backend.fault("PUT PluginFlyvemdmAgent", "error", status=502)
        with pytest.raises(GlpiError, match="HTTP 502"):
            one.update("PluginFlyvemdmAgent", 17, lock=1)
    assert [one.method for one in backend.requests].count("PUT") == 1


def test_an_answer_that_does_not_come_is_another_error_than_none(backend):
    backend.fault("PluginFlyvemdmFleet", "delay", seconds=5)
    with session(backend) as one, pytest.raises(NoAnswer, match="does not answer GET Plugin"):
        one.call("GET", "PluginFlyvemdmFleet", timeout=0.1)


# Each byte comes in time, and all of them never would.
@pytest.mark.parametrize("kind", ["trickle", "trickle-all", "stall"])
@pytest.mark.parametrize("tls", [False, True])
def test_an_answer_that_does_not_end_has_a_deadline_as_a_whole(start, kind, tls):
    backend = start(tls=tls)
    with session(backend, ca=str(backend.ca_pem or "")) as one:
        backend.fault(
            "PluginFlyvemdmFleet", kind, seconds=stretched(3) if kind == "stall" else 0.3
        )
        with pytest.raises(NoAnswer, match="does not answer GET Plugin"):
            one.call("GET", "PluginFlyvemdmFleet", timeout=1)
        backend.options.faults.clear()
        assert one.count("PluginFlyvemdmFleet") == 1, "the next exchange is another one"


def test_a_handshake_that_trickles_has_that_deadline_too():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def trickle():
            line, _ = server.accept()
            with line, contextlib.suppress(OSError):
                line.sendall(b"\x16\x03\x03\x3f\xff")  # a record of TLS, 16 KiB long
                while True:
                    time.sleep(0.1)
                    line.sendall(b"\0")

        threading.Thread(target=trickle, daemon=True).start()
        account = Account(f"https://127.0.0.1:{server.getsockname()[1]}", user_token="x")
        with Transport(account) as way, pytest.raises(NoAnswer, match="does not answer the login"):
            way.send("GET", "initSession", "the login", timeout=0.3)


def test_an_answer_without_an_end_is_not_kept_in_memory(start, monkeypatch):
    monkeypatch.setattr(transport, "_LARGEST", 1 << 20)
    with session(start(full_session_size=2_000_000)) as one:
        with pytest.raises(GlpiError, match="more than 1 MiB: that is no answer"):
            one.full()
        assert one.count("PluginFlyvemdmFleet") == 1


def test_a_session_that_ended_is_opened_again_where_it_was(backend):
    with session(backend, profile="4") as one:
        one.enter(76)
        backend.expire_sessions()
        assert one.count("PluginFlyvemdmFleet") == 1
        (mine,) = backend.state.sessions.values()
        assert mine.entities == (76,)
        backend.options.session_idle = -1
        with pytest.raises(Refused, match="session_token seems invalid"):
            one.get("PluginFlyvemdmFleet")


@pytest.mark.parametrize("switches", [{"php_notice": True}, {"sticky": True}, {"wrapped": False}])
def test_the_oddities_of_some_sites(start, switches):
    with session(start(**switches)) as one:
        assert one.count("PluginFlyvemdmFleet") == 1
        assert abs(one.since("2000-01-01 00:00:00").days) > 9000


def test_a_netrc_of_the_users_is_not_asked(backend, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with session(backend) as one:
        one._http._session.trust_env = True  # as for another machine
        one.get("getMyProfiles")
    assert all("Basic" not in one.headers.get("authorization", "") for one in backend.requests)


def test_a_proxy_that_is_no_help_is_told(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(GlpiError, match="the proxy that HTTP_PROXY names does not lead to glpi"):
        Session(Account("http://glpi.invalid/apirest.php", user_token="x")).__enter__()


def test_no_proxy_stands_between_here_and_here(backend, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with session(backend) as one:
        assert one.count("PluginFlyvemdmFleet") == 1


def test_a_certificate_must_be_trusted(start, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())  # which does not hold ours
    backend = start(tls=True)
    with pytest.raises(GlpiError, match=r"cannot be trusted \(.*\): set FLYVE_CA"):
        session(backend).__enter__()
    with session(backend, ca=str(backend.ca_pem)) as one:
        assert one.count("PluginFlyvemdmFleet") == 1
        one._http._session.trust_env = True  # as for another machine
        assert one.count("PluginFlyvemdmFleet") == 1
    other = start(tls=True, certificate="other-host")
    with pytest.raises(GlpiError, match="cannot be trusted"):
        session(other, ca=str(other.ca_pem)).__enter__()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_ended_kills_its_session(backend, device, number):
    device(backend).enroll()
    known = {"FLYVE_URL": backend.url, "FLYVE_USER_TOKEN": backend.admin_token}
    command = [*FLYVE, "admin", "list", "--watch", "60"]
    backend.events.clear()
    with subprocess.Popen(command, env={**os.environ, **known}, stdout=subprocess.PIPE) as process:
        assert b"id" in process.stdout.readline()
        assert backend.state.sessions
        process.send_signal(number)
        process.wait(20)
    assert not backend.state.sessions and opened_and_killed(backend) == (1, 1)
    assert process.returncode == (0 if number == signal.SIGINT else 128 + number)


def test_a_session_that_cannot_be_killed_is_no_trouble(start):
    assert "deeplink" in flyve(start(kill_session_fails=True), "invite", "ada@example.org")


def test_rows_come_page_by_page_and_none_twice(backend):
    for number in range(1203):
        backend.state.add("fleets", type(backend.state.default_fleet), name=str(number), entity=76)
    seen = []
    with session(backend) as one:
        backend.requests.clear()
        rows = list(one.pages("PluginFlyvemdmFleet", lambda *told: seen.append(told)))
        assert len({row["id"] for row in rows}) == len(rows) == 1204
        assert seen == [(500, 1204), (1000, 1204), (1204, 1204)]
        ranges = [one.query.partition("range=")[2] for one in backend.requests]
        assert ranges == ["0-499", "500-999", "1000-1499"]
        assert one.count("PluginFlyvemdmFleet") == 1204 and one.count("PluginFlyvemdmAgent") == 0


def test_a_list_that_shrinks_meanwhile_ends(backend):
    for number in range(600):
        backend.state.add("fleets", type(backend.state.default_fleet), name=str(number), entity=76)
    with session(backend) as one:
        rows = one.pages("PluginFlyvemdmFleet")
        first = [next(rows) for _ in range(500)]
        for row in first[101:]:
            del backend.state.fleets[row["id"]]
        assert list(rows) == []


def test_what_looks_like_a_pattern_is_searched_as_it_is(backend):
    for name in ("a_b", "axb", "a%"):
        backend.state.add("fleets", type(backend.state.default_fleet), name=name, entity=76)
    with session(backend) as one:
        assert [row["name"] for row in one.search("PluginFlyvemdmFleet", name="a_b")] == ["a_b"]
        assert [row["name"] for row in one.search("PluginFlyvemdmFleet", name="a%")] == ["a%"]


def test_an_account_comes_from_the_environment_or_a_file(tmp_path):
    path = tmp_path / "glpi.ini"
    path.write_text("# ours\nurl = https://a.example/\nuser_token=to%ken=\nentity = 3\n")
    path.chmod(0o600)
    given = {"FLYVE_CREDENTIALS": str(path), "FLYVE_ENTITY": "7", "FLYVE_APP_TOKEN": "app"}
    assert load(None, given) == Account(
        "https://a.example/", user_token="to%ken=", app_token="app", entity="7"
    )
    assert load(URL, given).url == URL
    assert "to%ken" not in repr(load(None, given)) and "app'" not in repr(load(None, given))


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, "which GLPI"),
        ({"FLYVE_URL": URL}, "no credentials: set FLYVE_USER_TOKEN"),
        ({"FLYVE_URL": URL, "FLYVE_LOGIN": "glpi"}, "no credentials"),
        ({"FLYVE_URL": "glpi.example.org", "FLYVE_USER_TOKEN": "x"}, "is no url"),
        ({"FLYVE_URL": URL, "FLYVE_USER_TOKEN": "x\ny"}, "FLYVE_USER_TOKEN has characters"),
        ({"FLYVE_URL": URL, "FLYVE_USER_TOKEN": "x", "FLYVE_CA": "/none"}, "FLYVE_CA: /none"),
        ({"FLYVE_URL": URL, "FLYVE_USER_TOKEN": "x", "FLYVE_ENTITY": "lab"}, "an entity's id"),
        ({"FLYVE_CREDENTIALS": "/none"}, "/none: No such file"),
    ],
)
def test_an_account_that_cannot_be_used_is_told(environment, told):
    with pytest.raises(AccountError) as caught:
        load(None, environment)
    assert told in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        (b"url=x", 0o644, "chmod 600"),
        (b"token=x", 0o600, "it may hold url, user_token"),
        (b"url=x\n[other]\n", 0o600, "it may hold"),
        (b"no equals", 0o600, "each line must be a name"),
        (b"url=\xff", 0o600, "no text in UTF-8"),
    ],
)
def test_a_file_of_credentials_that_cannot_be_used_is_told(tmp_path, text, mode, told):
    path = tmp_path / "glpi.ini"
    path.write_bytes(text)
    path.chmod(mode)
    with pytest.raises(AccountError, match=told):
        load(URL, {"FLYVE_CREDENTIALS": str(path)})


@pytest.mark.parametrize("body", [b"null", b"[]", b"7", b'{"a": 1}', b'[["a"]]', b'"text"', b"{}"])
def test_json_of_another_shape_is_no_traceback(backend, device, body, monkeypatch):
    device(backend).enroll()
    answer = Answer(200, body, {"Content-Type": "application/json"})
    monkeypatch.setattr("flyve_mdm.backend.items.Items.answer", lambda *_: answer)
    for words in (["admin", "list"], ["admin", "lock", "17"], ["invite", "a@example.org"]):
        code = 0 if body == b"[]" and words == ["admin", "list"] else 1
        told = flyve(backend, *words, code=code)
        assert "Error: " in told or not code
