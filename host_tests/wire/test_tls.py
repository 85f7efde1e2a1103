"""flyve.transport and flyve.trust over TLS: whom the agent trusts, what it says of the others,
and that none of them gets a byte of the request."""

import datetime
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from trustme import CA, KeyType

from host_tests.wire.conftest import HOST, Identity
from host_tests.wire.peers import answer, says, silence

BOARD = True

OTHER = "other.example.org"
REQUEST = b"GET /?session_token=secret HTTP/1.0\r\n\r\n"
NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
NOT_OURS = "the server's certificate is not signed by our CA: flyve provision --ca FILE"


@pytest.fixture(autouse=True)
def fresh(upy):
    upy.call("net", "start")


def exchange(upy, peer, ms=2000, host=HOST):
    return upy.call("net", "exchange", peer.port, ms, True, "all", host, REQUEST)


def refused(upy, peer, text, kind="tls", ms=2000, host=HOST):
    found = exchange(upy, peer, ms, host)
    assert (found.get("kind"), found.get("text")) == (kind, text)
    peer.joined(1)
    assert b"secret" not in peer.received
    return found


def trusted(upy, serve, ca, context, host=HOST, name="/ca.der"):
    upy.call("net", "start", ca, True, 0, name)
    peer = serve(says(answer(b"{}")), tls=context)
    assert exchange(upy, peer, host=host).get("value") == answer(b"{}")
    assert peer.received == REQUEST


@pytest.mark.parametrize("kind", [KeyType.RSA, KeyType.ECDSA])
def test_a_good_chain_is_trusted(upy, serve, kind):
    identity = Identity(ca=CA(key_type=kind), key_type=kind)
    trusted(upy, serve, identity.der, identity.context())


def test_an_intermediate_ca_is_followed(upy, serve):
    root = CA()
    identity = Identity(ca=root.create_child_ca())
    trusted(upy, serve, root.cert_pem.bytes(), identity.context())


def test_the_ca_may_be_one_of_a_pem_bundle(upy, serve, identity):
    bundle = CA().cert_pem.bytes() + identity.pem + CA().cert_pem.bytes()
    trusted(upy, serve, bundle, identity.context(), name="/ca.pem")


def test_an_address_in_the_certificate_is_trusted(upy, serve):
    identity = Identity("127.0.0.1")
    trusted(upy, serve, identity.der, identity.context(), "127.0.0.1")


def _self_signed(tmp_path, host=HOST):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    names = [x509.DNSName(host), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    file = tmp_path / "server.pem"
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return certificate.public_bytes(serialization.Encoding.DER), context


def test_a_pinned_self_signed_certificate_is_trusted(upy, serve, tmp_path):
    trusted(upy, serve, *_self_signed(tmp_path))


def test_another_self_signed_certificate_is_not(upy, serve, tmp_path):
    upy.call("net", "start", _self_signed(tmp_path)[0])
    peer = serve(silence, tls=_self_signed(tmp_path)[1])
    refused(upy, peer, NOT_OURS)


def test_a_certificate_of_another_ca_is_refused(upy, serve, identity):
    upy.call("net", "start", Identity().der)
    peer = serve(silence, tls=identity.context())
    refused(upy, peer, NOT_OURS)


def test_a_certificate_for_another_host_is_refused(upy, serve, identity):
    upy.call("net", "start", identity.der)
    peer = serve(silence, tls=identity.context())
    text = "the server's certificate is for another host name: correct the URL or the certificate"
    refused(upy, peer, text, host=OTHER)


def test_a_certificate_for_a_name_is_refused_for_an_address(upy, serve, identity):
    upy.call("net", "start", identity.der)
    peer = serve(silence, tls=identity.context())
    text = "the server's certificate is for another host name: correct the URL or the certificate"
    refused(upy, peer, text, host="127.0.0.1")


def test_an_expired_certificate_is_refused(upy, serve):
    identity = Identity(not_before=NOW - 9 * DAY, not_after=NOW - DAY)
    upy.call("net", "start", identity.der)
    peer = serve(silence, tls=identity.context())
    refused(upy, peer, "the server's certificate has expired: renew it")


def test_a_certificate_of_the_future_is_refused(upy, serve):
    identity = Identity(not_before=NOW + DAY, not_after=NOW + 9 * DAY)
    upy.call("net", "start", identity.der)
    peer = serve(silence, tls=identity.context())
    text = "the server's certificate is not yet valid: check the clocks of server and board"
    refused(upy, peer, text)


def test_without_a_ca_file_nothing_is_trusted(upy, serve):
    peer = serve(silence)
    refused(upy, peer, "no CA certificate on the board: flyve provision --ca FILE")
    assert peer.received == b""


@pytest.mark.parametrize(
    "data",
    [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
    ids=["empty", "text", "damaged"],
)
def test_an_unusable_ca_file_is_named(upy, serve, data):
    upy.call("net", "start", data, True, 0, "/ca.bad")
    peer = serve(silence)
    refused(upy, peer, "/ca.bad is no usable CA certificate: flyve provision --ca FILE")
    assert peer.received == b""


def test_a_ca_file_that_is_too_large_is_refused(upy, serve, identity):
    upy.call("net", "start", identity.pem * 40, True, 0, "/ca.big")
    refused(upy, serve(silence), "/ca.big is no usable CA certificate: flyve provision --ca FILE")


def test_a_ca_file_that_is_not_there_is_named(upy, serve):
    upy.call("net", "ca_path", "/nothing.der")
    text = "/nothing.der is no usable CA certificate: flyve provision --ca FILE"
    refused(upy, serve(silence), text)


def test_a_clock_that_is_not_set_ends_it_before_any_byte(upy, serve, identity):
    upy.call("net", "start", identity.der)
    upy.call("net", "set_floor", 100)
    peer = serve(silence)
    text = "the clock is not set, so no certificate can be checked"
    refused(upy, peer, text, "clock")
    assert peer.received == b""


def test_a_peer_that_closes_in_the_handshake_is_named(upy, serve, identity):
    upy.call("net", "start", identity.der)
    text = "TLS failed: the server closed the connection"
    refused(upy, serve(lambda connection: connection.receive()), text)


@pytest.mark.parametrize(
    "data",
    [answer(b"<html>", "400 Bad Request"), b"\0\1\2garbage" * 9],
    ids=["plain http", "garbage"],
)
def test_a_peer_that_does_not_speak_tls_is_named(upy, serve, identity, data):
    def script(connection):
        connection.receive()
        connection.send(data)
        connection.drain()

    upy.call("net", "start", identity.der)
    text = "TLS failed: no TLS server answers at this port: check http or https, and the port"
    refused(upy, serve(script), text)


def test_a_server_without_a_common_cipher_is_an_error_of_tls(upy, serve, identity):
    upy.call("net", "start", identity.der)
    context = identity.context()
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("DHE-RSA-AES256-SHA")
    found = exchange(upy, serve(silence, tls=context))
    assert found["kind"] == "tls"
    assert found["text"].startswith("TLS failed: ")


def test_without_verification_any_certificate_is_accepted(upy, serve):
    upy.call("net", "start", None, False)
    identity = Identity(OTHER, not_before=NOW - 9 * DAY, not_after=NOW - DAY)
    peer = serve(says(answer(b"{}")), tls=identity.context())
    assert exchange(upy, peer).get("value") == answer(b"{}")


def test_a_handshake_that_trickles_does_not_move_the_deadline(upy, serve, identity):
    def script(connection):
        connection.receive()
        connection.drip(b"\x16\x03\x03\x20\x00" + bytes(99), 0.05)

    upy.call("net", "start", identity.der)
    found = refused(upy, serve(script), f"{HOST} did not answer in time", "timeout", 400)
    assert 380 <= found["ms"] < 600


def test_a_body_that_trickles_does_not_move_the_deadline(upy, serve, identity):
    def script(connection):
        connection.request()
        connection.drip(b"x" * 99, 0.05)

    upy.call("net", "start", identity.der)
    found = exchange(upy, serve(script, tls=identity.context()), 400)
    assert found["kind"] == "timeout"
    assert 380 <= found["ms"] < 600


def test_a_stream_that_is_cut_looks_like_its_end(upy, serve, identity):
    # mbedTLS does not tell a missing goodbye from a good one: lengths are for the caller.
    def script(connection):
        connection.request()
        connection.send(b"half")

    upy.call("net", "start", identity.der)
    assert exchange(upy, serve(script, tls=identity.context()))["value"] == b"half"


def test_after_a_failure_the_next_server_is_checked_anew(upy, serve, identity):
    upy.call("net", "start", identity.der)
    exchange(upy, serve(silence, tls=Identity().context()))
    peer = serve(says(b"ok"), tls=identity.context())
    assert exchange(upy, peer)["value"] == b"ok"
