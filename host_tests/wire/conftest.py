"""Peers and certificates for the tests over real sockets."""

import contextlib
import socket
import ssl

import pytest
import trustme

from host_tests.wire.peers import Datagrams, Full, Peer

HOST = "glpi.example.org"


@pytest.fixture
def serve():
    """Starts a Peer with the script and the options given; all are closed at the end."""
    with contextlib.ExitStack() as stack:

        def start(script, **options):
            peer = Peer(script, **options)
            stack.callback(peer.close)
            return peer

        yield start


@pytest.fixture
def datagrams():
    """Starts a Datagrams server with the function that answers."""
    with contextlib.ExitStack() as stack:

        def start(function):
            server = Datagrams(function)
            stack.callback(server.close)
            return server

        yield start


@pytest.fixture
def full():
    """A port that accepts no connection."""
    server = Full()
    yield server
    server.close()


@pytest.fixture
def closed_port():
    """A port that refuses connections, and that nobody else gets meanwhile."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


class Identity:
    """A CA and a server certificate that it signed."""

    def __init__(self, *names, ca=None, **options):
        self.ca = ca or trustme.CA()
        self._leaf = self.ca.issue_cert(*(names or (HOST,)), **options)

    @property
    def pem(self) -> bytes:
        """The CA's certificate."""
        return self.ca.cert_pem.bytes()

    @property
    def der(self) -> bytes:
        return ssl.PEM_cert_to_DER_cert(self.pem.decode())

    def context(self) -> ssl.SSLContext:
        """What the server uses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._leaf.configure_cert(context)
        return context


@pytest.fixture(scope="session")
def identity():
    """A server that is called HOST, with ECDSA keys."""
    return Identity()
