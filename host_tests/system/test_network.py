"""Wi-Fi and clock of a whole board."""

import json
import time

NETWORKS = {"attic": "attic-passphrase", "cellar": "cellar-passphrase"}


def provision(device, networks, **settings):
    device.provision(**settings)
    device.board.nvs_set("flyve", "wifi", json.dumps(networks).encode())


def test_the_second_network_is_tried_when_the_first_is_not_there(make_device):
    device = make_device(aps={"cellar": NETWORKS["cellar"]})
    provision(device, list(NETWORKS.items()))
    device.start()
    device.run.wait_log(r"wifi: attic: not found")
    device.online()


def test_the_network_that_worked_last_is_tried_first(make_device):
    device = make_device(aps={"cellar": NETWORKS["cellar"]})
    provision(device, list(NETWORKS.items()))
    device.start()
    device.online()
    device.run.kill()
    device.board.set_air(NETWORKS)
    device.start()
    assert device.run.wait_log(r"wifi: connecting to (\w+)")[1] == "cellar"
    device.online()


def test_a_wrong_passphrase_is_named_and_not_shown(make_device):
    device = make_device(aps={"attic": "another-passphrase"})
    provision(device, [["attic", NETWORKS["attic"]]])
    device.start()
    device.run.wait_log(r"wifi: attic: wrong passphrase")
    assert not any("passphrase" in line.replace("wrong passphrase", "") for line in device.run.log)


def test_an_open_network_needs_no_passphrase(make_device):
    device = make_device(aps={"cafe": ""})
    provision(device, [["cafe", ""]])
    device.start()
    device.online()


def test_no_network_at_all_says_how_to_configure_one(device):
    device.board.nvs_set("flyve", "wifi", b"[]")
    device.start()
    device.run.wait_log(r"wifi: no network is configured: flyve provision --wifi")


def test_the_second_time_server_is_asked_when_the_first_is_silent(device):
    device.provision(ntp=["127.0.0.1:9", device.backend.ntp])
    device.start()
    assert device.backend.ntp in device.run.wait_log(r"clock: set to .* by (\S+)")[1]


# A3
def test_one_time_server_that_is_years_ahead_once_does_no_harm_to_tls(make_device):
    device = make_device(tls=True, ntp_leap=5 * 365 * 86400.0).go_online()
    device.restart()
    year = device.run.wait_log(r"clock: set to (\d+)-")[1]
    assert int(year) == time.gmtime().tm_year


def test_a_time_before_the_build_date_is_refused(device):
    device.backend.options.ntp_offset = -3650 * 86400.0
    device.start()
    device.run.wait_log(r"clock: no NTP server answered")


def test_networks_that_cannot_be_read_say_how_to_configure_them(device):
    device.board.nvs_set("flyve", "wifi", b"attic=passphrase")
    device.start()
    device.run.wait_log(r"wifi: its settings are unreadable: flyve provision --wifi")
    assert not device.said("passphrase")
