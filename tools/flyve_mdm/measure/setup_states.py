"""What the set-up page shows in each of its states: for tests, and for the picture of it."""

NETWORKS = (
    ("Home", 4, True),
    ("Guest café", 3, False),
    ("Conference room on the 2nd floor", 2, True),
    ("Neighbour", 1, True),
)
BASE = {
    "network": "Flyve-1A2B",
    "serial": "240AC4001A2B",
    "form": "0123456789abcdef",
    "backend": "glpi.example.org",
    "helpdesk": "Example IT",
    "contact": "+33 1 23 45 67 89, help@example.org, https://help.example.org",
}
INVITED = {**BASE, "invited": True, "email": "user@example.org"}
ERRORS = {
    "ssid_error": "Choose a network, or type the name of another.",
    "psk_error": "A passphrase has 8 to 63 characters: type it again.",
    "link_error": "This is no invitation: copy the whole link from the e-mail.",
    "email_error": "An address looks like name@example.org.",
}


def _trouble(state, why, todo, base=INVITED):
    return {**base, state: True, "why": why, "todo": todo, "ssid": "Home"}, NETWORKS


# (values, networks) of each.
STATES = {
    "new": ({**BASE, "new": True}, NETWORKS),
    "invited": ({**INVITED, "new": True}, NETWORKS),
    "alone": ({**BASE, "new": True}, ()),
    "errors": ({**BASE, **ERRORS, "other": "Café", "email": "user@"}, NETWORKS),
    "joining": ({**INVITED, "joining": True, "ssid": "Home", "refresh": "2"}, NETWORKS),
    "joined": ({**INVITED, "joined": True, "ssid": "Home", "refresh": "2"}, NETWORKS),
    "failed": _trouble("failed", "The passphrase is wrong.", "Type it again: case counts."),
    "away": _trouble("away", "Home was not found.", "Switch it on, or choose another one."),
    "refused": _trouble("refused", "Wrong email address", "Ask for a new invitation.", BASE),
    "unreachable": _trouble("unreachable", "No answer for 5 minutes.", "Has it a way out?"),
}
# As many and as long names as there can be.
WORST = ({**INVITED, "new": True}, [(f"{n:032}", 4, True) for n in range(16)])
