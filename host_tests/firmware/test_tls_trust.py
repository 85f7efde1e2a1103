"""Whom the agent trusts, over https and at the broker: the good and the pinned. Of all others it
says what is wrong, and the server gets no byte of a token."""

import pytest
from trustme import KeyType

from host_tests.kit.peers import answer
from host_tests.kit.peers.broker import CONNACK, packet, read
from host_tests.kit.peers.identities import Forge
from host_tests.kit.proxy import Proxy

BOARD = True

SECRET = "secret-0123456789abcdef"
_NOT_OURS = (
    "the server's certificate is not signed by our CA, or comes without an intermediate: "
    "flyve provision --ca FILE"
)
REFUSED = {
    "self-signed": _NOT_OURS,
    "other-ca": _NOT_OURS,
    "truncated": _NOT_OURS,
    "other-host": "the server's certificate is for another host name: correct the URL or the "
    "certificate",
    "expired": "the server's certificate has expired: renew it",
    "not-yet": "the server's certificate is not yet valid: check the clocks of server and board",
}


@pytest.fixture(scope="module", params=[KeyType.RSA, KeyType.ECDSA], ids=["rsa", "ecdsa"])
def forge(request):
    return Forge(request.param)


def _backend(connection):
    connection.request()
    connection.send(answer(b'{"session_token": "s"}'))


def _broker(connection):
    read(connection)
    connection.send(packet(CONNACK, b"\0\0"))
    connection.drain()


@pytest.fixture(params=["https", "broker"])
def attempt(request, upy, serve, forge):
    """Tries one identity; returns what the agent says, the server, and the bytes that passed."""
    proxies = []

    def run(name, clock=True):
        identity = forge.identity(name)
        script = _backend if request.param == "https" else _broker
        peer = serve(script, tls=identity.context())
        proxies.append(Proxy(peer.port))
        upy.call("tls_trust_calls", "trust", identity.der, clock)
        found = upy.call("tls_trust_calls", request.param, "localhost", proxies[0].port, SECRET)
        peer.joined(1)
        return found, peer, bytes(proxies[0].passages[0].up)

    yield run
    for proxy in proxies:
        proxy.close()


@pytest.mark.parametrize("name", ["good", "chain", "pinned"])
def test_it_is_trusted(attempt, name):
    (kind, _), peer, _ = attempt(name)
    assert kind == "ok"
    assert SECRET.encode() in peer.received


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_before_any_byte_of_a_token(attempt, name):
    found, peer, raw = attempt(name)
    assert found == ["tls", REFUSED[name]]
    assert peer.received == b""
    assert raw.startswith(b"\x16\x03")  # a handshake, and no secret beside it
    assert SECRET.encode() not in raw


def test_without_a_clock_nothing_at_all_is_sent(attempt):
    found, peer, raw = attempt("good", clock=False)
    assert found == ["clock", "the clock is not set, so no certificate can be checked"]
    assert (peer.received, raw) == (b"", b"")
