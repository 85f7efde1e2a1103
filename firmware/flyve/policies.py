"""Policies and their tasks: what to do, what was done, and the statuses that the backend gets."""

import binascii
import json
import os

from micropython import const

from flyve import log, places, registry, resident, tasks
from flyve.registry import Failed, Incompatible

LIMIT = const(4096)  # bytes of a policy's message

# More than one task of these may hold at a time; of any other symbol the agent's own beats the
# fleet's.
_MANY = ("deployfile", "removefile", "deployapp", "removeapp")


def _tell(agent, task_id, status):
    """A job: queues the task's status; waits for room in the outbox."""
    if agent.rec.get("generation") == "A":
        topic = "/Status/Task"
        text = json.dumps({"updateStatus": [{"taskId": task_id, "status": status}]})
    else:
        topic = "/Status/Task/%s" % task_id
        text = json.dumps({"status": status})
    while not agent.link.publish(agent.link.topic + topic, text.encode()):
        yield
    log.info("policies", "task %s %s", task_id, status)


def _parse(payload):
    """(symbol, value, message) of a policy's message; raises Failed."""
    try:
        message = json.loads(payload)
        task_id = message["taskId"]
    except (ValueError, TypeError, KeyError):
        raise Failed("malformed message")
    if not isinstance(task_id, (int, str)):
        raise Failed("malformed taskId")
    for symbol in message:
        if symbol not in ("taskId", "id", "version", "versionCode"):
            return symbol, message[symbol], message
    raise Failed("no symbol in the message")


def run(agent, origin, symbol, task_id, payload):
    """A job: deals with one message on a task's topic. origin: "agent" or "fleet"; payload: bytes,
    empty to remove the policy, None when it was too long to be received."""
    known = tasks.find(task_id)
    if payload == b"":
        yield from _remove(agent, known)
        return
    digest = binascii.crc32(payload or b"")
    if known and known[tasks.DIGEST] == digest and known[tasks.ORIGIN] == origin:
        yield from _tell(agent, task_id, known[tasks.STATUS])
        return
    value = None
    try:
        if payload is None or len(payload) > LIMIT:
            raise Failed("message over %d bytes" % LIMIT)
        named, value, message = _parse(payload)
        if named.lower() != symbol.lower():
            raise Failed("message about another symbol than its topic")
        if value == "default":
            yield from _remove(agent, known)
            return
        yield from _tell(agent, task_id, "received")
        status = yield from _apply(agent, origin, named.lower(), value, message, task_id)
    except Failed as e:
        log.error("policies", "task %s %s: %s", task_id, symbol, e)
        status = "failed"
    except Incompatible as e:
        log.warn("policies", "task %s %s: %s", task_id, symbol, e)
        status = "incompatible"
    if not isinstance(value, (str, int)) or len(str(value)) > 160:
        value = None
    tasks.put([task_id, symbol.lower(), origin, digest, status, value])
    yield from _tell(agent, task_id, status)


def _apply(agent, origin, symbol, value, message, task_id):
    handler = registry.policies.get(symbol) or _BUILT_IN.get(symbol)
    if handler is None:
        raise Incompatible("not for this kind of device")
    if symbol not in _MANY:
        for task in tasks.each():
            if task[tasks.SYMBOL] == symbol and task[tasks.STATUS] == "done":
                if task[tasks.ORIGIN] == "agent" and origin == "fleet":
                    return "overriden"
                if task[tasks.ORIGIN] == "fleet" and origin == "agent":
                    task[tasks.STATUS] = "overriden"
                    tasks.put(task)
                    yield from _tell(agent, task[tasks.ID], "overriden")
                    break
    if symbol in _MANY:
        yield from _tell(agent, task_id, "waiting")
    yield from handler[0](agent, value, message)
    return "done"


def _remove(agent, task):
    """Forgets a task and reverts its setting; the backend has no status for that."""
    if task is None:
        return
    tasks.rewrite(lambda other: other[tasks.ID] != task[tasks.ID])
    symbol = task[tasks.SYMBOL]
    handler = registry.policies.get(symbol) or _BUILT_IN.get(symbol)
    if handler and handler[1] and task[tasks.STATUS] == "done":
        handler[1](agent, task[tasks.VALUE])
    log.info("policies", "task %s removed", task[tasks.ID])
    yield


def forget_fleet(agent):
    """A job: drops all tasks of the fleet that the agent has left."""
    for task in list(tasks.each()):
        if task[tasks.ORIGIN] == "fleet":
            yield from _remove(agent, task)


def _deploy_file(agent, value, message):
    path = places.resolve(str(value), agent.settings["roots"])
    item = "PluginFlyvemdmFile/%d" % _number(message, "id")
    yield from resident.load("deploy").file(agent, item, path, message.get("version"))


def _remove_file(agent, value, message):
    path = places.resolve(str(value), agent.settings["roots"])
    try:
        os.remove(path)
    except OSError:
        pass  # it need not be there
    yield


def _deploy_app(agent, value, message):
    name = places.segment(str(value))
    item = "PluginFlyvemdmPackage/%d" % _number(message, "id")
    version = message.get("versionCode", message.get("version"))
    yield from resident.load("deploy").application(agent, item, name, version)


def _remove_app(agent, value, message):
    agent.forget_app(str(value))
    resident.load("packages").remove(places.segment(str(value)))
    yield


def _number(message, key):
    try:
        return int(message[key])
    except (KeyError, ValueError, TypeError):
        raise Failed("no usable " + key)


def _geolocation(agent, value, message):
    try:
        agent.rec.save(locate=max(0, int(value)) or None)
    except (ValueError, TypeError):
        raise Failed("no number of seconds")
    yield


def _refuse_true(agent, value, message):
    if str(value).lower() == "true":
        raise Incompatible("it would cut the agent off")
    yield


_BUILT_IN = {
    "deployfile": (_deploy_file, None),
    "removefile": (_remove_file, None),
    "deployapp": (_deploy_app, None),
    "removeapp": (_remove_app, None),
    "periodicgeolocation": (_geolocation, lambda agent, value: agent.rec.save(locate=None)),
    "disablewifi": (_refuse_true, None),
}
