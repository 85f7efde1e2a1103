"""The escapes of URLs and of mails."""

import binascii


def decode(data, mark):
    """The bytes without escapes of the form <mark>XX, in which X are hexadecimal digits."""
    parts = data.split(mark)
    for i in range(1, len(parts)):
        part = parts[i]
        try:
            parts[i] = binascii.unhexlify(part[:2]) + part[2:] if len(part) > 1 else mark + part
        except ValueError:
            parts[i] = mark + part
    return b"".join(parts)
