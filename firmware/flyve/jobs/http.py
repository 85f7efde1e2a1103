"""One exchange of HTTP by urequests, which is in memory only for that."""

from micropython import const

from flyve import log, transport
from flyve.jobs import sockets

# isort: split
import urequests  # after the sockets that it takes

# Only request() is called: the rest would take memory.
for _name in ("head", "get", "post", "put", "patch", "delete"):
    delattr(urequests, _name)
for _name in ("content", "text", "json"):
    delattr(urequests.Response, _name)

# One object, for each would take as much again.
_KEPT = const(
    b" content-length content-range last-modified content-type content-encoding "
    b"transfer-encoding retry-after date location content-disposition "
)
_LINE = const(255)  # a header line of that length has been cut (sockets.py)
_COOKIES = const(8)  # that are kept of a session
_INTERIM = const(4)  # interim answers that are passed over


def _header(line, headers):
    """Keeps the few headers that the agent uses, in lower case, out of any number."""
    if line[-1:] != b"\n":
        raise transport.NetError("closed", "the answer ends in its headers")
    name, colon, value = line.partition(b":")
    name = name.lower()
    if colon and name and b" %s " % name in _KEPT:
        try:
            headers[name.decode()] = log.plain(str(value.strip(), "utf-8"))
        except UnicodeError:
            pass  # a file's name in another encoding: as good as none
    elif name == b"set-cookie":
        found = headers.setdefault("set-cookie", [])
        if b";" not in value and len(line) >= _LINE:
            log.warn("rest", "a cookie of the server is too long to go back")
        elif len(found) < 2 * _COOKIES:
            found.append(value.strip())


def exchange(ms, host, method, url, data, headers):
    """The answer to a request of at most ms milliseconds, as body.py has it; its stream is still
    open. data: bytes, or as sockets.Exchange.write() has it. Raises NetError, and RestError when
    it is no HTTP."""
    with sockets.Exchange(host, ms) as x:
        try:
            answer = urequests.request(
                method, url, data=data, headers=headers, parse_headers=_header
            )
            status, found = answer.status_code, answer.headers
            for _ in range(_INTERIM):
                if not 100 <= status < 200 or status == 101:
                    break
                found.clear()
                status = int(x.readline().split(None, 2)[1])
                while True:
                    line = x.readline()
                    if not line or line == b"\r\n":
                        break
                    _header(line, found)
            return status, found, x.detach()
        except (ValueError, IndexError, TypeError, AttributeError):
            pass
    from flyve.jobs import rest_error

    raise rest_error.RestError(0, "NO_HTTP", "the server's answer is not HTTP")
