"""Whom the agent trusts over TLS: the CA on the board, and what a refused certificate means."""

import binascii
import time

import tls
from micropython import const

from flyve import memory

_BEGIN = const(b"-----BEGIN CERTIFICATE-----")
# ENOMEM, and what mbedTLS says for it: of SSL, X.509, PK, bignum, ASN.1.
_NO_MEMORY = const((12, -0x7F00, -0x2880, -0x3F80, -0x10, -0x6A))
_TLS = const("it must offer TLS 1.2 with ECDHE, AES-GCM and the curve P-256")
# What mbedTLS says by a number only. An alert is what the server says, and it does not tell which.
_FAULTS = {
    -0x7200: "no TLS server answers at this port: check http or https, and the port",
    -0x7280: "the server closed the connection",
    -0x7780: "the server refuses us: " + _TLS + ", know this host name, and want no client "
    "certificate",
    -0x6E80: "the server's TLS is of another version: " + _TLS,
    -0x6E00: "no agreement with the server: " + _TLS,
    -0x7380: "no agreement with the server: " + _TLS,
    -0x7900: "no agreement with the server: " + _TLS,
    -0x6600: "no agreement with the server: " + _TLS,
}
LIMIT = const(16384)  # bytes of a CA file
_PROVISION = const(": flyve provision --ca FILE")
# What an error's text has in it, what it means, and whether our CA is at fault.
_MEANINGS = const((
    ("future", "is not yet valid: check the clocks of server and board", False),
    ("expired", "has expired: renew it", False),
    ("common name", "is for another host name: correct the URL or the certificate", False),
    ("not correctly signed", "is not signed by our CA, or comes without an intermediate", True),
    ("ca_chain", "cannot be checked", True),
))  # fmt: skip


class TrustError(ValueError):
    """A peer, or our own CA file, cannot be trusted; the text says what to do."""


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


def secure(s, host, trust, floor):
    """(TLS socket around s, whose handshake begins at the first write; None), or (None; kind and
    text of the NetError). trust, floor: see transport.py."""
    if time.time() < floor:
        return None, ("clock", "the clock is not set, so no certificate can be checked")
    try:
        if not trust.get("context"):
            trust["context"] = context(trust["ca"], trust["verify"])
        wrap = trust["context"].wrap_socket
        return wrap(s, server_hostname=host, do_handshake_on_connect=False), None
    except (ValueError, OSError) as e:
        return None, explain(e)


def explain(e):
    """(kind, text) of the NetError for what a handshake, or context(), has raised."""
    code = e.args[0] if e.args else 0
    if code in _NO_MEMORY:
        return "memory", "no memory for another TLS connection"
    text = str(e)
    if not isinstance(e, TrustError):
        if code in _FAULTS:
            text = _FAULTS[code]
        elif len(e.args) > 1:
            text = "%s (%s)" % (e.args[1], code)
        found = "TLS failed: " + text
        for part, meaning, ours in _MEANINGS:
            if part in text.lower():
                found = "the server's certificate " + meaning
                if ours:
                    found += _PROVISION
                break
        text = found
    return "tls", text
