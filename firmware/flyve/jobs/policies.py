"""Policies and their tasks: what to do, what was done, and the statuses that the backend gets."""

import binascii
import json
import os

from micropython import const

from flyve import log, memory, registry
from flyve.registry import Failed, Incompatible

LIMIT = const(4096)  # bytes of a policy's message

_BEATEN = const("overriden")


# What these name goes before what follows begins.


def _tasks():
    from flyve.jobs import tasks

    return tasks


def _remove(*what):
    from flyve.jobs import removal

    return removal.remove(*what)


def _many(symbol):
    """True when more than one task of this symbol may hold at a time; of any other symbol the
    agent's own beats the fleet's."""
    return symbol in ["deployfile", "removefile", "deployapp", "removeapp"]


def tell(online, task_id, status, durable=False):
    """A job: queues the task's status; waits for room in the outbox. Not durable is what comes
    again with the retained message."""
    log.info("policies", "task %s %s", task_id, status)
    online.tell("task", task_id, status)
    if not online.by_mqtt:
        return
    if online.rec.get("generation") == "A":
        topic = "/Status/Task"
        text = json.dumps({"updateStatus": [{"taskId": task_id, "status": status}]})
    else:
        topic = "/Status/Task/%s" % task_id
        text = json.dumps({"status": status})
    while not online.link.publish(online.link.topic + topic, text.encode(), durable=durable):
        yield 50


def _parse(payload):
    """(symbol, value, message) of a policy's message; raises Failed."""
    from flyve.jobs import texts

    try:
        message = texts.loads(payload)
        task_id = message["taskId"]
    except (ValueError, TypeError, KeyError):
        raise Failed("malformed message")
    if not isinstance(task_id, (int, str)):
        raise Failed("malformed taskId")
    for symbol in message:
        if symbol not in ["taskId", "id", "version", "versionCode"]:
            return symbol, message[symbol], message
    raise Failed("no symbol in the message")


def begin(online, again, policy):
    """A job: takes one message on a task's topic, as opening.py describes it. again: it was begun
    before, and broke off.

    Returns None when that was all, else (task, plan): the task that finish() is for, and what
    applying.py is to do, see _built_in()."""
    task_id, payload = policy["id"], policy["payload"]
    old = _tasks().find(id=task_id)
    if payload == b"":
        yield from _remove(online, old)
        return None
    symbol = policy["symbol"].lower()
    origin = "fleet" if policy["fleet"] else "agent"
    digest = binascii.crc32(payload or b"")
    task = _tasks().make(task_id, symbol, origin, digest, "", 0)
    same = symbol, origin, digest
    if old and (old["symbol"], old["origin"], old["digest"]) == same:
        if old["status"] != "trial":
            yield from tell(online, task_id, old["status"])
            return None
        from flyve.jobs import update

        if update.status():
            return None  # ending.settle() tells how it ended
    try:
        if payload is None or len(payload) > LIMIT:
            raise Failed("message over %d bytes" % LIMIT)
        named, value, message = _parse(payload)
        if named.lower() != symbol:
            raise Failed("message about another symbol than its topic")
        if value == "default":
            yield from _remove(online, old)
            return None
        if isinstance(value, (str, int)) and len(str(value)) <= 160:
            task["value"] = value
        # What makes room goes on all the same.
        if symbol[:6] != "remove" and not _tasks().room():
            raise Failed("no space for one more task: remove files or applications")
        memory.drop("tasks", "texts")
        if not again:
            yield from tell(online, task_id, "received")
            if _many(symbol):
                yield from tell(online, task_id, "waiting")
        status = yield from _apply(online, task, value, message)
        if isinstance(status, tuple):
            return task, status
    except (OSError, MemoryError):
        raise
    except (Exception, SystemExit) as e:  # of what a firmware author has added, too
        if not isinstance(e, (Failed, Incompatible)):
            e = Failed(repr(e))
        status = e
    yield from finish(online, task, status or "done")


def finish(online, task, status):
    """A job: makes the task's status durable and tells it; status: or the Failed or Incompatible
    with which it ended."""
    if not isinstance(status, str):
        failed = isinstance(status, Failed)
        write = log.error if failed else log.warn
        write("policies", "task %s %s: %s", task["id"], task["symbol"], status)
        reason = status
        status = "failed" if failed else "incompatible"
        from flyve.jobs import failures

        failures.note(online, task, status, reason)
        failures = None
        memory.drop("failures")
    else:
        _tasks().clear(online.rec, [task["id"]])
    task["status"] = status
    try:
        _tasks().put(task)
    except OSError as e:
        # Better told and done again after a restart than not told at all.
        log.error("policies", "task %s is not durable: free some flash (%s)", task["id"], e)
    if status == "trial":
        online.agent.restart("update", True)
    else:
        yield from tell(online, task["id"], status, True)


def _apply(online, task, value, message):
    """A job: puts a policy into force; returns the task's status if that is not "done", or a
    plan."""
    symbol = task["symbol"]
    apply, _ = registry.policies.get(symbol, (None, None))
    others = ["periodicgeolocation", "disablewifi", "disablebluetooth"]
    if not apply and not _many(symbol) and symbol not in others:
        raise Incompatible("not for this kind of device")
    if not _many(symbol):
        by_fleet = task["origin"] == "fleet"
        rival = "agent" if by_fleet else "fleet"
        other = _tasks().find(symbol=symbol, status="done", origin=rival)
        if other and by_fleet:
            return _BEATEN
        if other:
            yield from finish(online, other, _BEATEN)
    return (yield from (apply or _built_in)(online.agent, value, message, task))


def _built_in(agent, value, message, task):
    """A job, as registry.policies has them. What needs a download is only planned: (item, place,
    version), place being a path, or with a version the name of an application."""
    from flyve.jobs import paths

    symbol = task["symbol"]
    text = str(value)
    yield
    if symbol.endswith("file"):
        path = paths.resolve(text, agent.settings.get("roots"))
        if symbol == "deployfile":
            return "PluginFlyvemdmFile/%d" % _number(message.get("id"), "id"), path, None
        try:
            os.remove(path)
        except OSError as e:
            if e.errno != 2:  # ENOENT: it need not be there
                raise Failed("flash: %s" % log.reason(e))
    elif symbol.endswith("app"):
        name = paths.segment(text)
        if symbol == "deployapp":
            item = "PluginFlyvemdmPackage/%d" % _number(message.get("id"), "id")
            return item, name, str(message.get("versionCode", message.get("version", "")))
        from flyve.jobs import packages

        job = packages.remove(name)
        agent.refresh_apps(name)
        yield from job
    elif symbol == "periodicgeolocation":
        agent.rec.save(locate=_number(value, "number of seconds") or None)
    else:
        text = text.lower()
        if text not in ["true", "false"]:
            raise Failed("neither true nor false")
        if text == "true":
            if symbol == "disablewifi":
                raise Incompatible("it would cut the agent off")
            from flyve.jobs import board_facts

            if not board_facts.bluetooth_off():
                raise Incompatible("no Bluetooth")


def _number(value, what):
    try:
        number = int(value)
        if 0 <= number < 1 << 31:
            return number
    except (ValueError, TypeError, OverflowError):
        pass
    raise Failed("no usable " + what)
