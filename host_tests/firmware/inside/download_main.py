# main.py of the test boards: runs the downloads that /params.json lists, one after the other. A
# firmware image is installed; what it starts keeps it, and says so.

import gc
import hashlib
import json
import os
import sys
import time

from flyve import log, transport
from flyve.jobs import applying, delivery_steps

with open("/params.json") as f:
    params = json.load(f)


readinto = transport.Stream.readinto


def counted(stream, buf):
    # Says what came of a file, before anything is done with it.
    n = readinto(stream, buf)
    if n and "flyve.jobs.download" in sys.modules:
        print("got", n)
    return n


class Online:
    # What a delivery wants of an enrolled agent.
    session = {}
    settings = {"token_in": "both", "app_token": None, "chunk": params.get("chunk")}
    rec = {"url": params["url"], "api_token": params["token"]}


def attempt(endpoint):
    longest = 0
    part = delivery_steps.begin(online, endpoint, path, params.get("firmware", False))
    steps = applying.deliver(online, part)
    last = time.ticks_ms()
    try:
        while True:
            try:
                next(steps)
            except StopIteration as e:
                found = e.value
                break
            now = time.ticks_ms()
            longest = max(longest, time.ticks_diff(now, last))
            last = now
            pieces.append(part["have"]) if params.get("pieces") else None
        print("whole", longest)
        if not isinstance(found, str):
            install(found)
        return True
    except Exception as e:
        name = type(e).__name__
        if name not in ("NetError", "RestError", "Failed", "Incompatible"):
            raise
        print("failed", name, e)
        return name in ("Failed", "Incompatible")


def install(slot):
    from flyve.jobs import packages

    for _ in packages.install(slot, "firmware", "2"):
        pass
    print("installed")
    if params.get("restart"):
        from flyve import board

        board.reset(True)


def keep():
    # True when an update has come to its end.
    from flyve.jobs import board_facts, update

    print("runs", board_facts.running().info()[4])
    if not params.get("on_trial"):
        update.confirm()
    ended = update.status()
    if ended in ("confirmed", "failed"):
        print("update", ended)
        update.forget()
        return True


log.level = params.get("level", 1)
delivery_steps.idle_ms = params.get("idle_ms", 5000)
transport.trust.update(ca=params.get("ca"), verify=True)
if params.get("count"):
    transport.Stream.readinto = counted
if "clock" in params:
    from flyve.jobs import board_facts

    board_facts.set_clock(params["clock"])
pieces = []
path = params["path"]
online = Online()
for endpoint in () if params.get("firmware") and keep() else params["endpoints"]:
    for _ in range(params.get("attempts", 1)):
        if attempt(endpoint):
            break
    if params.get("pieces"):
        print("pieces", json.dumps(pieces))
    if len(params["endpoints"]) > 1:
        try:
            with open(path, "rb") as f:
                h = hashlib.sha256()
                buf = bytearray(4096)
                while True:
                    n = f.readinto(buf)
                    if not n:
                        break
                    h.update(memoryview(buf)[:n])
            print("file", h.digest().hex())
            os.remove(path)
        except OSError:
            print("file none")
    gc.collect()
from flyve.jobs import glpi, rest  # noqa: E402

glpi.close(rest.resume(online))
print("over")
