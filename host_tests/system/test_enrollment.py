"""From the deeplink to credentials, as the backend sees it."""

import pytest

from flyve_mdm.backend import agents
from flyve_mdm.backend.model import token


@pytest.mark.parametrize("generation", ["A", "B", "C"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_each_generation_enrolls_and_comes_online(make_device, generation, tls):
    device = make_device(generation=generation, tls=tls)
    device.provision()
    device.start()
    device.enrolled()
    device.online()
    assert device.posts() == [201]


def test_the_documented_samples_taken_literally(make_device):
    device = make_device(documented=True)
    device.provision()
    device.start()
    device.enrolled()
    device.online()


# A26
def test_a_password_of_which_glpi_makes_a_number_is_not_used(make_device, monkeypatch):
    passwords = iter(["1e5"])
    monkeypatch.setattr(agents, "token", lambda size: next(passwords, None) or token(size))
    device = make_device()
    device.provision()
    device.start()
    device.enrolled()
    device.online()
    assert device.said("NUMERIC_PASSWORD")
    assert device.posts() == [201]


@pytest.mark.parametrize("wrapped", [False, True])
def test_full_session_with_and_without_its_wrapper(make_device, wrapped):
    device = make_device(wrapped=wrapped, default_profile=4, full_session_seed=7)
    device.provision()
    device.start()
    device.enrolled()
    assert device.backend.events.of("profile switched")


def test_a_full_session_of_1_mb_enrolls_in_84_kib(make_device):
    device = make_device(full_session_size=1_000_000, full_session_seed=1)
    device.provision()
    device.start(heap="96K")
    device.enrolled(40)
    device.online()


def test_no_enrollment_secret_stays_on_the_board(device):
    device.start()
    device.enrolled()
    device.online()
    device.run.kill()
    assert device.secrets_on_board() == []
    assert "/deeplink" not in [path for path, _ in device.board.files()]


# A19, A20
@pytest.mark.parametrize("quirk", ["php_notice", "sticky"])
def test_a_backend_with_a_quirk_enrolls_and_its_tasks_are_done(make_device, quirk):
    device = make_device(**{quirk: True}, default_profile=4).go_online(report="both")
    task = device.backend.tasks.deploy_file(17, b"data" * 500, "%SDCARD%/", "a.txt")
    device.ends(task, "done")
    assert device.posts() == [201]
    assert len(device.gets("initSession")) == 2
    assert bool(device.said("before the JSON")) == (quirk == "php_notice")


# A19
@pytest.mark.parametrize("at", [0, 3])
def test_a_created_agent_is_not_lost_with_the_answer_s_body(make_device, at):
    device = make_device()
    device.backend.fault("POST PluginFlyvemdmAgent", "truncate", at=at, times=1)
    device.provision()
    device.start()
    device.enrolled()
    assert device.posts() == [201]


# A39
@pytest.mark.parametrize("c", ["\N{EURO SIGN}", "\N{HONEYBEE}", "\\", "\x01"])
def test_the_longest_helpdesk_that_the_backend_takes_fits(make_device, c):
    device = make_device()
    device.deeplinks.append(
        device.backend.invite("user@example.org", c * 255, c * 255, c * 255, c * 255)
    )
    device.provision(deeplink=device.deeplinks.pop())
    device.start(heap="96K")
    device.enrolled()
    device.run.kill()
    assert device.secrets_on_board() == []


# A36
def test_generation_a_is_told_a_version_that_it_takes(make_device):
    device = make_device(generation="A").go_online()
    assert device.backend.wait_for(lambda: device.backend.events.of("version"), 5)
    assert device.agent.version == "2.0.0"


def test_sessions_are_closed(device):
    device.start()
    device.online()
    assert device.backend.state.sessions == {}


def test_the_invitations_tag_and_the_users_names_are_sent(device):
    device.start()
    device.enrolled()
    (agent,) = device.backend.agents
    assert device.backend.state.computers[agent.computer_id].serial.startswith("ESP32-")


def test_the_email_of_the_session_serves_when_none_is_configured(make_device):
    device = make_device()
    device.provision(email="invited@example.org")
    settings = b'{"ntp": ["%s"]}' % device.backend.ntp.encode()
    device.board.write("/config.json", settings)
    device.start()
    device.enrolled()


def test_tokens_stay_out_of_the_query_when_configured(make_device):
    device = make_device(header_only=True)
    device.provision(token_in="header")
    device.start()
    device.online()
    assert not any("token" in r.query for r in device.backend.requests)


def test_an_app_token_is_sent_when_configured(make_device):
    device = make_device(app_token="apptoken1234567")
    device.provision(app_token="apptoken1234567")
    device.start()
    device.enrolled()
    assert not any("apptoken" in line for line in device.run.log)


# A10
def test_letters_of_any_language_work_everywhere(make_device):
    device = make_device(aps={"Küche": "Schlüssel-ßé"})
    device.wifi = "Küche", "Schlüssel-ßé"
    device.provision(email="jürgen@example.org", serial="Prüfstand-3 検", lastname="Müller")
    device.start()
    device.online()
    assert device.agent.topic.endswith("/agent/Prüfstand-3 検")
    assert device.backend.admin.ping(device.agent)
