"""DNS for who is in the board's own network: each name has the board's address.

So whatever a phone asks for comes to the page: its question whether this is the internet, and the
link of an invitation.
"""

import socket

from micropython import const

from flyve import log

_LARGEST = const(512)  # bytes of a datagram
_ANSWER = const(16)  # bytes of an answer's record
_NAME = const(255)  # bytes of a name
_MANY = const(8)  # questions that are answered at once
_LIVES = const(1)  # seconds: elsewhere the name has another address
_A = const(1)
_IN = const(1)
_NOT_IMPLEMENTED = const(4)
_MALFORMED = const(1)


def _end(buf, size):
    """Where the question's name ends; 0 when it ends nowhere, or somewhere else."""
    at = 12
    while at < size:
        length = buf[at]
        if length == 0:
            return at + 1 if at - 12 < _NAME else 0
        if length > 63:
            return 0
        at += 1 + length
    return 0


def answer(buf, size, address):
    """Makes an answer of the question in the buffer's first size bytes; returns its bytes, 0 for
    what is no question. address: four bytes. The buffer is to have 512 bytes."""
    if not 12 <= size <= _LARGEST or buf[2] & 0x80:
        return 0
    code = _NOT_IMPLEMENTED if buf[2] & 0x78 else 0
    end = 0
    if not code and buf[4] == 0 and buf[5] == 1:
        end = _end(buf, size)
    if end + 4 > size:
        end = 0
    if end:  # a name is short: there is room behind it
        found = buf[end] == 0 and buf[end + 1] == _A and buf[end + 2] == 0 and buf[end + 3] == _IN
        end += 4
    else:
        code = code or _MALFORMED
    buf[2] = 0x84 | buf[2] & 0x79  # an answer, by who knows; what else the question had
    buf[3] = code
    for i in range(4, 12):
        buf[i] = 0
    if not end:
        return 12
    buf[5] = 1
    if found:
        buf[7] = 1
        # The name is that of the question.
        record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00%c\x00\x04" % _LIVES
        buf[end : end + 12] = record
        buf[end + 12 : end + 16] = address
        end += _ANSWER
    return end


class Server:
    """address: the board's own; who is not in the same /24 gets nothing. buf: of 512 bytes, which
    are others' between two steps. Call step() often; it never waits, and raises nothing but in the
    constructor."""

    def __init__(self, address, buf, port=53):
        self._near = address[: address.rfind(".") + 1]
        self._address = bytes([int(part) for part in address.split(".")])
        self._buf = buf
        self._s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._s.bind(socket.getaddrinfo(address, port)[0][-1])
            self._s.setblocking(False)
        except BaseException:
            self.close()
            raise

    def step(self):
        """Answers what has come."""
        for _ in range(_MANY):
            try:
                data, sender = self._s.recvfrom(_LARGEST)
                if sender[0][: len(self._near)] != self._near:
                    continue
                size = len(data)
                self._buf[:size] = data
                size = answer(self._buf, size, self._address)
                if size:
                    self._s.sendto(memoryview(self._buf)[:size], sender)
            except OSError as e:
                if e.errno != 11:  # EAGAIN: nothing more has come
                    log.debug("setup", "DNS: %s", e)
                return
            except MemoryError:
                return  # it is asked again

    def close(self):
        """Closes the socket; may be repeated."""
        self._s.close()
