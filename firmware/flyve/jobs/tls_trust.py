"""The begin of TLS on a connection, with whom the agent trusts: tls_context.py and tls_error.py
have what is not needed each time."""

import time

from flyve import memory


def prepare(trust):
    """Makes the context, if there is none: it takes much memory in one piece, so before there is
    a connection. secure() tells when that fails."""
    if not trust.get("context"):
        try:
            trust["context"], _ = _context(trust)
        except (ValueError, OSError, MemoryError):
            pass


def secure(s, host, trust, floor):
    """(TLS socket around s, whose handshake begins at the first write; None), or (None; kind and
    text of the NetError). trust, floor: see transport.py."""
    if time.time() < floor:
        return None, ("clock", "the clock is not set, so no certificate can be checked")
    try:
        if not trust.get("context"):
            context, fault = _context(trust)
            memory.drop("tls_context")
            if fault:
                return None, ("tls", fault)
            trust["context"] = context
        wrap = trust["context"].wrap_socket
        return wrap(s, server_hostname=host, do_handshake_on_connect=False), None
    except (ValueError, OSError) as e:
        return None, _explain(e)


# Each in a frame of its own: what a frame names stays in memory as long as that.


def _context(trust):
    from flyve.jobs import tls_context

    try:
        return tls_context.context(trust["ca"], trust["verify"]), None
    except tls_context.TrustError as e:
        return None, str(e)


def _explain(e):
    from flyve.jobs import tls_error

    return tls_error.explain(e)
