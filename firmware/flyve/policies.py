"""Policies and their tasks: what to do, what was done, and the statuses that the backend gets."""

import binascii
import json
import os

from micropython import const

from flyve import board, files, log, registry, resident, tasks
from flyve.registry import Failed, Incompatible

LIMIT = const(4096)  # bytes of a policy's message

# More than one task of these may hold at a time; of any other symbol the agent's own beats the
# fleet's.
_MANY = ("deployfile", "removefile", "deployapp", "removeapp")
_BEATEN = "overriden"


def _tell(agent, task_id, status):
    """A job: queues the task's status; waits for room in the outbox."""
    log.info("policies", "task %s %s", task_id, status)
    agent.tell("task", task_id, status)
    if not agent.by_mqtt:
        return
    if agent.rec.get("generation") == "A":
        topic = "/Status/Task"
        text = json.dumps({"updateStatus": [{"taskId": task_id, "status": status}]})
    else:
        topic = "/Status/Task/%s" % task_id
        text = json.dumps({"status": status})
    # The others come again with the retained message.
    final = status not in ("received", "waiting")
    while not agent.link.publish(agent.link.topic + topic, text.encode(), durable=final):
        yield 50


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


def begin(agent, again, fleet, symbol, task_id, payload):
    """A job: takes one message on a task's topic. again: it was begun before, and broke off;
    fleet: the topic of the fleet it is for, or None; payload: bytes, empty to remove the policy,
    None when it was too long to be received.

    Returns None when that was all, else (task, plan): what deploy.run() is to do, and the task
    that finish() is for."""
    if fleet and fleet != agent.rec.get("fleet"):
        return None
    known = tasks.find(task_id)
    if payload == b"":
        yield from _remove(agent, known)
        return None
    symbol = symbol.lower()
    task = [task_id, symbol, "fleet" if fleet else "agent", binascii.crc32(payload or b""), "", 0]
    if known and known[:4] == task[:4]:
        status = known[tasks.STATUS]
        if status != tasks.TRIAL:
            yield from _tell(agent, task_id, status)
            return None
        if resident.load("update").status():
            return None  # settle() tells how it ended
    try:
        if payload is None or len(payload) > LIMIT:
            raise Failed("message over %d bytes" % LIMIT)
        named, value, message = _parse(payload)
        if named.lower() != symbol:
            raise Failed("message about another symbol than its topic")
        if value == "default":
            yield from _remove(agent, known)
            return None
        if isinstance(value, (str, int)) and len(str(value)) <= 160:
            task[tasks.VALUE] = value
        if not again:
            yield from _tell(agent, task_id, "received")
            if symbol in _MANY:
                yield from _tell(agent, task_id, "waiting")
        done = yield from _apply(agent, task, value, message)
        if isinstance(done, tuple):
            return task, done
        status = done or "done"
    except (OSError, MemoryError):
        raise
    except Exception as e:  # of what a firmware author has added, too
        if not isinstance(e, (Failed, Incompatible)):
            e = Failed(repr(e))
        status = registry.told(task, e)
    yield from finish(agent, task, status)


def finish(agent, task, status):
    """A job: makes the task's status durable and tells it."""
    task[tasks.STATUS] = status
    tasks.put(task)
    if status == tasks.TRIAL:
        agent.restarting = True
    else:
        yield from _tell(agent, task[tasks.ID], status)


def _apply(agent, task, value, message):
    symbol = task[tasks.SYMBOL]
    handler = registry.policies.get(symbol) or _BUILT_IN.get(symbol)
    if handler is None:
        raise Incompatible("not for this kind of device")
    if symbol not in _MANY:
        origin = task[tasks.ORIGIN]
        other = tasks.first(lambda t: t[1] == symbol and t[4] == "done" and t[2] != origin)
        if other and origin == "fleet":
            return _BEATEN
        if other:
            yield from _end(agent, other, _BEATEN)
    return (yield from handler[0](agent, value, message, task))


def _remove(agent, task):
    """Forgets a task and reverts its setting; the backend has no status for that."""
    if task is None:
        return
    symbol = task[tasks.SYMBOL]
    beaten = [t for t in tasks.each() if t[tasks.SYMBOL] == symbol and t[tasks.STATUS] == _BEATEN]
    handler = registry.policies.get(symbol) or _BUILT_IN.get(symbol)
    if handler and handler[1] and task[tasks.STATUS] == "done":
        handler[1](agent, task[tasks.VALUE])
    tasks.rewrite(lambda t: t[tasks.ID] != task[tasks.ID] and t not in beaten)
    log.info("policies", "task %s removed", task[tasks.ID])
    if beaten:
        agent.link.refresh()  # now the fleet's counts
    yield


def forget_fleet(agent):
    """A job: drops all tasks of the fleet that the agent has left."""
    while True:
        task = tasks.first(lambda t: t[tasks.ORIGIN] == "fleet")
        if task is None:
            return
        yield from _remove(agent, task)


def settle(agent):
    """A job: tells how an update of the agent or of the firmware has ended."""
    update = resident.load("update")
    update.confirm()
    ended = update.status()
    if ended not in ("confirmed", "failed"):
        return
    log.info("policies", "update %s", ended)
    while True:
        task = tasks.first(lambda t: t[tasks.STATUS] == tasks.TRIAL)
        if task is None:
            break
        yield from _end(agent, task, "done" if ended == "confirmed" else "failed")
    update.forget()


def app_failed(agent, name):
    """A job: the task that installed this application has failed after all."""
    task = tasks.first(lambda t: t[1] == "deployapp" and t[5] == name and t[4] == "done")
    if task:
        yield from _end(agent, task, "failed")


def _end(agent, task, status):
    task[tasks.STATUS] = status
    tasks.put(task)
    yield from _tell(agent, task[tasks.ID], status)


def _deploy_file(agent, value, message, task):
    place = files.resolve(str(value), agent.settings["roots"])
    return "PluginFlyvemdmFile/%d" % _number(message.get("id"), "id"), place, None
    yield  # a job like the others


def _remove_file(agent, value, message, task):
    path = files.resolve(str(value), agent.settings["roots"])
    try:
        os.remove(path)
    except OSError as e:
        if e.errno != 2:  # ENOENT: it need not be there
            raise Failed("flash: %s" % e)
    yield


def _deploy_app(agent, value, message, task):
    version = message.get("versionCode", message.get("version", ""))
    item = "PluginFlyvemdmPackage/%d" % _number(message.get("id"), "id")
    return item, files.segment(str(value)), str(version)
    yield


def _remove_app(agent, value, message, task):
    name = files.segment(str(value))
    job = resident.load("packages").remove(name)
    agent.refresh_apps(name)
    yield from job


def _number(value, what):
    try:
        number = int(value)
        if 0 <= number < 1 << 31:
            return number
    except (ValueError, TypeError, OverflowError):
        pass
    raise Failed("no usable " + what)


def _geolocation(agent, value, message, task):
    agent.rec.save(locate=_number(value, "number of seconds") or None)
    yield


def _true(value):
    if str(value).lower() not in ("true", "false"):
        raise Failed("neither true nor false")
    return str(value).lower() == "true"


def _wifi(agent, value, message, task):
    if _true(value):
        raise Incompatible("it would cut the agent off")
    yield


def _bluetooth(agent, value, message, task):
    if _true(value) and not board.bluetooth_off():
        raise Incompatible("no Bluetooth")
    yield


_BUILT_IN = {
    "deployfile": (_deploy_file, None),
    "removefile": (_remove_file, None),
    "deployapp": (_deploy_app, None),
    "removeapp": (_remove_app, None),
    "periodicgeolocation": (_geolocation, lambda agent, value: agent.rec.save(locate=None)),
    "disablewifi": (_wifi, None),
    "disablebluetooth": (_bluetooth, None),
}
