"""What transport.py needs only while it opens a connection, or is sent to another; datagrams."""

import errno
import select
import socket

from micropython import const

from flyve import board, log, memory, transport

_BUSY = (errno.EINPROGRESS, errno.EALREADY, errno.EAGAIN)
_BROKEN = select.POLLERR | select.POLLHUP
_ADDRESSES = const(3)  # of one name
_DOUBTED = const(8)


def resolve(host, port, known):
    """socket.getaddrinfo(), what was dead of late behind the rest; known has the addresses from
    before, for when it fails."""
    board.feed()  # one C call without a deadline: the watchdog is its backstop
    key = "%s:%d" % (host, port)
    try:
        found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)
        if not found:
            raise OSError(errno.ENOENT)
    except OSError:
        if key not in known:
            text = "no address for %s: check the name and the DNS" % host
            raise transport.NetError("dns", text) from None
        return _order(known[key])
    # ESP32 tells one address at a time: another one from before may be the one that lives.
    found += [one for one in known.get(key, ()) if one not in found]
    found = _order(found)[:_ADDRESSES]
    if len(known) > 3:
        known.clear()
    known[key] = found
    return found


def _order(found):
    """The addresses, those in doubt last, and of these the newest doubt last."""
    doubted = transport.doubted
    rest = [one for one in found if one[-1] not in doubted]
    return rest + [one for address in doubted for one in found if one[-1] == address]


def _doubt(address):
    """Until it gives a byte."""
    doubted = transport.doubted
    if address in doubted:
        doubted.remove(address)
    del doubted[: len(doubted) - _DOUBTED + 1]
    doubted.append(address)


def moved(line):
    """The NetError about the header line of a redirection."""
    # Not its query: a server that redirects repeats our tokens there.
    where = repr(line[9:].split(b"?")[0].strip())[2:-1]
    text = "the server sends us on to %s: correct the URL in GLPI" % where
    return transport.NetError("moved", text)


def connect(sock, found, host):
    """Connects the transport.Socket to the first address that lets us; each gets its share of the
    time. Raises NetError, the last one's."""
    until = sock.until
    left = len(found)
    for one in found:
        now = log.uptime()
        sock.until = now + (until - now) // left
        left -= 1
        sock.address = one[-1]
        _doubt(sock.address)
        try:
            return _connect(sock._s, sock.address, sock._wait, host)
        except transport.NetError:
            if not left:
                raise
        finally:
            sock.until = until
        sock._s.close()
        sock.open()


def _connect(sock, address, wait, host):
    try:
        sock.setsockopt(6, 1, 1)  # IPPROTO_TCP, TCP_NODELAY
    except OSError:
        pass  # only slower
    for _ in (0, 1):
        try:
            sock.connect(address)
            return
        except OSError as e:
            if e.errno not in _BUSY:
                from flyve.jobs import oserror

                code = oserror.name(e.errno)
                oserror = None
                memory.drop("oserror")
                text = "cannot connect to %s (%s)" % (host, code)
                raise transport.NetError("connect", text) from None
        if not wait(select.POLLOUT) & _BROKEN:
            return
        # Once more: it tells the reason.


def datagram(host, port, data, reply, ms):
    """Sends data by UDP and waits ms milliseconds for an answer into the buffer reply; returns
    its length. Raises NetError."""
    board.feed()
    try:
        found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_DGRAM)
        address = _order(found)[0][-1]
        _doubt(address)
    except (OSError, IndexError):
        raise transport.NetError("dns", "no address for %s" % host) from None
    s = None
    try:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setblocking(False)
        s.sendto(data, address)
        poll = select.poll()
        poll.register(s, select.POLLIN)
        until = log.uptime() + ms
        while True:
            left = until - log.uptime()
            for _ in poll.ipoll(max(0, min(100, left))):
                size = s.readinto(reply) or 0
                if address in transport.doubted:
                    transport.doubted.remove(address)
                return size
            if left <= 0:
                raise transport.NetError("timeout", "%s did not answer in time" % host)
            transport.slice_done()
    except OSError as e:
        if isinstance(e, transport.NetError):
            raise
        raise transport.NetError("connect", "no way to " + host) from None
    finally:
        if s:
            s.close()
