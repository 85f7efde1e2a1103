"""The HTTP side: an ASGI application, and the faults that it is told to show."""

from __future__ import annotations

import asyncio
import http
import itertools
import time
from collections.abc import Callable, Iterable

from starlette.concurrency import run_in_threadpool

from flyve_mdm.backend.events import Request, SharedList
from flyve_mdm.backend.glpi import Answer, Call
from flyve_mdm.backend.options import Fault
from flyve_mdm.backend.rest import Rest
from flyve_mdm.backend.site import Site

_BODY_LIMIT = 16 * 1024 * 1024
_STICKS = "SERVERID"  # a balancer's cookie
_NOTICE = (
    b"<br />\n<b>Notice</b>:  Undefined index: {main} in "
    b"<b>/var/www/glpi/plugins/flyvemdm/hook.php</b> on line <b>91</b><br />\n"
)


class RestApp:
    """The ASGI application: the REST interface."""

    def __init__(self, site: Site, requests: SharedList, rest: Rest) -> None:
        self._site, self._requests, self._rest = site, requests, rest
        self._last = 2  # node

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        """Receive a request, log it, answer it, or show the fault that waits for it."""
        body = await _body(receive)
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        query = scope["query_string"].decode("latin-1")
        method, path = scope["method"], scope["path"]
        seen = Request(time.time(), method, path, query, headers, body)
        self._requests.append(seen)
        call = Call.parse(method, path, query, headers, body)
        call.node = self._node(headers)
        fault = self._fault(method, call.endpoint)
        kind = fault.kind if fault else ""
        if kind == "drop-before":
            await _cut(scope, receive)
            return
        if kind == "delay":
            await asyncio.sleep(fault.seconds)
        answer = _instead(fault) or await run_in_threadpool(self._rest.answer, call)
        if self._site.options.sticky:
            answer.headers["Set-Cookie"] = f"{_STICKS}={call.node}; Path=/; HttpOnly"
        if self._site.options.php_notice and "json" in answer.headers.get("Content-Type", ""):
            answer = _noticed(answer)
        seen.status = answer.status
        if kind == "delay-after":
            await asyncio.sleep(fault.seconds)
        if kind == "drop-after":
            await _cut(scope, receive)
        else:
            await _send(answer, fault, scope, receive, send)

    def _node(self, headers: dict[str, str]) -> int:
        """The node that gets a request: that of its cookie, else the other one in turn."""
        if not self._site.options.sticky:
            return 0
        for pair in headers.get("cookie", "").split("; "):
            name, _, value = pair.partition("=")
            if name == _STICKS and value in ("1", "2"):
                return int(value)
        self._last = 3 - self._last
        return self._last

    def _fault(self, method: str, endpoint: str) -> Fault | None:
        with self._site.state.changed:
            for fault in self._site.options.faults:
                if fault.matches(method, endpoint):
                    if fault.times is not None:
                        fault.times -= 1
                    self._site.events.add("fault", endpoint=endpoint, fault=fault.kind)
                    return fault
        return None


async def _body(receive: Callable) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message["more_body"]:
            return bytes(body)
        if len(body) > _BODY_LIMIT:
            return bytes(body)


def _instead(fault: Fault | None) -> Answer | None:
    if fault and fault.kind == "redirect":
        return Answer(302, b"", {"Location": fault.location})
    if fault and fault.kind == "html":
        return Answer.html(200, "Welcome to this web server")
    if fault and fault.kind == "error":
        return _gateway(fault)
    return None


def _gateway(fault: Fault) -> Answer:
    answer = Answer.html(fault.status, "An error of the web server")
    if fault.form == "json":
        answer = Answer.of({"message": "Forbidden", "code": fault.status}, fault.status)
    elif fault.form == "pair":
        answer = Answer.of(["error", "Forbidden"], fault.status)
    elif fault.form == "empty":
        answer = Answer(fault.status)
    if fault.retry_after:
        answer.headers["Retry-After"] = fault.retry_after
    return answer


def _noticed(answer: Answer) -> Answer:
    if isinstance(answer.body, bytes):
        return Answer(answer.status, _NOTICE + answer.body, answer.headers)
    return Answer(answer.status, itertools.chain((_NOTICE,), answer.body), answer.headers)


async def _cut(scope: dict, receive: Callable) -> None:
    scope["transport"].abort()
    await _gone(receive)


async def _gone(receive: Callable) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(
    answer: Answer, fault: Fault | None, scope: dict, receive: Callable, send: Callable
) -> None:
    pieces: Iterable[bytes] = (answer.body,) if isinstance(answer.body, bytes) else answer.body
    length = answer.claimed
    if length is None and isinstance(answer.body, bytes):
        length = len(answer.body)
    kind = fault.kind if fault else ""
    broken = length is not None and (length < 0 or length % 16384 == 1)
    if broken and isinstance(answer.body, bytes):
        broken = False
    if kind in ("trickle", "trickle-all", "stall", "truncate") or broken:
        # uvicorn would not let these pass: write them past it.
        await _write_raw(answer, pieces, length, fault, scope["transport"])
        await _gone(receive)
        return
    headers = dict(answer.headers)
    if length is not None:
        headers["Content-Length"] = str(length)
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in headers.items()],
        }
    )
    for piece in pieces:
        if scope["transport"].is_closing():
            return
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(0)  # or nobody notices that the client is gone
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _write_raw(
    answer: Answer,
    pieces: Iterable[bytes],
    length: int | None,
    fault: Fault | None,
    transport: asyncio.Transport,
) -> None:
    phrase = http.HTTPStatus(answer.status).phrase
    head = [f"HTTP/1.1 {answer.status} {phrase}"]
    head += [f"{k}: {v}" for k, v in answer.headers.items() if k.lower() != "connection"]
    if length is not None:
        head.append(f"Content-Length: {length}")
    start = "\r\n".join([*head, "Connection: close", "", ""]).encode("latin-1")
    body = b"".join(pieces)
    kind = fault.kind if fault else ""
    if kind == "trickle-all":
        start, body = b"", start + body
    transport.write(start)
    if kind in ("trickle", "trickle-all"):
        for offset in range(0, len(body), fault.step):
            if transport.is_closing():
                return
            transport.write(body[offset : offset + fault.step])
            await asyncio.sleep(fault.seconds)
    elif kind in ("stall", "truncate"):
        at = len(body) // 2 if fault.at is None else fault.at
        transport.write(body[:at])
        if kind == "stall":
            await asyncio.sleep(fault.seconds)
            transport.write(body[at:])
    else:
        transport.write(body)
    transport.close()
