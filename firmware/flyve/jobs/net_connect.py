"""What transport.py needs only while it opens a connection, or is sent to another. A fault is a
pair: a NetError's kind and its text.

doubted: addresses that have given no byte since they were dialled, the newest last."""

import errno
import select
import socket

from micropython import const

from flyve import board, log, memory

_BUSY = (errno.EINPROGRESS, errno.EALREADY, errno.EAGAIN)
_BROKEN = select.POLLERR | select.POLLHUP
_ADDRESSES = const(3)  # of one name
_DOUBTED = const(8)


def resolve(host, port, known, doubted):
    """socket.getaddrinfo(), what was dead of late behind the rest, or None; known has the
    addresses from before, for when it fails."""
    board.feed()  # one C call without a deadline: the watchdog is its backstop
    key = "%s:%d" % (host, port)
    try:
        found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)
        if not found:
            raise OSError(errno.ENOENT)
    except OSError:
        return order(known[key], doubted) if key in known else None
    # ESP32 tells one address at a time: another one from before may be the one that lives.
    found += [one for one in known.get(key, ()) if one not in found]
    found = order(found, doubted)[:_ADDRESSES]
    if len(known) > 3:
        known.clear()
    known[key] = found
    return found


def order(found, doubted):
    """The addresses, those in doubt last, and of these the newest doubt last."""
    rest = [one for one in found if one[-1] not in doubted]
    return rest + [one for address in doubted for one in found if one[-1] == address]


def doubt(address, doubted):
    """Doubts an address until it gives a byte."""
    if address in doubted:
        doubted.remove(address)
    del doubted[: len(doubted) - _DOUBTED + 1]
    doubted.append(address)


def moved(line):
    """The fault of a redirection, by its header line."""
    # Not its query: a server that redirects repeats our tokens there.
    where = repr(line[9:].split(b"?")[0].strip())[2:-1]
    return "moved", "the server sends us on to %s: correct the URL in GLPI" % where


def connect(sock, found, host, doubted):
    """Connects the transport.Socket to the first address that lets us; each gets its share of the
    time. Returns None, or the last one's fault; raises NetError when the last one is late."""
    until = sock.until
    left = len(found)
    for one in found:
        now = log.uptime()
        sock.open(one[-1], now + (until - now) // left)
        left -= 1
        doubt(one[-1], doubted)
        try:
            fault = _connect(sock._s, one[-1], sock._wait, host)
            if not fault or not left:
                return fault
        except OSError:
            if not left:
                raise


def _connect(sock, address, wait, host):
    try:
        sock.setsockopt(6, 1, 1)  # IPPROTO_TCP, TCP_NODELAY
    except OSError:
        pass  # only slower
    for _ in (0, 1):
        try:
            sock.connect(address)
            return None
        except OSError as e:
            if e.errno not in _BUSY:
                from flyve.jobs import oserror

                code = oserror.name(e.errno)
                oserror = None
                memory.drop("oserror")
                return "connect", "cannot connect to %s (%s)" % (host, code)
        if not wait(select.POLLOUT) & _BROKEN:
            return None
        # Once more: it tells the reason.
