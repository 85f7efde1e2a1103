# main.py of the test boards: runs the downloads that /params.json lists, one after the other.

import gc
import hashlib
import json
import os
import time

from flyve import applying, log, transport
from flyve.registry import Failed
from flyve.rest import Rest, RestError

with open("/params.json") as f:
    params = json.load(f)


class Counted:
    # A socket that says what came, before anything is done with it.

    def __init__(self, sock):
        self._sock = sock
        self.extend = sock.extend
        self.close = sock.close

    def readinto(self, buf):
        n = self._sock.readinto(buf)
        if n:
            print("got", n)
        return n


class Api(Rest):
    def stream(self, endpoint, headers, ms):
        answer = super().stream(endpoint, headers, ms)
        if headers and params.get("count"):
            answer.raw = Counted(answer.raw)
        return answer


def attempt(api, endpoint):
    longest = 0
    job = applying.Delivery(api, endpoint, path, params.get("chunk"))
    last = time.ticks_ms()
    try:
        for _ in job.run():
            now = time.ticks_ms()
            longest = max(longest, time.ticks_diff(now, last))
            last = now
            pieces.append(getattr(job, "have", 0)) if params.get("pieces") else None
        print("whole", longest)
        return True
    except (transport.NetError, RestError, Failed) as e:
        print("failed", type(e).__name__, e)
        return not isinstance(e, (transport.NetError, RestError))


log.level = params.get("level", 1)
applying.idle_ms = params.get("idle_ms", 5000)
transport.ca = params.get("ca")
if "clock" in params:
    from flyve import board

    board.set_clock(params["clock"])
pieces = []
path = params["path"]
api = Api(params["url"], {"token_in": "both", "app_token": None}, params["token"])
for endpoint in params["endpoints"]:
    for _ in range(params.get("attempts", 1)):
        if attempt(api, endpoint):
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
api.close()
print("over")
