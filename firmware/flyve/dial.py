"""What transport.py needs only while it opens a connection, or is sent to another; datagrams."""

import errno
import select
import socket

from flyve import board, log, transport

_BUSY = (errno.EINPROGRESS, errno.EALREADY, errno.EAGAIN)
_BROKEN = select.POLLERR | select.POLLHUP


def resolve(host, port, known):
    """socket.getaddrinfo(); known has the last good addresses, for when it fails."""
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
        return known[key]
    if len(known) > 3:
        known.clear()
    known[key] = found = found[:1]
    return found


def moved(line):
    """The NetError about the header line of a redirection."""
    # Not its query: a server that redirects repeats our tokens there.
    where = repr(line[9:].split(b"?")[0].strip())[2:-1]
    text = "the server sends us on to %s: correct the URL in GLPI" % where
    return transport.NetError("moved", text)


def connect(sock, address, wait, host):
    """Connects the non-blocking socket; wait(events) waits for it. Raises NetError."""
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
                code = errno.errorcode.get(e.errno, e.errno)
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
        address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_DGRAM)[0][-1]
    except (OSError, IndexError):
        raise transport.NetError("dns", "no address for %s" % host) from None
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        s.setblocking(False)
        s.sendto(data, address)
        poll = select.poll()
        poll.register(s, select.POLLIN)
        until = log.uptime() + ms
        while True:
            left = until - log.uptime()
            for _ in poll.ipoll(max(0, min(100, left))):
                return s.readinto(reply) or 0
            if left <= 0:
                raise transport.NetError("timeout", "%s did not answer in time" % host)
            transport.slice_done()
    except OSError as e:
        if isinstance(e, transport.NetError):
            raise
        raise transport.NetError("connect", "no way to " + host) from None
    finally:
        s.close()
