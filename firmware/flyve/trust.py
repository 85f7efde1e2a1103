"""Whom the agent trusts over TLS: the CA on the board, and what a refused certificate means."""

import binascii

import tls

_BEGIN = b"-----BEGIN CERTIFICATE-----"
# ENOMEM, and what mbedTLS says for it: of SSL, X.509, PK, bignum, ASN.1.
_NO_MEMORY = (12, -0x7F00, -0x2880, -0x3F80, -0x10, -0x6A)
LIMIT = 16384  # bytes of a CA file


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
        raise TrustError("no CA certificate on the board: flyve provision --ca FILE")
    try:
        with open(ca, "rb") as f:
            data = f.read(LIMIT + 1)
        if len(data) > LIMIT:
            raise ValueError
        at = data.find(_BEGIN)
        if at < 0:
            made.load_verify_locations(data)
        while at >= 0:
            # PEM by ourselves: not every build of MicroPython reads it.
            end = data.index(b"-----END", at)
            made.load_verify_locations(binascii.a2b_base64(data[at + len(_BEGIN) : end]))
            at = data.find(_BEGIN, end)
    except (OSError, ValueError):
        raise TrustError(
            "%s is no usable CA certificate: flyve provision --ca FILE" % ca
        ) from None
    return made


def explain(e):
    """(kind, text) of the NetError for what a handshake, or context(), has raised."""
    code = e.args[0] if e.args else 0
    if code in _NO_MEMORY:
        return "memory", "no memory for another TLS connection"
    return "tls", str(e) if isinstance(e, TrustError) else _explain(e, code)


def _explain(e, code):
    if code == -0x7200:
        return "TLS failed: no TLS server answers at this port: check http or https, and the port"
    if code == -0x7280:
        return "TLS failed: the server closed the connection"
    text = str(e).lower()
    for sign, meaning in (
        ("future", "is not yet valid: check the clocks of server and board"),
        ("expired", "has expired: renew it"),
        ("common name", "is for another host name: correct the URL or the certificate"),
        (
            "not correctly signed",
            "is not signed by our CA, or comes without an intermediate: flyve provision --ca FILE",
        ),
        ("ca_chain", "cannot be checked: flyve provision --ca FILE"),
    ):
        if sign in text:
            return "the server's certificate " + meaning
    return "TLS failed: %s" % e
