"""`socket`: the unix port's own, and where the servers of the board's own network are.

No test can have the host's ports 80 and 53, nor join a network that is not in the air. So while
the access point is up, who binds one of these is on a free port of the loopback, which the host is
told. Sockets that are made at any other time are the interpreter's.
"""

import io

import usocket as _host
from usocket import *  # noqa: F403

_PAGE, _DNS = 80, 53
_FIRST, _LAST = 20000, 32000  # below those that systems give to clients

_servers = None


class Servers:
    """The two servers. ports: where they were last, 0 for nowhere; tell: brings the host a line;
    looked: called whenever the firmware looks at them."""

    def __init__(self, ports, tell, looked):
        global _servers
        _servers = self
        self._kept = {_PAGE: ports[0], _DNS: ports[1]}
        self._open, self._told = {}, False
        self._tell, self.looked = tell, looked
        self.up = False

    def switch(self, up):
        """The access point goes on or off."""
        self.up = up
        if not up:
            self._open.clear()
        self._news()

    def bind(self, sock, port):
        """Puts the server of that port on the loopback."""
        kept = self._kept[port]
        if not kept or not self._bound(sock, port, kept):
            while not self._bound(sock, port, _FIRST + _random() % (_LAST - _FIRST)):
                pass

    def _bound(self, sock, port, at):
        address = _host.getaddrinfo("127.0.0.1", at)[0][-1]
        try:
            if port == _DNS:
                # Two may share one, if the firmware has set SO_REUSEADDR.
                probe = _host.socket(_host.AF_INET, _host.SOCK_DGRAM)
                try:
                    probe.bind(address)
                finally:
                    probe.close()
            sock.bind(address)
        except OSError:
            return False
        self._kept[port] = at
        return True

    def opened(self, port):
        """That server answers from now on."""
        self._open[port] = self._kept[port]
        self._news()

    def closed(self, port):
        """It does not any more."""
        self._open.pop(port, None)
        self._news()

    def _news(self):
        if len(self._open) == 2 and not self._told:
            self._told = True
            self._tell(b"A %d %d\n" % (self._open[_PAGE], self._open[_DNS]))
        elif self._told and len(self._open) < 2:
            self._told = False
            self._tell(b"A\n")


class _Socket(io.IOBase):
    # poll() gets the real descriptor, and what it does not know here, the real socket does.

    def __init__(self, sock):
        self._sock, self._port, self._sender = sock, 0, bytes(8)

    def __getattr__(self, name):
        return getattr(self._sock, name)

    def bind(self, address):
        port = address[2] << 8 | address[3]
        if port not in (_PAGE, _DNS):
            return self._sock.bind(address)
        if port == _PAGE:
            self._sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)  # noqa: F405
        _servers.bind(self._sock, port)
        self._port = port
        if port == _DNS:
            _servers.opened(port)

    def listen(self, *backlog):
        self._sock.listen(*backlog)
        if self._port:
            _servers.opened(self._port)

    def accept(self):
        _servers.looked()
        sock, sender = self._sock.accept()
        return sock, self._peer(sender)

    def recvfrom(self, size):
        _servers.looked()
        data, self._sender = self._sock.recvfrom(size)
        return data, self._peer(self._sender)

    def sendto(self, data, peer):
        if peer == self._peer(self._sender):
            peer = self._sender
        return self._sock.sendto(data, peer)

    def _peer(self, sender):
        # As on the chip. From 127.0.0.1 asks a phone, from another one of the loopback's
        # addresses a machine of the network that the station is in.
        host = ".".join([str(part) for part in sender[4:8]])
        if self._port and host == "127.0.0.1":
            host = "192.168.4.2"
        return host, sender[2] << 8 | sender[3]

    def readinto(self, buf):
        return self._sock.readinto(buf)

    def write(self, data):
        return self._sock.write(data)

    def ioctl(self, request, arg):
        return self._sock.fileno() if request == 10 else 0  # MP_STREAM_GET_FILENO

    def close(self):
        self._sock.close()
        if self._port:
            _servers.closed(self._port)
            self._port = 0


def _random():
    import os

    return int.from_bytes(os.urandom(2), "big")


class socket:
    """A class, as the interpreter's, whose object it makes, or one that looks like it."""

    def __new__(cls, *args):
        made = _host.socket(*args)
        return _Socket(made) if _servers and _servers.up else made
