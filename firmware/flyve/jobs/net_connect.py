"""Opens a connection: the addresses of a host's name, those in doubt last, and of these the first
one that lets us."""

import errno
import select
import socket

from micropython import const

from flyve import board, log, transport

_BUSY = (errno.EINPROGRESS, errno.EALREADY, errno.EAGAIN)
_BROKEN = select.POLLERR | select.POLLHUP
_ADDRESSES = const(3)  # of one name
_DOUBTED = const(8)


def _resolve(host, port):
    """socket.getaddrinfo(), what was dead of late behind the rest; the last good addresses when
    DNS fails. Raises NetError."""
    board.feed()  # one C call without a deadline: the watchdog is its backstop
    addresses = transport.addresses
    key = "%s:%d" % (host, port)
    known = addresses.get(key, ())
    try:
        # ESP32 tells one address at a time: another one from before may be the one that lives.
        found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)
        if not found:
            raise OSError(errno.ENOENT)
        found = [one[-1] for one in found]
        found += [one for one in known if one not in found]
        found = order(found)[:_ADDRESSES]
        if len(addresses) > 3:
            addresses.clear()
        addresses[key] = found
        return found
    except OSError:
        if known:
            return order(known)
        text = "no address for %s: check the name and the DNS" % host
        raise transport.NetError("dns", text) from None


def order(found):
    """The addresses, those in doubt last, and of these the newest doubt last."""
    doubted = transport.doubted
    rest = [one for one in found if one not in doubted]
    return rest + [one for one in doubted if one in found]


def doubt(address):
    """Doubts an address until it gives a byte."""
    doubted = transport.doubted
    if address in doubted:
        doubted.remove(address)
    del doubted[: len(doubted) - _DOUBTED + 1]
    doubted.append(address)


def connect(host, port, until):
    """A transport.Stream to the first address of the host that lets us, each has its share of the
    time until then. Raises NetError: the last one's."""
    found = _resolve(host, port)
    left = len(found)
    for address in found:
        now = log.uptime()
        doubt(address)
        try:
            s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        except OSError as e:
            text = "no socket is free (%s)" % log.reason(e)
            raise transport.NetError("connect", text) from None
        stream = transport.Stream(s, s, host, address, now + (until - now) // left)
        left -= 1
        try:
            _dial(stream)
            stream.extend(until - log.uptime())
            return stream
        except BaseException as e:
            stream.close()
            if not left or not isinstance(e, OSError):
                raise


def _dial(stream):
    s = stream.s
    s.setblocking(False)
    try:
        s.setsockopt(6, 1, 1)  # IPPROTO_TCP, TCP_NODELAY
    except OSError:
        pass  # only slower
    for _ in (0, 1):
        try:
            s.connect(stream.address)
            return
        except OSError as e:
            if e.errno not in _BUSY:
                from flyve.jobs import oserror

                text = "cannot connect to %s (%s)" % (stream.host, oserror.name(e.errno))
                raise transport.NetError("connect", text) from None
        if not stream.wait(select.POLLOUT) & _BROKEN:
            return
        # Once more: it tells the reason.
