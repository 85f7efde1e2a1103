"""What it means that a TLS handshake failed."""

from micropython import const

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
_PROVISION = const(": flyve provision --ca FILE")
# What an error's text has in it, what it means, and whether our CA is at fault.
_MEANINGS = const((
    ("future", "is not yet valid: check the clocks of server and board", False),
    ("expired", "has expired: renew it", False),
    ("common name", "is for another host name: correct the URL or the certificate", False),
    ("not correctly signed", "is not signed by our CA, or comes without an intermediate", True),
    ("ca_chain", "cannot be checked", True),
))  # fmt: skip


def explain(e):
    """(kind, text) of the NetError for what a handshake has raised."""
    code = e.args[0] if e.args else 0
    if code in _NO_MEMORY:
        return "memory", "no memory for another TLS connection"
    text = str(e)
    if code in _FAULTS:
        text = _FAULTS[code]
    elif len(e.args) > 1:
        text = "%s (%s)" % (e.args[1], code)
    for part, meaning, ours in _MEANINGS:
        if part in text.lower():
            return "tls", "the server's certificate " + meaning + (_PROVISION if ours else "")
    return "tls", "TLS failed: " + text
