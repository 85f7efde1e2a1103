"""Bodies of requests and answers. An answer is plain data, so that no module has to stay for it:
(status, headers, stream), whose body has not been read yet."""

import binascii

from micropython import const

from flyve import transport

_READ = const(4096)  # bytes that one read() may allocate
_SHORT = const(2048)  # bytes of an answer that is read at once


def read(stream, size):
    """Reads size bytes of a blocking stream, fewer only at its end."""
    if size > _READ:
        raise transport.NetError("limit", "a read of %d bytes is refused" % size)
    buf = bytearray(size)
    view = memoryview(buf)
    got = 0
    while got < size:
        n = stream.readinto(view[got:])
        if not n:
            break
        got += n
    return bytes(view[:got])


def text(answer):
    """The first 2 KiB of the body of an answer."""
    size = answer[1].get("content-length", "")
    size = int(size) if size.isdigit() else _SHORT
    return read(answer[2], min(_SHORT, size))


class Pieces:
    """A body that is sent piece by piece; with a head (bytes), as the last member of `input` in
    the JSON that the head begins. made: its pieces (bytes), each as long as a line or two."""

    def __init__(self, made, head=None):
        self._head = head
        self._made = made
        self._size = 0
        for piece in self.pieces():
            self._size += len(piece)

    def __len__(self):
        return self._size

    def pieces(self):
        """Yields the body's pieces, the same ones each time."""
        if not self._head:
            yield from self._made
            return
        yield self._head
        yield from base64(self._made)
        yield b'"}}'


def base64(pieces):
    """Yields the pieces (bytes) in base64, as bytes, a line's worth at a time."""
    held = b""
    for piece in pieces:
        held += piece
        whole = len(held) // 3 * 3
        if whole >= 48:
            yield binascii.b2a_base64(held[:whole])[:-1]
            held = held[whole:]
    if held:
        yield binascii.b2a_base64(held)[:-1]
