# Called by test_rest.py: flyve.jobs.rest against a scripted server.

import binascii
import os

import transport_calls as net

from flyve import transport
from flyve.jobs import inventory, rest, sockets

api = None


def start(url, token_in="both", app_token=None, session=None, token=None):
    global api
    net.start()
    opened = {"token": session} if session else {}
    api = rest.Rest(url, {"token_in": token_in, "app_token": app_token}, token, opened)


def _report(work):
    result = {}
    try:
        result["value"] = work()
    except rest.RestError as e:
        result["status"] = e.status
        result["code"] = e.code
        result["message"] = e.message
        result["verdict"] = e.refused()
        result["after"] = e.after
    except transport.NetError as e:
        result["kind"] = e.kind
        result["text"] = str(e)
    result["lines"] = [line.split(" ", 1)[1] for line in net.lines]
    return result


def _read(*request):
    """Status, the kept headers and the body of an answer, read after the exchange is over."""
    answer = api.request(*request, keep=True)
    data = b""
    try:
        while True:
            piece = sockets.read(answer.raw, 512)
            if not piece:
                return [answer.status_code, answer.headers, data]
            data += piece
    finally:
        answer.close()


def get(endpoint, query="", headers=None, method="GET", data=None, ms=1000):
    """A request, with status, the kept headers and the body of its answer."""
    return _report(lambda: _read(method, endpoint, query, headers, data, ms))


def call(method, endpoint, data=None, ms=1000):
    """A request whose answer nobody reads."""
    return _report(lambda: api.request(method, endpoint, data=data, ms=ms) and None)


def pick(endpoint, paths, ms=1000):
    return _report(lambda: api.pick("GET", endpoint, tuple(paths), ms=ms))


class _Body:
    def __init__(self, size):
        self._size = size

    def __len__(self):
        return self._size

    def pieces(self):
        left = self._size
        while left > 0:
            yield b"0123456789abcdef" * 16 if left >= 256 else b"z" * left
            left -= 256


def pieces(method, endpoint, size):
    """Sends a body of size bytes that is made in pieces."""
    return _report(lambda: api.request(method, endpoint, data=_Body(size), ms=5000) and None)


def open_session(token):
    return _report(lambda: api.open(token) or api._session.get("token"))


def several(token):
    """Opens a session, makes two requests in it, and opens another."""

    def work():
        api.open(token)
        api.request("GET", "a")
        api.request("GET", "b")
        api.open(token)

    return _report(work)


def place(url):
    """What the header Host is to say, None: what the library makes of the URL."""
    start(url)
    return api._place


def close_session():
    """What close() does, whatever it meets; the session that is left."""
    return _report(lambda: [api.close(), api._session.get("token")])


def base64_differs():
    """The lengths of 0 to 200 for which base64() of some pieces is not what binascii gives."""
    wrong = []
    for length in range(201):
        data = os.urandom(length)
        want = binascii.b2a_base64(data)[:-1]
        for step in (1, 7, 48, 64, 201):
            parts = [data[i : i + step] for i in range(0, length, step)]
            found = list(inventory.base64(parts))
            if b"".join(found) != want or any(len(part) % 4 for part in found):
                wrong.append([length, step])
    return wrong


def section(value):
    """A section of the inventory with that value, given as bytes that need not be UTF-8."""
    value = "".join([chr(ord(c)) for c in str(value, "utf-8")])
    return inventory._section("SOFTWARES NAME", value)
