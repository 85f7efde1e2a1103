"""What came in from the broker: sorts it by exact topic segments into commands and policies.

All of it is in Online.box, see opening.py. Both queues are bounded; what does not fit is dropped,
and a new subscription brings the retained ones again. A policy that failed waits for its own next
try (waiting.py), and gives its place to any other.
"""

import binascii
import json

from micropython import const

from flyve import log, memory

_MESSAGES = const(16)
_BYTES = const(6144)
_SPARED = const(1024)  # of these, for commands: policies may wait for long
_LOST = const(16)  # topics
_PARTS = const(200)  # of one message's JSON: a list in RAM takes many times its text
_NO_SYMBOL = ("taskId", "id", "version", "versionCode")


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
            if box["due"].get(one["key"], 0) > log.uptime():
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
