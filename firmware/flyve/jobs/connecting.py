"""What is to bring the agent into a network: the station alone, or beside it the set-up page."""

from flyve import memory, wifi


def begin(agent):
    """The part of the agent's loop that has its network, see wifi.Wifi."""
    from flyve.jobs import invitation, wifi_join

    station = wifi_join.station()
    if not invitation.needs_help(agent):
        return wifi.Wifi(station)
    # The page is to begin without them.
    invitation = wifi_join = None
    memory.drop("invitation", "wifi_join")
    from flyve.jobs import setup

    return setup.Setup(agent, station)
