"""The policies that wait in the box: which comes next, and what becomes of the one at hand. One
that failed waits for its own next try."""

from micropython import const

from flyve import log
from flyve.backoff import uniform

_BASE_MS = const(1000)  # the least delay after a policy's first failure
_CAP_MS = const(900000)
_STEPS = const(7)  # of three times the delay, until the cap
_AGAIN_MS = const(5000)  # between two subscriptions for the sake of policies that failed


def _left(box, one):
    """Milliseconds until a policy may be tried; 0 or less: now."""
    due = box["due"].get(one["key"])
    return 0 if due is None else due - log.uptime()


def left(box, ready):
    """Milliseconds until a policy may be tried for which ready(policy) is true, or None."""
    found = None
    for one in box["policies"]:
        if ready(one):
            ms = max(0, _left(box, one))
            if found is None or ms < found:
                found = ms
    return found


def take(box, ready):
    """The oldest policy that may be tried, for which ready(policy) is true: it is at hand now."""
    for one in box["policies"]:
        if ready(one) and _left(box, one) <= 0:
            box["hand"] = one
            return one


def failed(box, after):
    """The policy at hand failed, and is to be tried again later; returns the delay in ms. after:
    so many the server has asked to wait, at the least."""
    key = box["hand"]["key"]
    count = box["tries"].get(key, 0)
    low = min(_CAP_MS // 3, _BASE_MS * 3**count)
    delay = min(_CAP_MS, max(uniform(low, low * 3), after))
    box["due"][key] = log.uptime() + delay
    box["tries"][key] = min(_STEPS, count + 1)
    back(box)
    return delay


def back(box, first=False):
    """The policy at hand waits again, unless a newer message has taken its place; first: to be
    tried next."""
    one, box["hand"] = box["hand"], None
    key = one["key"]
    if first and key not in box["tries"]:
        box["tries"][key] = 1  # it was begun
        box["due"][key] = log.uptime()
    policies = box["policies"]
    if one in policies:
        policies.remove(one)
        policies.insert(0 if first else len(policies), one)


def done(online):
    """The policy at hand was dealt with, or is out of date."""
    box = online.box
    one, box["hand"] = box["hand"], None
    key = one["key"]
    box["due"].pop(key, None)
    box["tries"].pop(key, None)
    if one in box["policies"]:
        box["policies"].remove(one)
        if one["payload"] != b"" and one["fleet"] in (None, online.rec.get("fleet")):
            from flyve.jobs import known

            known.put(online, one["id"], key, known.DEALT)


def pardon(box):
    """All that failed may be tried at once: the backend was away."""
    box["due"].clear()
    box["tries"].clear()


def stale(box):
    """Milliseconds until what was dropped should come again, or None; at 0 it counts as asked
    for."""
    if box["commands"] or not (box["overflow"] or box["later"]):
        return None
    for one in box["policies"]:
        if _left(box, one) <= 0:
            return None  # not before there is room
    now = log.uptime()
    if not box["overflow"]:
        ms = max(box["later"], box["asked"] + _AGAIN_MS) - now
        if ms > 0:
            return ms
    box.update({"overflow": False, "later": 0, "asked": now})
    return 0
