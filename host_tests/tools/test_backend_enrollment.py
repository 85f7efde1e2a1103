"""Enrollment: the sequence in each generation, and the order in which it is refused."""

import json
import ssl

import httpx
import pytest

from host_tests.tools.enrollee import encoded, inventory, query, raw


@pytest.mark.parametrize(
    ("generation", "topic"),
    [("A", "/76/agent/ESP32-0001"), ("B", "76/agent/ESP32-0001"), ("C", "76/agent/ESP32-0001")],
)
def test_sequence(start, device, link, generation, topic):
    backend = start(generation)
    one = device(backend)
    only_fields = {"inventory": None, "notification_type": None} if generation == "A" else {}
    settings = one.enroll(**only_fields)
    assert settings["topic"] == topic
    assert settings["port"] == backend.broker.port
    assert settings["tls"] == 0
    assert ("notification_type" in settings) == (generation == "C")
    kinds = [event.kind for event in backend.events if event.kind != "published"]
    assert kinds == [
        "invited",
        "session opened",
        "profile switched",
        "agent created",
        "credentials given",
        "session killed",
    ]
    assert backend.agents[0].topic == topic
    connection = link(one)
    assert connection.accepted
    connection.publish("Status/Online", {"online": "true"})
    assert backend.wait_for(lambda: one.agent.online)
    assert settings["id"] == 17


def test_post_answers_201_with_a_number_and_a_location(backend, device):
    one = device(backend)
    one.log_in()
    answer = one.post()
    assert answer.status_code == 201
    assert answer.json()["id"] == 17
    assert answer.headers["location"] == f"{backend.url}/PluginFlyvemdmAgent/17"


def test_documented_samples(start, device):
    backend = start(documented=True, deeplink="path")
    link = backend.invite("bob@example.org")
    assert "?" not in link
    one = device(start(), email="x@example.org")  # only for its tools
    one.backend, one.email = backend, "bob@example.org"
    one.http.base_url = backend.url
    user = backend.state.users[42]
    one.user_token, one.invitation = user.api_token, backend.state.invitations[1].token
    assert one.http.get("initSession", params={"user_token": one.user_token}).status_code == 400
    one.log_in()
    sample = one.call("GET", "getFullSession").text
    assert '"session"' not in sample
    with pytest.raises(ValueError):
        json.loads(sample)
    wrong = one.post(_email="wrong@example.org")
    assert wrong.json() == ["ERROR_GLPI_ADD", "wrong email address"]
    answer = one.post(version="0.99.0", inventory=None)
    assert (answer.status_code, answer.json()) == (200, {"id": "17"})
    text = one.call("GET", "PluginFlyvemdmAgent/17").text
    with pytest.raises(ValueError):
        json.loads(text)
    assert json.loads(text.replace('"\n  "broker"', '",\n  "broker"'))["topic"][0] == "/"


# Each row breaks one more thing than the row below it: the first reason in the order wins.
ORDER = [
    ("Unable to find a enrollment method", {"_email": ""}),
    ("Invitation token invalid", {"_invitation_token": "0" * 64}),
    ("Notification settings are invalid", {"notification_type": None}),
    ("One of serial and uuid is mandatory", {"_serial": "", "_uuid": ""}),
    ("Inventory XML is not well formed", {"inventory": encoded("<REQUEST><A></REQUEST>")}),
    ("Agent version missing", {"version": ""}),
    ("unknown MDM type", {"type": "esp32"}),
]


def test_order_of_refusals(start, device):
    backend = start(debug=True)
    one = device(backend)
    one.log_in()
    for index, (reason, _) in enumerate(ORDER):
        broken = {}
        for _, change in ORDER[index:]:
            broken |= change
        assert one.post(**broken).json() == ["ERROR_GLPI_ADD", reason]
    assert one.post().status_code == 201


REFUSALS = [
    ("Device inventory XML is mandatory", {"inventory": None}),
    ("MDM type missing", {"type": None}),
    ("Bad agent version", {"version": "2.0"}),
    ("The agent version is too low", {"version": "v2.0.0"}),
    ("The agent version is too low", {"version": "0.99.0"}),
    ("Wrong email address", {"_email": "wrong@example.org"}),
    ("fcm service is not available", {"notification_type": "fcm"}),
]


def test_refusal_leaves_the_invitation(start, device):
    backend = start(debug=True)
    one = device(backend)
    one.log_in()
    for reason, change in REFUSALS:
        assert one.post(**change).json() == ["ERROR_GLPI_ADD", reason]
    backend.options.debug = False
    for _, change in REFUSALS:
        assert one.post(**change).json() == ["ERROR_GLPI_ADD", "Enrollment failed"]
    assert one.post(version="2.0.0+x").status_code == 201


def test_an_unfit_serial_consumes_the_invitation(start, device):
    backend = start(debug=True)
    for serial in ("", "0", "0000000", "123456", "none", "a/b", "a#", "a+b", "flyvemdm-backend"):
        one = device(backend)
        one.log_in()
        bad = encoded(inventory(serial, "", "some-id"))
        assert one.post(inventory=bad).json()[1] == "Cannot create the device"
        assert one.post().json()[1] == "Invitation is not pending"


def test_escaped_specials_break_the_inventory(start, device):
    one = device(start(debug=True))
    one.log_in()
    xml = inventory("S1", "a &amp; b")
    assert one.post(inventory=encoded(xml)).json()[1] == "Inventory XML is not well formed"


def test_names_are_blanked_when_absent(backend, device):
    one = device(backend, firstname="Ann", realname="Example")
    one.enroll()
    user = backend.state.users[42]
    assert (user.firstname, user.realname) == ("", "")


def test_profile_matters(start, device):
    backend = start(default_profile=1)
    one = device(backend)
    one.log_in()
    full = one.call("GET", "/getFullSession").json()["session"]
    assert full["glpiactiveprofile"]["id"] == 1
    assert full["plugin_flyvemdm_guest_profiles_id"] == 9
    denied = ["ERROR_GLPI_ADD", "You don't have permission to perform this action."]
    assert one.post().json() == denied
    backend.options.profile_change = "silent"
    assert one.switch().status_code == 200
    assert one.post().json() == denied
    backend.options.profile_change = "normal"
    assert one.switch(77).status_code == 404
    answer = one.switch()
    assert (answer.status_code, answer.content) == (200, b"")
    assert one.post().status_code == 201


def test_each_guest_read_renews_the_password(backend, device, link):
    one = device(backend)
    one.enroll()
    old = link(one)
    assert old.accepted
    one.log_in()
    renewed = one.call("GET", "/PluginFlyvemdmAgent/17").json()
    assert renewed["mqttpasswd"] != one.settings["mqttpasswd"]
    assert not link(one).accepted
    one.settings = renewed
    assert link(one).accepted


def test_agent_session_sees_no_credentials(backend, device):
    one = device(backend)
    settings = one.enroll()
    one.log_in(settings["api_token"])
    seen = one.call("GET", "/PluginFlyvemdmAgent/17").json()
    assert seen["enroll_status"] == "enrolled"
    assert "api_token" in seen
    assert not {"topic", "mqttpasswd", "broker", "port", "tls"} & set(seen)
    assert one.call("GET", "/PluginFlyvemdmAgent/18").status_code == 404


def test_same_device_again_replaces_its_agent(backend, device):
    first = device(backend)
    old = first.enroll()
    second = device(backend)
    assert second.enroll()["id"] == 18
    assert [agent.id for agent in backend.agents] == [18]
    answer = second.call("GET", "/initSession", params={"user_token": old["api_token"]})
    assert answer.json()[0] == "ERROR_GLPI_LOGIN_USER_TOKEN"


def test_tls(start, device, link):
    backend = start(tls=True)
    one = device(backend)
    one.http.close()
    trust = ssl.create_default_context(cafile=str(backend.ca_pem))
    one.http = httpx.Client(base_url=backend.url, verify=trust, trust_env=False)
    one.log_in()
    agent = one.post().json()["id"]
    one.settings = one.call("GET", f"/PluginFlyvemdmAgent/{agent}").json()
    assert one.settings["tls"] == 1
    assert link(one).accepted


def test_http_1_0_is_never_chunked(backend, device):
    one = device(backend)
    one.log_in()
    backend.options.full_session_size = 100_000
    path = query("/apirest.php/getFullSession", session_token=one.session)
    status, headers, body = raw(backend, path)
    assert status == 200
    assert "transfer-encoding" not in headers
    assert len(body) == 100_000
    assert json.loads(body)["session"]["glpiactiveprofile"]["id"] == 9
