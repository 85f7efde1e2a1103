"""The rules of every REST call, faults of the HTTP side included."""

import itertools
import json
import time

import httpx
import pytest

from flyve_mdm.backend.glpi import encode, numeric_check
from host_tests.tools.enrollee import query, raw


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("17", 17), ("8883", 8883), ("007", 7), ("2.0", 2), ("83e10", 830000000000), ("1.5", 1.5),
        (" 4", 4), ("-3", -3), ("0x10", "0x10"), ("", ""), ("1e999", "1e999"), ("2.0.0", "2.0.0"),
        ("76/agent/007", "76/agent/007"), ("12 34", "12 34"), ("true", "true"),
    ],
)  # fmt: skip
def test_numeric_check(text, value):
    checked = numeric_check({"a": [text]})["a"][0]
    assert (checked, type(checked)) == (value, type(value))


def test_json_is_written_as_php_does():
    assert encode({"a": "é/", "b": "007"}) == '{"a":"é/","b":7}'.encode()


def test_error_pairs(backend, device):
    one = device(backend)
    table = [
        ("GET", "/initSession", {}, 400, "ERROR_LOGIN_PARAMETERS_MISSING"),
        ("GET", "/initSession?user_token=x", {}, 401, "ERROR_GLPI_LOGIN_USER_TOKEN"),
        ("GET", "/killSession", {}, 400, "ERROR_SESSION_TOKEN_MISSING"),
        ("GET", "/killSession?session_token=x", {}, 401, "ERROR_SESSION_TOKEN_INVALID"),
        ("GET", "/getFullSession", {"content": "{}"}, 400, "ERROR_JSON_PAYLOAD_FORBIDDEN"),
        ("POST", "/PluginFlyvemdmAgent", {"content": "{,}"}, 400, "ERROR_JSON_PAYLOAD_INVALID"),
    ]
    for method, path, body, status, code in table:
        answer = one.call(method, path, **body)
        assert (answer.status_code, answer.json()[0]) == (status, code), path
    one.log_in()
    answer = one.call("POST", "/PluginFlyvemdmAgent", json={})
    assert (answer.status_code, answer.json()[0]) == (400, "ERROR_BAD_ARRAY")
    answer = one.call("GET", "/NoSuchThing")
    assert answer.json()[0] == "ERROR_RESOURCE_NOT_FOUND_NOR_COMMONDBTM"
    assert one.call("GET", "/changeActiveProfile").json()[1].startswith("Bad Request; view")


def test_header_beats_body_beats_query(backend, device):
    one = device(backend)
    one.log_in()
    good, one.session = one.session, None
    everywhere = {"params": {"session_token": "bad", "profiles_id": 9}}
    body = {"json": {"session_token": "bad too"}}
    header = {"headers": {"Session-Token": good}}
    change = ("POST", "/changeActiveProfile")
    assert one.call(*change, **everywhere, **body, **header).status_code == 200
    assert one.call(*change, **everywhere, json={"session_token": good}).status_code == 200
    assert one.call(*change, **everywhere, **body).status_code == 401
    backend.options.header_only = True
    assert one.call("GET", "/killSession", params={"session_token": good}).status_code == 400
    assert one.call("GET", "/killSession", **header).status_code == 200
    token = {"Authorization": f"user_token {one.user_token}"}
    assert one.call("GET", "/initSession", headers=token).status_code == 200


def test_app_token(start, device):
    backend = start(app_token="letmein")
    one = device(backend)
    answer = one.call("GET", "/initSession", params={"user_token": one.user_token})
    assert answer.json()[0] == "ERROR_APP_TOKEN_PARAMETERS_MISSING"
    one.http.headers["App-Token"] = "wrong"
    answer = one.call("GET", "/initSession", params={"user_token": one.user_token})
    assert answer.json()[0] == "ERROR_WRONG_APP_TOKEN_PARAMETER"
    one.http.headers["App-Token"] = "letmein"
    one.log_in()


def test_idle_session_ends(backend, device):
    one = device(backend)
    one.log_in()
    backend.options.session_idle = -1
    assert one.call("GET", "/getFullSession").status_code == 401


def test_full_session_of_any_size(backend, device):
    one = device(backend)
    one.log_in()
    for size, seed in itertools.product((0, 5_000, 100_003, 1_000_000), (None, 1, 2)):
        backend.options.full_session_size, backend.options.full_session_seed = size, seed
        body = one.call("GET", "/getFullSession").content
        assert len(body) >= size
        assert size < 5_000 or len(body) == size
        session = json.loads(body)["session"]
        assert session["glpiactiveprofile"]["id"] == 9
        assert session["plugin_flyvemdm_guest_profiles_id"] == 9


@pytest.mark.parametrize(("key", "value"), [("empty", ""), ("absent", None)])
def test_guest_key(backend, device, key, value):
    one = device(backend)
    one.log_in()
    backend.options.guest_key, backend.options.wrapped = key, False
    session = one.call("GET", "/getFullSession").json()
    assert session.get("plugin_flyvemdm_guest_profiles_id") == value
    assert session["glpiactiveprofile"]["id"] == 9


def test_user_may_not_update_himself(backend, device):
    one = device(backend)
    one.log_in()
    change = {
        "input": {"phone": "1", "_useremails": {"-1": "b@example.org"}, "_default_email": "-1"}
    }
    refused = ["ERROR_GLPI_UPDATE", "You don't have permission to perform this action."]
    assert one.call("PUT", "/User/42", json=change).json() == refused
    user = backend.state.users[42]
    user.may_update = True
    assert one.call("PUT", "/User/42", json=change).json()[0]["42"] is True
    assert (user.phone, user.emails[0]) == ("1", "b@example.org")


def test_faults(backend, device):
    one = device(backend)
    for kind in ("drop-before", "drop-after"):
        fault = backend.fault("initSession", kind, times=1)
        opened = len(backend.events.of("session opened"))
        with pytest.raises(httpx.TransportError):
            one.log_in()
        handled = len(backend.events.of("session opened")) - opened
        assert handled == (kind == "drop-after")
        assert fault.times == 0
    backend.fault("GET initSession", "redirect", times=1, location="http://localhost:1/")
    assert one.call("GET", "/initSession").status_code == 302
    backend.fault("*", "html", times=1)
    assert "<html>" in one.call("GET", "/initSession").text
    backend.fault("*", "error", times=1)
    assert one.call("GET", "/initSession").status_code == 500
    one.log_in()
    path = query("/getFullSession", session_token=one.session)
    whole = len(raw(backend, path)[2])
    backend.fault("getFullSession", "truncate", times=1, at=100)
    assert len(raw(backend, path)[2]) == 100
    for kind, times in (("trickle", 0.1), ("stall", 0.1), ("delay", 0.1), ("delay-after", 0.1)):
        begin = time.monotonic()
        backend.fault("getFullSession", kind, times=1, seconds=0.1, step=whole - 1, at=10)
        assert len(raw(backend, path)[2]) == whole
        assert time.monotonic() - begin >= times
    one.log_in()


def test_requests_are_kept_raw_and_never_shown(backend, device):
    one = device(backend)
    one.log_in()
    request = backend.requests[0]
    assert one.user_token in request.query
    assert request.status == 200
    assert one.user_token not in repr(list(backend.requests)) + repr(list(backend.events))
    assert one.user_token not in repr(backend.state.users)


def test_rest_can_go_away_and_come_back(backend, device):
    one = device(backend)
    backend.web.stop()
    with pytest.raises(httpx.ConnectError):
        one.log_in()
    backend.web.start()
    one.log_in()
