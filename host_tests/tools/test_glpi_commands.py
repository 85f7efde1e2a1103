"""`flyve admin` for one agent: what GLPI gets to the byte, and what it cannot do over REST."""

import json

import pytest

from host_tests.kit.administrator import flyve

PLACE = '{"latitude":48.5,"longitude":-1.25,"datetime":1476345332}'
XML = "<REQUEST><CONTENT><BIOS><SSN>007</SSN></BIOS></CONTENT></REQUEST>"
ANSWERS = {
    "Ping": ("Status/Ping", "!"),
    "Geolocate": ("Status/Geolocation", PLACE),
    "Inventory": ("Status/Inventory", XML),
}


class Answering:
    """A device on its broker that answers, and does not."""

    def __init__(self, backend, one, link):
        self.backend, self.one, self.heard = backend, one, []
        self.answers = dict(ANSWERS)
        self.link = link(one)
        self.link.client.on_message = self._message
        for below in ("Command", "Policy"):
            self.link.subscribe(f"{self.link.topic}/{below}/#")

    def _message(self, client, userdata, message):
        name = message.topic.rpartition("/")[2]
        self.heard.append((name, message.payload))
        if name in self.answers:
            topic, payload = self.answers[name]
            client.publish(f"{self.link.topic}/{topic}", payload, 1)

    def admin(self, *args, code=0):
        self.backend.requests.clear()
        return flyve(self.backend, "admin", *args, code=code)

    def sent(self, *names):
        """The payloads of these that have come so far."""
        self.backend.listener.flush()
        self.link.publish("Status/Install", "")  # whose acknowledgement comes after them
        return [payload for name, payload in self.heard if name in names]

    @property
    def bodies(self):
        return [one.body for one in self.backend.requests if one.method == "PUT"]


@pytest.fixture(params="ABC")
def each(request, start, device, link):
    one = device(start(request.param))
    one.enroll()
    return Answering(one.backend, one, link)


@pytest.fixture
def site(backend, device, link):
    one = device(backend)
    one.enroll()
    return Answering(backend, one, link)


def test_questions_and_their_answers_in_each_generation(each):
    admin, one = each.admin, each.one
    assert admin("ping", one.serial) == "pong\n"
    assert each.bodies == [b'{"input": {"_ping_request": "", "_ping": ""}}']
    place = {"datetime": 1476345332, "latitude": 48.5, "longitude": -1.25}
    assert json.loads(admin("geolocate", "17")) == place
    assert each.bodies == [b'{"input": {"_geolocate_request": "", "_geolocate": ""}}']
    assert admin("inventory", one.agent.topic).splitlines()[1].split() == ["BIOS", "SSN", "007"]
    assert each.bodies == [b'{"input": {"_inventory_request": "", "_inventory": ""}}']
    assert admin("inventory", "--xml", "--last", "17") == XML + "\n"
    assert each.bodies == []


def test_a_device_that_does_not_know_where_it_is_has_answered(site):
    site.answers["Geolocate"] = ("Status/Geolocation", '{"gps":"off","datetime":5}')
    answer = json.loads(site.admin("geolocate", "17"))
    assert answer == {"datetime": 5, "latitude": "na", "longitude": "na"}


@pytest.mark.parametrize("command", ["ping", "geolocate", "inventory"])
def test_no_answer_in_time(site, command):
    site.answers.clear()
    site.backend.options.answer_wait = 0.1
    told = site.admin(command, "--wait", "0.3", "17", code=1)
    assert "no answer in time: is the device online?" in told
    assert len(site.bodies) > 1  # asked again until the time is over
    site.backend.options.answer_wait = 10
    assert "no answer in time" in site.admin(command, "--wait", "0", "17", code=1)
    assert len(site.bodies) == 1


def test_an_answer_after_glpi_gave_up_counts(site):
    site.backend.fault("PUT PluginFlyvemdmAgent", "delay-after", seconds=3)
    site.one.agent.last_contact = None
    assert site.admin("ping", "--wait", "1", "17") == "pong\n"


@pytest.mark.parametrize("command", ["ping", "lock", "wipe", "unenroll", "geolocate"])
def test_a_missing_right_is_named(site, command):
    site.backend.options.rights = {"flyvemdm:agent": 1}
    told = site.admin(command, "17", code=1)
    assert "don't have permission" in told and "give your profile this right" in told
    assert not site.sent("Ping", "Lock", "Wipe", "Unenroll", "Geolocate")


def test_locks_are_sent_when_they_change_something(site):
    assert site.admin("lock", "17") == "lock sent\n"
    assert site.bodies == [b'{"input": {"lock": 1}}']
    assert site.admin("lock", "17").startswith("lock not sent: it is so already")
    assert site.bodies == []
    assert site.admin("lock", "--unlock", "17") == "unlock sent\n"
    assert site.bodies == [b'{"input": {"lock": 0}}']
    assert site.admin("wipe", "17") == "wipe sent\n"
    assert site.bodies == [b'{"input": {"wipe": 1}}']
    assert site.admin("wipe", "17").startswith("wipe not sent: it was ordered before")
    assert "ignored: the device is being wiped" in site.admin("lock", "17", code=1)
    sent = site.sent("Lock", "Wipe")
    assert sent == [b'{"lock":"now"}', b'{"lock":"unlock"}', b'{"wipe":"now"}']


def test_a_wipe_is_taken_back_as_long_as_the_device_has_not_heard_of_it(site):
    assert site.admin("wipe", "--cancel", "17") == "no wipe is ordered\n"
    assert site.admin("wipe", "17") == "wipe sent\n"
    assert "GLPI drops locks" in site.admin("lock", "17", code=1)
    assert site.admin("wipe", "--cancel", "17").startswith("wipe taken back: ")
    assert site.backend.agents[0].wipe == 0
    assert site.admin("lock", "17") == "lock sent\n"


def test_unenroll_waits_until_glpi_has_deleted_the_agent(each):
    assert "no answer in time" in each.admin("unenroll", "--wait", "0", "17", code=1)
    assert each.bodies == [b'{"input": {"_unenroll_request": "", "_unenroll": ""}}']
    again = each.admin("unenroll", "--wait", "0", "17", code=1)
    assert "GLPI does not send that twice" in again and "flyve admin delete" in again
    assert each.sent("Unenroll") == [b'{"unenroll":"now"}']
    each.link.publish("Status/Unenroll", {"unenroll": "unenrolled"})
    assert each.backend.wait_event("purged")
    assert "no agent 17: list them" in each.admin("ping", "17", code=1)


def test_looking_at_an_agent_never_changes_its_password(site):
    # For its owner as a guest a GET of the agent makes a new one, and cuts the device off.
    token = site.backend.state.users[42].api_token
    before = site.one.agent.mqttpasswd
    for command in ("ping", "lock", "unenroll", "inventory"):
        told = flyve(site.backend, "admin", command, "17", code=1, FLYVE_USER_TOKEN=token)
        assert "give your profile this right" in told
    assert site.one.agent.mqttpasswd == before
    assert len(site.backend.events.of("credentials given")) == 1
    assert len(site.backend.events.of("session killed")) == 1 + 4


def test_unenrolled(site):
    site.answers["Unenroll"] = ("Status/Unenroll", "{}")
    assert site.admin("unenroll", "17") == "unenrolled\n"


def test_deleted(each):
    assert each.admin("delete", "17") == "deleted\n"
    (call,) = [one for one in each.backend.requests if one.method == "DELETE"]
    assert (call.query, call.body) == ("force_purge=true", b"")
    assert not each.backend.agents


def test_a_fleet_is_made_joined_and_left(each):
    assert each.admin("fleet", "17", "lab 1") == "fleet lab 1\n"
    (made,) = [one.body for one in each.backend.requests if one.method == "POST"]
    assert made == b'{"input": {"name": "lab 1", "entities_id": 76, "is_recursive": 0}}'
    assert each.bodies == [b'{"input": {"plugin_flyvemdm_fleets_id": 103}}']
    assert each.admin("fleet", "17", "lab 1") == "fleet lab 1\n"
    assert each.bodies == []
    assert each.admin("fleet", "17") == "fleet not managed\n"
    assert each.one.agent.fleet_id == 102


def test_an_agent_by_each_of_its_names(backend, device):
    ann, bob = device(backend), device(backend, serial="ESP32_0002")
    ann.enroll()
    bob.enroll()
    device(backend, email="eve@example.org", serial="ESP32x0002").enroll()
    for name in ("18", "ESP32_0002", "esp32_0002", "76/agent/ESP32_0002"):
        flyve(backend, "admin", "lock", name)
        assert bob.agent.lock and not ann.agent.lock
        bob.agent.lock = 0
    flyve(backend, "admin", "lock", "eve@example.org")
    assert backend.admin.agent(19).lock
    told = flyve(backend, "admin", "lock", "ann@example.org", code=1)
    assert "2 devices are ann@example.org: name one by its id (17, 18)" in told
    for nobody in ("99", "x", "%", "76/agent/x", "nobody@example.org"):
        assert f"no agent {nobody}: list them" in flyve(backend, "admin", "lock", nobody, code=1)
