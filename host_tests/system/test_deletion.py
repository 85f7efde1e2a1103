"""An agent that was deleted at the backend by force, and what must not be taken for that."""

import pytest

from flyve_mdm.backend.membership import rights


def assert_erased(device):
    assert device.secrets_on_board(device.secrets() + device.credentials()) == []


@pytest.mark.parametrize("generation", ["B", "C"])
def test_an_online_agent_sees_it_at_once(make_device, generation):
    device = make_device(generation=generation).go_online()
    device.backend.admin.delete(17)
    device.run.wait_log("agent: unenrolled")
    device.run.wait_log("agent: waiting for a deeplink")
    device.run.kill()
    assert_erased(device)


def test_an_agent_that_was_off_is_orphaned_and_enrolls_again(make_device):
    device = make_device().go_online(orphan_after=1)
    device.run.kill()
    device.backend.admin.delete(17)
    device.start().wait_log("agent: broker and backend refuse us")
    device.run.wait_log("agent: orphaned", 40)
    device.run.wait_log("agent: waiting for a deeplink")
    device.run.kill()
    assert_erased(device)
    device.provision()
    device.start()
    assert device.enrolled() == 18


@pytest.mark.soak
def test_nothing_is_erased_before_the_time_that_is_set(make_device):
    device = make_device().go_online(orphan_after=3600)
    device.run.kill()
    device.backend.admin.delete(17)
    run = device.start()
    for _ in range(3):
        run.wait_log("link: no connection: .*refused", 20, len(run.log))
    run.kill()
    assert device.secrets_on_board(device.credentials())


REFUSED = "link: no connection: refused"


def later(device, text, seconds=30):
    """So much time passes, and more in steps of 30 s until a new line of the console holds the
    text: a try that is under way while time leaps ends otherwise, and its delay is at random."""
    since = len(device.run.log)
    for _ in range(20):
        device.passes(seconds)
        seconds = 30
        if device.backend.wait_for(lambda: text in "\n".join(device.run.log[since:]), 1.5):
            return
    raise AssertionError("\n".join(device.run.log))


# A6
@pytest.mark.virtual
def test_a_clock_that_is_set_late_does_not_hasten_it_and_a_restart_does_not_undo_it(make_device):
    device = make_device().go_online(orphan_after=3600)
    device.run.kill()
    device.backend.admin.delete(17)
    device.backend.options.ntp_silent = True
    device.start().wait_log("agent: broker and backend refuse us")
    device.backend.options.ntp_silent = False
    device.later("clock: set to", 30)
    later(device, REFUSED)
    later(device, REFUSED)
    later(device, REFUSED, 2700)
    later(device, REFUSED)
    assert not device.said("orphaned")
    device.run.kill()
    device.start().wait_log("agent: broker and backend refuse us")
    later(device, REFUSED)
    later(device, REFUSED)
    later(device, "agent: orphaned", 900)


def test_a_broker_alone_that_refuses_erases_nothing(make_device):
    device = make_device().go_online(orphan_after=1)
    agent, broker = device.agent, device.backend.broker
    asked = len(device.gets("initSession"))
    broker.remove_user(agent.serial)
    assert device.backend.wait_for(lambda: len(device.gets("initSession")) > asked, 20)
    device.run.wait_log("link: next try", 20, len(device.run.log))
    assert not device.said("refuse us")
    broker.set_user(agent.serial, agent.mqttpasswd, rights(agent, "C"))
    device.restart()


def test_a_backend_alone_that_refuses_erases_nothing(make_device):
    device = make_device().go_online(orphan_after=1, report="both")
    account = device.backend.state.users[device.agent.user_id]
    account.api_token = "another" * 5
    device.backend.expire_sessions()
    device.settled()
    device.run.wait_log("WARN online: ERROR_GLPI_LOGIN_USER_TOKEN", 20)
    assert device.backend.admin.ping(17, wait=5)
    assert not device.said("refuse us")
