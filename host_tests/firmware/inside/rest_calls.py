# Called by test_rest.py: flyve.jobs.rest against a scripted server.

import binascii
import os

import transport_calls as net

from flyve import transport
from flyve.jobs import body, glpi, inventory, rest, rest_client

api = None


def start(url, token_in="both", app_token=None, session=None, token=None):
    global api
    net.start()
    opened = {"token": session} if session else {}
    api = rest_client.client(url, {"token_in": token_in, "app_token": app_token}, token, opened)


def _report(work):
    result = {}
    try:
        result["value"] = work()
    except transport.NetError as e:
        if e.kind == "rest":
            result["status"] = e.status
            result["code"] = e.code
            result["message"] = e.message
            result["verdict"] = e.refused()
            result["after"] = e.after
        else:
            result["kind"] = e.kind
            result["text"] = str(e)
    result["lines"] = [line.split(" ", 1)[1] for line in net.lines]
    return result


def _read(*request):
    """Status, the kept headers and the body of an answer, read after the exchange is over."""
    status, headers, stream = rest.request(api, *request, True)
    data = b""
    try:
        while True:
            piece = body.read(stream, 512)
            if not piece:
                return [status, headers, data]
            data += piece
    finally:
        stream.close()


def get(endpoint, query="", headers=None, method="GET", data=None, ms=1000):
    """A request, with status, the kept headers and the body of its answer."""
    return _report(lambda: _read(method, endpoint, query, headers, data, ms))


def call(method, endpoint, data=None, ms=1000):
    """A request whose answer nobody reads."""
    return _report(lambda: rest.request(api, method, endpoint, data=data, ms=ms) and None)


def pick(endpoint, paths, ms=1000):
    return _report(lambda: glpi.pick(api, "GET", endpoint, tuple(paths), ms=ms))


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
    return _report(lambda: rest.request(api, method, endpoint, data=_Body(size), ms=5000) and None)


def open_session(token):
    return _report(lambda: rest.open(api, token) or api["session"].get("token"))


def several(token):
    """Opens a session, makes two requests in it, and opens another."""

    def work():
        rest.open(api, token)
        rest.request(api, "GET", "a")
        rest.request(api, "GET", "b")
        rest.open(api, token)

    return _report(work)


def place(url):
    """What the header Host is to say, None: what the library makes of the URL."""
    return rest_client.place(url)[1]


def close_session():
    """What close() does, whatever it meets; the session that is left."""
    return _report(lambda: [glpi.close(api), api["session"].get("token")])


def base64_differs():
    """The lengths of 0 to 200 for which base64() of some pieces is not what binascii gives."""
    wrong = []
    for length in range(201):
        data = os.urandom(length)
        want = binascii.b2a_base64(data)[:-1]
        for step in (1, 7, 48, 64, 201):
            parts = [data[i : i + step] for i in range(0, length, step)]
            found = list(body.base64(parts))
            if b"".join(found) != want or any(len(part) % 4 for part in found):
                wrong.append([length, step])
    return wrong


def section(value):
    """A section of the inventory with that value, given as bytes that need not be UTF-8."""
    value = "".join([chr(ord(c)) for c in str(value, "utf-8")])
    return inventory._section("SOFTWARES NAME", value)
