"""Unenrollment: acknowledged first, then erased; never blank and silent."""

import json
import random
import time

import pytest

from flyve_mdm.board.life import EXIT_CUT


def leave_while_off(device):
    """Gives a board that is off the order to leave."""
    device.run.kill()
    device.backend.admin.unenroll(17, wait=0)
    device.backend.listener.flush()


def assert_blank(device):
    device.run.wait_log("agent: waiting for a deeplink", 20)
    device.run.kill()
    assert device.backend.agents == []
    assert device.secrets_on_board(device.secrets() + device.credentials()) == []


@pytest.mark.parametrize(("generation", "tls"), [("A", False), ("B", False), ("C", True)])
def test_it_is_acknowledged_and_leaves_no_secret(make_device, generation, tls):
    device = make_device(generation=generation, tls=tls).go_online()
    assert device.backend.admin.unenroll(17, wait=10)
    device.run.wait_log("agent: unenrolled")
    assert_blank(device)


def test_the_acknowledgement_is_not_retained(make_device):
    device = make_device().go_online()
    topic = device.agent.topic
    assert device.backend.admin.unenroll(17, wait=10)
    assert device.backend.wait_event("purged")
    listener = device.backend.listener
    listener.pause()
    listener.resume()
    assert device.backend.wait_event("ignored", topic=f"{topic}/Status/Online")
    listener.flush()
    ignored = [event.detail["topic"] for event in device.backend.events.of("ignored")]
    assert f"{topic}/Status/Unenroll" not in ignored


def test_a_new_invitation_enrolls_again(make_device):
    device = make_device().go_online()
    assert device.backend.admin.unenroll(17, wait=10)
    device.run.wait_log("agent: waiting for a deeplink")
    device.run.kill()
    device.provision()
    device.start()
    assert device.enrolled() == 18
    device.online()


def test_it_reaches_a_board_that_was_off(make_device):
    device = make_device().go_online()
    leave_while_off(device)
    device.start()
    assert_blank(device)


def test_it_is_acknowledged_again_until_the_backend_has_heard_it(make_device):
    device = make_device().go_online()
    leave_while_off(device)
    device.backend.listener.pause()
    device.start().wait_log("agent: the backend has not deleted us yet")
    device.backend.listener.resume()
    assert_blank(device)


def test_a_restart_does_not_end_it(make_device):
    device = make_device().go_online()
    leave_while_off(device)
    device.backend.listener.pause()
    device.start().wait_log("agent: the backend has not deleted us yet")
    device.run.kill()
    device.backend.listener.resume()
    device.start()
    assert_blank(device)


# A5
def test_a_clock_that_is_late_does_not_keep_it_from_the_backend(make_device):
    device = make_device(tls=True).go_online()
    leave_while_off(device)
    device.backend.listener.pause()
    device.start().wait_log("agent: the backend has not deleted us yet")
    device.run.kill()
    device.backend.listener.resume()
    device.backend.options.ntp_silent = True
    device.start().wait_log("clock: no NTP server answered")
    device.backend.options.ntp_silent = False
    assert_blank(device)


def test_a_backend_that_never_confirms_it_is_waited_for_as_long_as_set(make_device):
    device = make_device().go_online(unenroll_wait=1)
    leave_while_off(device)
    device.backend.listener.pause()
    device.start().wait_log("agent: the backend did not confirm the unenrollment", 20)
    device.run.wait_log("agent: waiting for a deeplink")
    device.run.kill()
    assert device.secrets_on_board(device.secrets() + device.credentials()) == []


# A6
@pytest.mark.virtual
def test_the_wait_for_it_is_time_spent_whatever_the_clock_says_and_over_restarts(make_device):
    device = make_device().go_online(unenroll_wait=86400)
    leave_while_off(device)
    device.backend.listener.pause()
    device.backend.options.ntp_silent = True
    device.start().wait_log("agent: the backend has not deleted us yet")
    device.backend.options.ntp_silent = False
    device.later("clock: set to", 30)
    device.later("agent: the backend has not deleted us yet", 80000)
    device.later("agent: the backend has not deleted us yet", 30)
    assert not device.said("did not confirm")
    device.run.kill()
    device.start().wait_log("agent: the backend has not deleted us yet")
    device.later("agent: the backend did not confirm the unenrollment", 7200)


@pytest.mark.parametrize("erase", [False, True])
def test_files_and_applications_go_only_if_that_is_set(make_device, erase):
    device = make_device().go_online(erase_on_unenroll=erase)
    device.ends(
        device.backend.tasks.deploy_app(17, b"def start(agent):\n    yield\n", "one"), "done"
    )
    device.ends(device.backend.tasks.deploy_file(17, b"abc", "%SDCARD%/", "a.txt"), "done")
    device.run.kill()
    coming = {"file": ["PluginFlyvemdmFile/9", "/files/b.txt", {}]}
    device.board.change({"/part.json": json.dumps(coming).encode(), "/files/%part": b"half"})
    device.start()
    device.online()
    assert device.backend.admin.unenroll(17, wait=10)
    assert_blank(device)
    left = [path for path, _ in device.board.files() if path.startswith(("/files/", "/apps/"))]
    assert bool(left) != erase
    assert "/files/%part" not in left


# A29
def test_another_deeplink_of_the_same_backend_enrolls_anew(make_device):
    device = make_device().go_online()
    device.run.kill()
    device.provision()
    device.start()
    assert device.enrolled() == 18
    device.online()
    assert device.agent.id == 18
    assert device.backend.admin.ping(18, wait=5)


# A29
@pytest.mark.virtual
def test_another_backend_s_deeplink_makes_the_old_agent_leave_when_it_has_created_one(make_device):
    device, other = make_device().go_online(), make_device()
    device.run.kill()
    device.provision(deeplink=other.backend.invite("user@example.org"))
    device.start().wait_log("agent: another deeplink: leaving first")
    device.run.wait_log("agent: unenrolled")
    device.enrolled()
    assert other.backend.wait_for(lambda: any(a.online for a in other.backend.agents), 10)
    assert device.backend.agents == []


# A29
@pytest.mark.virtual
def test_a_power_cut_right_after_the_other_backend_has_created_one_changes_nothing(make_device):
    device, other = make_device().go_online(), make_device()
    device.run.kill()
    other.backend.fault("killSession", "delay", seconds=8, times=1)
    device.provision(deeplink=other.backend.invite("user@example.org"))
    device.start()
    assert other.backend.wait_for(lambda: other.backend.agents, 30)
    time.sleep(1)  # the answer is read
    device.run.kill()
    device.start().wait_log("agent: unenrolled")
    device.enrolled()
    assert not device.said("refused") and len(other.backend.agents) == 1


# A29
@pytest.mark.parametrize("why", ["used", "unknown", "cut", "elsewhere"])
def test_a_deeplink_that_does_not_serve_leaves_the_enrollment_as_it_is(make_device, why):
    device = make_device().go_online()
    device.run.kill()
    backend = device.backend
    link = backend.invite("other@example.org")
    if why == "used":
        for invitation in backend.state.invitations.values():
            invitation.status = "done"
    elif why == "unknown":
        for user in list(backend.state.users.values()):
            if "other@example.org" in user.emails:
                del backend.state.users[user.id]
    elif why == "cut":
        link = link[:200]
    device.provision(email="other@example.org", deeplink=link)
    device.deeplinks.pop()
    if why == "elsewhere":
        backend.fault("getFullSession", "error", status=502, times=1)
        device.start().wait_log("enrollment: NOT_JSON .*HTTP 502")
        assert backend.wait_for(lambda: backend.admin.agent(17).online, 10)
        return
    device.start().wait_log("agent: the other deeplink is discarded")
    device.online()
    assert backend.admin.ping(17, wait=5)
    assert "/deeplink" not in [path for path, _ in device.board.files()]


# A29
@pytest.mark.virtual
def test_a_lost_answer_to_another_deeplink_s_post_is_told_after_a_restart(make_device):
    device, other = make_device().go_online(), make_device()
    device.run.kill()
    other.backend.fault("POST PluginFlyvemdmAgent", "drop-after", times=1)
    device.provision(deeplink=other.backend.invite("user@example.org"))
    device.start().wait_log("enrollment: next try in")
    device.run.kill()
    device.start().wait_log(r"refused .*delete the device's agent in GLPI.*invite again")
    device.online()


WRITES = 11  # of an unenrollment that was ordered while the board was off


def test_an_unenrollment_takes_that_many_writes(make_device):
    device = make_device().go_online()
    leave_while_off(device)
    device.start()
    assert_blank(device)
    assert device.run.flash_ops == WRITES


def cut_at(make_device, cut):
    device = make_device().go_online()
    leave_while_off(device)
    device.start(cut_after=cut)
    assert device.run.wait() == EXIT_CUT
    device.start()
    assert_blank(device)


@pytest.mark.parametrize("cut", sorted(random.Random(4).sample(range(1, WRITES + 1), 3)))
def test_a_power_cut_at_a_write_ends_acknowledged_and_blank(make_device, cut):
    cut_at(make_device, cut)


@pytest.mark.soak
@pytest.mark.parametrize("cut", range(1, WRITES + 1))
def test_a_power_cut_at_any_write_ends_acknowledged_and_blank(make_device, cut):
    cut_at(make_device, cut)
