"""What came in from the broker: sorts it by exact topic segments into commands and policies, and
knows which policy comes next.

All of it is in Online.box, see opening.py. Both queues are bounded; what does not fit is dropped,
and a new subscription brings the retained ones again. A policy that failed waits for its own next
try, and gives its place to any other.
"""

import binascii
import json

from micropython import const

from flyve import log, memory
from flyve.backoff import uniform

_MESSAGES = const(16)
_BYTES = const(6144)
_SPARED = const(1024)  # of these, for commands: policies may wait for long
_LOST = const(16)  # topics
_PARTS = const(200)  # of one message's JSON: a list in RAM takes many times its text
_NO_SYMBOL = ("taskId", "id", "version", "versionCode")
_BASE_MS = const(1000)  # the least delay after a policy's first failure
_CAP_MS = const(900000)
_STEPS = const(7)  # of three times the delay, until the cap
_AGAIN_MS = const(5000)  # between two subscriptions for the sake of policies that failed


def sort(online):
    """Puts all that came in into the queues. What found no place among the commands is asked for
    again, once these are done."""
    box = online.box
    if not box["commands"]:
        box["size"] = 0
    while box["raw"]:
        message = box["raw"].pop(0)
        try:
            _sort(online, *message)
        except MemoryError:
            box["raw"].insert(0, message)
            raise
    box["bytes"] = 0
    if box["lost"] and not box["commands"]:
        lost, box["lost"] = box["lost"], []
        online.link.ask(lost, lost)


def _sort(online, name, payload, retained):
    fleet = None
    topic = online.link.topic
    if not name.startswith(topic + "/"):
        topic = fleet = online.rec.get("fleet")
        if not fleet or not name.startswith(fleet + "/"):
            return  # the manifest's version: nothing to do
    parts = name[len(topic) + 1 :].split("/", 4)
    if payload and sum(payload.count(c) for c in (b"[", b"{", b",")) > _PARTS:
        payload = None  # as one that is too long
    if fleet is None and parts[0] in ("Command", "Subscription"):
        if payload:  # the backend clears its retained commands by an empty one
            _command(online, name, parts, payload, retained)
    elif parts[0] == "Policy" and len(parts) == 4 and parts[2] == "Task":
        _policy(online, name, fleet, parts[1], parts[3], payload, retained)
    elif payload is None and (parts[0] == "Policy" or fleet):
        log.error("policies", "%s is too long for one message: ignored", parts[-1])
    elif payload and (parts[0] == "Policy" or fleet):
        _group(online, topic, fleet, parts[-1], payload, retained)


def _loads(payload):
    from flyve.jobs import texts

    try:
        return texts.loads(payload)
    finally:
        texts = None
        memory.drop("texts")


def _command(online, topic, parts, payload, retained):
    box = online.box
    name = parts[1] if len(parts) == 2 else "Subscribe"
    try:
        message = _loads(payload)
    except ValueError:
        message = None
    if not isinstance(message, dict) or len(parts) > 2:
        log.warn("commands", "%s is malformed: ignored", name)
        return
    name = name.lower()
    if name == "ping":  # one that Online.receive() has not recognized
        if str(message.get("query")).lower() == "ping":
            online.answer("Ping", b"!", "pong")
        return
    entry = name, message, retained
    commands = box["commands"]
    for at in range(box["begun"] > 0, len(commands)):
        if commands[at] == entry:
            commands.append(commands.pop(at))  # the newest of all counts
            return
    if _fits(box, commands, payload):
        box["size"] += len(payload) + 64
        commands.append(entry)
    elif parts[0] != "Command":
        box["overflow"] = True
    elif topic not in box["lost"] and len(box["lost"]) < _LOST:
        box["lost"].append(topic)


def _group(online, topic, fleet, symbol, payload, retained):
    """Generation A: no task in the topic, and one message may hold a list of policies."""
    try:
        message = _loads(payload)
        items = message.get(symbol)
        for item in items if isinstance(items, list) else (message,):
            task_id = str(item["taskId"])
            for name in item:
                if isinstance(name, str) and name not in _NO_SYMBOL:
                    one = json.dumps(item).encode()
                    whole = "%s/Policy/%s/Task/%s" % (topic, name, task_id)
                    _policy(online, whole, fleet, name, task_id, one, retained)
                    break
    except (ValueError, TypeError, KeyError, AttributeError):
        log.warn("policies", "%s is malformed: ignored", symbol)


def _policy(online, topic, fleet, symbol, task_id, payload, retained):
    box = online.box
    policies = box["policies"]
    key = online.key(topic, binascii.crc32(payload or b""))
    ours = False  # the backend need not be asked whether it is
    if payload != b"":
        if online.seen(key, retained):
            return
        if box["keys"]:
            from flyve.jobs import known

            ours = known.renewed(online, task_id)
    for one in policies:
        if one["id"] == task_id:
            ours = ours or one["ours"]
            policies.remove(one)  # the newest of all counts
            break
    while not _fits(box, policies, payload):
        late = None
        for one in policies:
            if _left(box, one) > 0:
                late = one
                break
        if late is None:
            log.debug("inbox", "full")
            box["overflow"] = True
            return
        policies.remove(late)
        due = box["due"][late["key"]]
        box["later"] = min(due, box["later"] or due)
        if late["ours"]:
            from flyve.jobs import known

            known.put(online, late["id"], 0, known.DEALT)
    names = "fleet", "symbol", "id", "payload", "retained", "key", "ours"
    policies.append(dict(zip(names, (fleet, symbol, task_id, payload, retained, key, ours))))


def _fits(box, queue, payload):
    used = box["size"] + len(payload or b"") + 64
    for one in box["policies"]:
        if one is not box["hand"]:
            used += len(one["payload"] or b"") + 64
    room = _BYTES if queue is box["commands"] else _BYTES - _SPARED
    return len(queue) < _MESSAGES and used <= room


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
