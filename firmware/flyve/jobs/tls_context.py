"""Whom the agent trusts over TLS: the CA on the board."""

import binascii

import tls
from micropython import const

from flyve import memory

_BEGIN = const(b"-----BEGIN CERTIFICATE-----")
LIMIT = const(16384)  # bytes of a CA file
_PROVISION = const(": flyve provision --ca FILE")


class TrustError(ValueError):
    """Our own CA file cannot be used; the text says what to do."""


def context(ca, verify):
    """A client context that verifies against the CA file (DER, or PEM with one or more
    certificates); with verify False it accepts any peer. Raises TrustError."""
    made = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    if not verify:
        made.verify_mode = tls.CERT_NONE
        return made
    if not ca:
        raise TrustError("no CA certificate on the board" + _PROVISION)
    try:
        from flyve.jobs import texts

        data = texts.read(ca, LIMIT)
        texts = None
        memory.drop("texts")
        if len(data) > LIMIT:
            raise ValueError
        view = memoryview(data)
        at = data.find(_BEGIN)
        if at < 0:
            made.load_verify_locations(data)
        while at >= 0:
            # PEM by ourselves: not every build of MicroPython reads it.
            end = data.index(b"-----END", at)
            made.load_verify_locations(binascii.a2b_base64(view[at + len(_BEGIN) : end]))
            at = data.find(_BEGIN, end)
    except (OSError, ValueError):
        raise TrustError("%s is no usable CA certificate" % ca + _PROVISION) from None
    return made
