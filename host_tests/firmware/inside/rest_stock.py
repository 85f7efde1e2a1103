# Called by test_rest_stock.py before anything of the firmware: the `requests` that stock firmware
# has frozen stands in for the pinned urequests.

import sys

import requests

from flyve.jobs import (
    sockets,
    tls_context,  # noqa: F401 - it keeps the real tls
)


class _Context:
    """What requests takes for a tls.SSLContext: sockets.py verifies, whatever it asks for."""

    def __init__(self, *_):
        self.verify_mode = None

    def wrap_socket(self, sock, **_):
        return sockets.wrap_socket(sock)


class _Tls:
    SSLContext = _Context
    PROTOCOL_TLS_CLIENT = CERT_NONE = 0


def install():
    """The version that is in use from now on."""
    requests.socket = sockets
    sys.modules["tls"] = sys.modules["ssl"] = _Tls
    sys.modules["urequests"] = requests
    return requests.__version__
