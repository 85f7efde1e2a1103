"""The user's data in GLPI, brought up to date by the agent."""

import json

import pytest


@pytest.fixture
def device(make_device):
    """A device whose account may change its user."""
    device = make_device().go_online()
    device.backend.state.users[device.agent.user_id].may_update = True
    return device


def configure(device, **user):
    device.run.kill()
    settings = json.loads(device.board.read("/config.json"))
    device.board.write("/config.json", json.dumps({**settings, "user": user}))
    device.start()
    device.online()


def puts(device):
    return [json.loads(r.body)["input"] for r in device.gets("User/") if r.method == "PUT"]


def test_all_fields_are_set(device):
    emails = {"0": "ada@example.org"}
    user = {"firstname": "Ada", "realname": "Lovelace", "phone": "1", "phone2": "2"}
    configure(device, **user, _useremails=emails, _default_email="0")
    assert device.backend.wait_event("user updated")
    owner = device.backend.state.users[device.agent.owner_id]
    assert {name: getattr(owner, name) for name in user} == user
    assert owner.emails[0] == "ada@example.org"


def test_only_what_changed_is_sent(device):
    configure(device, firstname="Ada", phone="1")
    device.run.wait_log("user: updated: firstname, phone$")
    device.settled()
    configure(device, firstname="Ada", phone="2")
    device.run.wait_log("user: updated: phone$")
    device.settled()
    device.restart()
    device.settled()
    assert puts(device) == [{"firstname": "Ada", "phone": "1"}, {"phone": "2"}]


def test_not_permitted_is_an_answer(make_device):
    device = make_device().go_online(user={"firstname": "Ada"})
    device.run.wait_log("WARN user: not permitted")
    device.settled()
    device.restart()
    device.settled()
    assert len(puts(device)) == 1


def test_a_backend_that_does_not_tell_who_the_user_is_is_said(make_device):
    # The session in the documentation's sample has no id of the user in it.
    device = make_device(documented=True).go_online(user={"phone": "1"})
    device.run.wait_log("WARN user: not told: the backend has told no id of the user's$")
    device.settled()
    assert not puts(device)


def test_a_backend_that_is_away_is_asked_again(device):
    device.backend.fault("PUT User", "error", times=1)
    configure(device, firstname="Ada")
    assert device.backend.wait_event("user updated", 20)


def test_an_application_may_set_them(device):
    code = b"def start(agent):\n    agent.user = {'phone': '42'}\n    yield\n"
    device.ends(device.backend.tasks.deploy_app(17, code, "one"), "done")
    assert device.backend.wait_event("user updated")
    assert puts(device) == [{"phone": "42"}]


def test_an_application_may_set_the_same_again(device):
    code = b"""
def start(agent):
    data = {'phone': '42'}
    for phone in ('42', '43'):
        data['phone'] = phone
        agent.user = data
        while agent.user:
            yield
"""
    device.ends(device.backend.tasks.deploy_app(17, code, "one"), "done")
    assert device.backend.wait_for(lambda: len(puts(device)) == 2, 10)
    assert puts(device) == [{"phone": "42"}, {"phone": "43"}]
