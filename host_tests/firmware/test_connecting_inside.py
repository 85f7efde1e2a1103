"""What brings the agent into a network, and what of it stays in memory."""

import sys

import network

from flyve import memory, wifi

BOARD = True
network._inputs.get = lambda: {"aps": {}}


class Agent:
    settings = {}
    rec = {"state": "enrolled"}


def test_what_looks_whether_help_is_needed_is_gone_before_the_station_joins():
    from flyve.jobs import connecting

    assert isinstance(connecting.begin(Agent), wifi.Wifi)
    assert "flyve.jobs.invitation" not in sys.modules
    connecting = None
    memory.drop("connecting", "wifi_join")  # as wifi.Wifi does, once it is in
    assert not [name for name in sys.modules if name.startswith("flyve.jobs.")]
