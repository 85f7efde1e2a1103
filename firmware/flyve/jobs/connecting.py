"""What is to bring the agent into a network: the station alone, or beside it the set-up page."""

from flyve import memory, wifi


def begin(agent):
    """The part of the agent's loop that has its network, see wifi.Wifi."""
    from flyve.jobs import invitation, wifi_join

    station = wifi_join.station()
    helped = invitation.needs_help(agent)
    invitation = None
    memory.drop("invitation")
    if not helped:
        return wifi.Wifi(station)
    wifi_join = None  # the page is to begin without it
    memory.drop("wifi_join")
    from flyve.jobs import setup

    return setup.Setup(agent, station)
