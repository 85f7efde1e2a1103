"""Updates of the agent and of the firmware: on trial until the agent has been online for a while.

All state is the integer "update" in NVS, so that each step is one commit; boot.py, which may be
older than the agent, reads and changes it, too. Its fields, from the lowest bits on:
slot: the one in use (0 /flyve, 1 /flyve.a, 2 /flyve.b)
trial: the slot on trial, or 0
tries: how often that was started
ended: how the last trial ended (0: there was none, or it has been told; 1: confirmed, 2: failed)
partition: the subtype of the OTA partition on trial, or 0
previous: one more than the slot to fall back to when the one in use goes on crashing (0: none)
other: 1 when the other OTA partition is to be fallen back to
fallen: 1 when that has happened
"""

from micropython import const

from flyve import log, memory, wifi
from flyve.jobs import board_facts, nvs
from flyve.registry import Failed

# Name and bits; boot.py has them, too.
_FIELDS = const((
    ("slot", 2), ("trial", 2), ("tries", 2), ("ended", 2), ("partition", 8), ("previous", 2),
    ("other", 1), ("fallen", 1),
))  # fmt: skip
_CONFIRMED = const(1)  # of ended
_SAFE = const(5)  # crashes in a row, after which applications are not started
_STABLE_MS = const(300000)  # a crash later than that has another cause than the start
_LOOK_MS = const(1000)  # while an update is on trial


def _get():
    """The fields, a dict."""
    bits = nvs.get_int("update") or 0
    state = {}
    for name, size in _FIELDS:
        state[name] = bits & (1 << size) - 1
        bits >>= size
    return state


def _put(state, **changes):
    """Makes the state with these changes durable."""
    state.update(changes)
    bits = at = 0
    for name, size in _FIELDS:
        bits |= state[name] << at
        at += size
    nvs.put_int("update", bits)


def _settled(state, **changes):
    """A copy of the state without the last trial: the slot in use, and where to fall back to."""
    kept = dict(state, trial=0, tries=0, ended=0, partition=0, fallen=0)
    kept.update(changes)
    return kept


def status():
    """How the newest update stands: "trial" while it runs unconfirmed, "confirmed" or "failed"
    from its end until forget(), else None."""
    state = _get()
    if state["ended"] & _CONFIRMED:
        return "confirmed"
    # The boot loader has rolled back, or never got to know of the image.
    image = state["partition"]
    if state["ended"] or image and board_facts.running().info()[1] != image:
        return "failed"
    return "trial" if state["tries"] or image else None


def on_trial():
    """True while what runs has to be confirmed."""
    return status() == "trial"


def confirm():
    """Keeps what runs, if it is on trial; what ran before is what to fall back to."""
    if not on_trial():
        return
    state = _get()
    kept = _settled(state, ended=_CONFIRMED)
    if state["trial"]:
        kept.update(slot=state["trial"], previous=state["slot"] + 1)
    elif state["partition"]:
        board_facts.running().mark_app_valid_cancel_rollback()
        if not state["fallen"]:
            kept["other"] = 1
    _put(kept)


def forget():
    """Forgets how the last trial ended, once it has been reported."""
    state = _get()
    if state != _settled(state) and not on_trial():
        _put(_settled(state))


def _folder(number):
    return "flyve." + "?ab?"[number]


def in_slot():
    """True when another agent than the one beside the slots is in use, or on trial."""
    state = _get()
    return state["slot"] > 0 or state["trial"] > 0


def slots():
    """The folders of the slots that are in use, on trial, or what to fall back to."""
    state = _get()
    return [_folder(state["slot"]), _folder(state["trial"]), _folder(state["previous"] - 1)]


def spare():
    """(number, folder) of the slot for a new agent, which nothing falls back to from now on;
    raises Failed while an update is on trial."""
    if on_trial():
        raise Failed("an update is on trial")
    state = _get()
    number = 2 if state["slot"] == 1 else 1
    if state["previous"] == number + 1:
        # The agent beside the slots is always there.
        _put(state, previous=1 if state["slot"] else 0)
    return number, "/" + _folder(number)


def try_slot(number):
    """Lets the next start be the first on trial of that slot."""
    _put(_settled(_get(), trial=number))


def give_up_image():
    """Nothing falls back to the image in the other OTA partition from now on: another one comes
    there. Raises Failed while an update is on trial."""
    if on_trial():
        raise Failed("an update is on trial")
    kept = _settled(_get(), other=0)
    if kept != _get():
        _put(kept)


def try_image(kind):
    """The image in the OTA partition of that subtype is on trial, 0: none is; the boot loader is
    to get to know of it after this."""
    _put(_settled(_get(), other=0), partition=kind)


def crashes():
    """How many of the last starts have crashed, in a row, as boot.py has counted them: a crash
    that NVS could not take is as good as too many."""
    try:
        counted = nvs.get_int("crashes") or 0
    except OSError:
        counted = 0
    return max(counted, getattr(__import__("__main__"), "uncounted", 0))


def safe_mode():
    """True when too many of the last starts have crashed for applications; ask before settle()."""
    return crashes() >= _SAFE


def _lost(agent):
    """True when an invitation waits and has not led to the backend; the page tells more, and
    while it is open it has other reasons."""
    if agent.wifi and not isinstance(agent.wifi, wifi.Wifi):
        return False
    from flyve.jobs import invitation

    lost = invitation.waiting() and invitation.needs_help(agent)
    invitation = None
    memory.drop("invitation")
    return lost


def settle(agent):
    """Ends the trial once the agent has been online for long enough, else, when that takes too
    long, restarts the board; ends the row of crashes once it has been up for some minutes, so that
    a watchdog bite or an application's crash soon after the start still counts. Returns the
    milliseconds until the next look, None for never, and whether the trial goes on."""
    up = log.uptime()
    online = agent.online
    trial = agent.trial
    if trial:
        if not online or online.since is None:
            if up > agent.settings["trial"] * 1000:
                agent.restart("the update did not come online in time")
        elif online.link.up and up - online.since >= agent.settings["stable"] * 1000:
            trial = False
            online.look()  # there is an update to tell of
    if up > _STABLE_MS and nvs.get_int("crashes"):
        nvs.put_int("crashes", 0)
    if up > _STABLE_MS and _lost(agent):
        if agent.job:
            return _LOOK_MS, trial
        log.warn("agent", "no way to the backend since the start: the set-up page opens")
        agent.begin_anew("wifi")
    if trial:
        return _LOOK_MS, True
    return None if up > _STABLE_MS else _STABLE_MS - up + 1, False
