"""Online, offline and back, as the backend and an observer on the broker see it."""

import pytest


def agent_of(device):
    (agent,) = device.backend.agents
    return agent


@pytest.mark.parametrize("generation", ["A", "B", "C"])
def test_a_killed_board_is_seen_offline_by_its_will_and_online_after_a_restart(
    make_device, generation
):
    device = make_device(generation=generation)
    device.provision(keepalive=5)
    device.start()
    device.online()
    device.run.kill()
    assert device.backend.wait_for(lambda: not agent_of(device).online, 15)
    device.start()
    device.online()


def test_a_restarted_broker_is_found_again(online):
    since = len(online.run.log)
    online.backend.broker.restart()
    online.run.wait_log(r"link: offline: ", since=since)
    online.online(since=since)


def test_a_broker_that_hangs_is_noticed_and_found_again(make_device):
    device = make_device()
    device.provision(keepalive=5)
    device.start()
    device.online()
    since = len(device.run.log)
    device.backend.broker.hang()
    device.run.wait_log(r"link: offline: the broker does not answer", 12, since)
    device.backend.broker.resume()
    device.online(60, since)


def test_a_lost_access_point_is_waited_for(online):
    since = len(online.run.log)
    online.board.set_air({})
    online.run.wait_log(r"link: offline: the Wi-Fi is gone", since=since)
    online.board.set_air({"flyve": "flyve-demo"})
    online.online(30, since)
