# Three ways to values of a full session: jsonpick, json.loads, and a loop over the bytes.

import gc
import json
import time

from flyve.jobs import jsonpick

_PATHS = ("glpiactiveprofile.id", "plugin_flyvemdm_guest_profiles_id")


def document(path, size):
    """Writes a full session of about size bytes, whose last wanted value is at its very end."""
    profile = '{"id":4,"name":"Super-Admin","entities":{%s}}'
    entity = '"%d":{"id":"%d","name":"Site %d","completename":"Root entity > Site %d","right":31}'
    with open(path, "w") as f:
        f.write('{"session":{"glpiID":7,"glpiname":"ada","glpiprofiles":{')
        number = 0
        while f.tell() < size - 600:
            sites = ",".join(entity % (n, n, n, n) for n in range(4))
            f.write('"%d":%s' % (number, profile % sites))
            f.write(",")
            number += 1
        f.write('"9":{}},"glpiactiveprofile":' + profile % '"0":{"id":3}')
        f.write(',"plugin_flyvemdm_guest_profiles_id":9}}')


def _jsonpick(f):
    found = jsonpick.pick(f, _PATHS, bytearray(1024), ("session",))
    return found[_PATHS[0]] == 4 and found[_PATHS[1]] == 9


def _json(f):
    return json.loads(f.read())["session"]["plugin_flyvemdm_guest_profiles_id"] == 9


def _bytes(f):
    # The least that a scanner in bytecode can do: look at each byte, mind texts, count depth.
    buf = bytearray(1024)
    depth = inside = 0
    while True:
        n = f.readinto(buf)
        if not n:
            return depth == 0
        for i in range(n):
            c = buf[i]
            if c == 34:
                inside ^= 1
            elif not inside:
                if c == 123:
                    depth += 1
                elif c == 125:
                    depth -= 1


_WAYS = {"jsonpick": _jsonpick, "json.loads": _json, "byte loop": _bytes}


def speed(path, way):
    """Microseconds for the whole document."""
    gc.collect()
    with open(path, "rb") as f:
        begin = time.ticks_us()
        done = _WAYS[way](f)
        took = time.ticks_diff(time.ticks_us(), begin)
    if not done:
        raise ValueError(way)
    return took


def growth(path, way):
    """Heap bytes that it takes, result included, when no garbage is collected meanwhile."""
    with open(path, "rb") as f:
        gc.collect()
        gc.disable()
        before = gc.mem_alloc()
        done = _WAYS[way](f)
        used = gc.mem_alloc() - before
        gc.enable()
    if not done:
        raise ValueError(way)
    return used
