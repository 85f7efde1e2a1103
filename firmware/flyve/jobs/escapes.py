"""The escapes of URLs and of mails."""

import binascii


def decode(data, mark):
    """The bytes without escapes of the form <mark>XX, in which X are hexadecimal digits."""
    out = bytearray(len(data))  # not of many pieces: a link may be long
    size = start = 0
    while start < len(data):
        at = data.find(mark, start)
        end = len(data) if at < 0 else at
        out[size : size + end - start] = data[start:end]
        size += end - start
        start = end
        if at >= 0:
            try:
                c = binascii.unhexlify(data[at + 1 : at + 3])
            except ValueError:
                c = b""
            out[size] = (c or mark)[0]
            size += 1
            start += 3 if c else 1
    return bytes(memoryview(out)[:size])
