"""Policies and their tasks: what to do, what was done, and the statuses that the backend gets."""

import binascii
import json
import os

from micropython import const

from flyve import log, memory, registry
from flyve.jobs import paths, tasks, texts
from flyve.registry import Failed, Incompatible

LIMIT = const(4096)  # bytes of a policy's message

_BEATEN = const("overriden")
_FELL = const("it crashed or did not come online: the one before it is back")


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
    old = tasks.find(id=task_id)
    if payload == b"":
        yield from remove(online, old)
        return None
    symbol = policy["symbol"].lower()
    origin = "fleet" if policy["fleet"] else "agent"
    digest = binascii.crc32(payload or b"")
    task = tasks.make(task_id, symbol, origin, digest, "", 0)
    same = symbol, origin, digest
    if old and (old["symbol"], old["origin"], old["digest"]) == same:
        if old["status"] != "trial":
            yield from tell(online, task_id, old["status"])
            return None
        from flyve.jobs import update

        if update.status():
            return None  # settle() tells how it ended
    try:
        if payload is None or len(payload) > LIMIT:
            raise Failed("message over %d bytes" % LIMIT)
        named, value, message = _parse(payload)
        if named.lower() != symbol:
            raise Failed("message about another symbol than its topic")
        if value == "default":
            yield from remove(online, old)
            return None
        if isinstance(value, (str, int)) and len(str(value)) <= 160:
            task["value"] = value
        # What makes room goes on all the same.
        if symbol[:6] != "remove" and not tasks.room():
            raise Failed("no space for one more task: remove files or applications")
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
        _forget(online, [task["id"]])
    task["status"] = status
    try:
        tasks.put(task)
    except OSError as e:
        # Better told and done again after a restart than not told at all.
        log.error("policies", "task %s is not durable: free some flash (%s)", task["id"], e)
    if status == "trial":
        online.agent.restart("update", True)
    else:
        yield from tell(online, task["id"], status, True)


def _forget(online, gone):
    """Why these tasks have failed is of no interest any more."""
    if paths.size("/failures.json") > 0:
        from flyve.jobs import failures

        failures.forget(online.rec, gone)
        failures = None
        memory.drop("failures")


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
        other = tasks.find(symbol=symbol, status="done", origin=rival)
        if other and by_fleet:
            return _BEATEN
        if other:
            yield from finish(online, other, _BEATEN)
    return (yield from (apply or _built_in)(online.agent, value, message, task))


def _revert(agent, task):
    """Takes back what the task has set."""
    symbol = task["symbol"]
    apply, revert = registry.policies.get(symbol, (None, None))
    if task["status"] == "done":
        if apply:
            try:
                if revert:
                    revert(agent, task["value"])
            except MemoryError:
                raise
            except (Exception, SystemExit) as e:  # again, it would raise again
                log.error("policies", "task %s %s: not reverted: %r", task["id"], symbol, e)
        elif symbol == "periodicgeolocation":
            agent.rec.save(locate=None)


def remove(online, task):
    """A job: forgets a task and reverts its setting; the backend has no status for that."""
    if task is None:
        return
    gone = [task["id"]]
    for other in tasks.tasks():
        if other["symbol"] == task["symbol"] and other["status"] == _BEATEN:
            gone.append(other["id"])
    _revert(online.agent, task)
    _forget(online, gone)
    tasks.rewrite(gone)
    from flyve.jobs import known

    for one in gone:
        known.drop(online, one)
    known = None
    memory.drop("known")
    log.info("policies", "task %s removed", gone[0])
    if len(gone) > 1:
        from flyve.jobs import mqtt_connect

        mqtt_connect.refresh(online.link, online.rec)  # now the fleet's counts
    yield


def forget_fleet(online):
    """A job: drops all tasks of the fleet that the agent has left."""
    place = 0
    count = 0
    while place is not None:
        found, place = tasks.some(place)
        for task in found:
            if task["origin"] == "fleet":
                _revert(online.agent, task)
                _forget(online, [task["id"]])
                count += 1
                log.info("policies", "task %s removed", task["id"])
        yield
    if count:
        tasks.rewrite([], None, "fleet")
    # What was dealt with of the old one's may come again with another life in it.
    from flyve.jobs import known

    known.read(online, True)
    known = None
    memory.drop("known")


def settle(online):
    """A job: tells how an update of the agent or of the firmware has ended; note "settled": that
    is done."""
    from flyve.jobs import update

    update.confirm()
    ended = update.status()
    if ended in ["confirmed", "failed"]:
        log.info("policies", "update %s", ended)
        while True:
            task = tasks.find(status="trial")
            if task is None:
                break
            yield from finish(online, task, "done" if ended == "confirmed" else Failed(_FELL))
        update.forget()
    online.notes["settled"] = True


def app_failed(online):
    """A job: the task that installed the first of the failed applications failed after all."""
    name, why = online.box["failed"][0]
    task = tasks.find(symbol="deployapp", value=name, status="done")
    if task:
        yield from finish(online, task, Failed("stopped: " + why))
    online.box["failed"].pop(0)


def _built_in(agent, value, message, task):
    """A job, as registry.policies has them. What needs a download is only planned: (item, place,
    version), place being a path, or with a version the name of an application."""
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
