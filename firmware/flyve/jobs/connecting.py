"""What is to bring the agent into a network: the station alone, or beside it the set-up page."""

from flyve import wifi
from flyve.jobs import invitation, wifi_join


def begin(agent):
    """The part of the agent's loop that has its network, see wifi.Wifi."""
    station = wifi_join.station()
    if not invitation.needs_help(agent):
        return wifi.Wifi(station)
    from flyve.jobs import setup

    return setup.Setup(agent, station)
