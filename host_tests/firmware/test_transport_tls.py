"""flyve.transport and flyve.jobs.tls_trust: CA files, peers that speak no TLS, deadlines.

Which certificates are trusted is in test_tls_trust.py."""

import datetime
import ssl

import pytest
from trustme import CA

from host_tests.kit.peers import answer, says, silence
from host_tests.kit.peers.identities import HOST, issue

BOARD = True

OTHER = "other.example.org"
REQUEST = b"GET /?session_token=secret HTTP/1.0\r\n\r\n"
NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


@pytest.fixture(autouse=True)
def fresh(upy):
    upy.call("transport_calls", "start")


def exchange(upy, peer, ms=2000, host=HOST):
    return upy.call("transport_calls", "exchange", peer.port, ms, True, "all", host, REQUEST)


def refused(upy, peer, text, kind="tls", ms=2000, host=HOST):
    found = exchange(upy, peer, ms, host)
    assert (found.get("kind"), found.get("text")) == (kind, text)
    peer.joined(1)
    assert b"secret" not in peer.received
    return found


def trusted(upy, serve, ca, context, host=HOST, name="/ca.der"):
    upy.call("transport_calls", "start", ca, True, 0, name)
    peer = serve(says(answer(b"{}")), tls=context)
    assert exchange(upy, peer, host=host).get("value") == answer(b"{}")
    assert peer.received == REQUEST


def test_the_ca_may_be_one_of_a_pem_bundle(upy, serve, identity):
    bundle = CA().cert_pem.bytes() + identity.pem + CA().cert_pem.bytes()
    trusted(upy, serve, bundle, identity.context(), name="/ca.pem")


# A3
@pytest.mark.parametrize("sure", [True, False])
def test_a_verified_certificate_proves_a_time_that_is_sure(upy, serve, identity, sure):
    upy.call("transport_calls", "start", identity.der)
    upy.call("transport_calls", "sure", sure)
    exchange(upy, serve(says(answer(b"{}")), tls=identity.context()))
    assert bool(upy.call("transport_calls", "proven")) == sure


# A3
def test_a_peer_that_is_refused_or_not_verified_proves_no_time(upy, serve, identity):
    for ca, verify in ((CA().cert_pem.bytes(), True), (identity.der, False)):
        upy.call("transport_calls", "start", ca, verify)
        upy.call("transport_calls", "sure", True)
        exchange(upy, serve(says(answer(b"{}")), tls=identity.context()))
        assert upy.call("transport_calls", "proven") == 0


def test_an_address_in_the_certificate_is_trusted(upy, serve):
    identity = issue("127.0.0.1")
    trusted(upy, serve, identity.der, identity.context(), "127.0.0.1")


def test_a_certificate_for_a_name_is_refused_for_an_address(upy, serve, identity):
    upy.call("transport_calls", "start", identity.der)
    peer = serve(silence, tls=identity.context())
    text = "the server's certificate is for another host name: correct the URL or the certificate"
    refused(upy, peer, text, host="127.0.0.1")


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
    upy.call("transport_calls", "start", data, True, 0, "/ca.bad")
    peer = serve(silence)
    refused(upy, peer, "/ca.bad is no usable CA certificate: flyve provision --ca FILE")
    assert peer.received == b""


def test_a_ca_file_that_is_too_large_is_refused(upy, serve, identity):
    upy.call("transport_calls", "start", identity.pem * 40, True, 0, "/ca.big")
    refused(upy, serve(silence), "/ca.big is no usable CA certificate: flyve provision --ca FILE")


def test_a_ca_file_that_is_not_there_is_named(upy, serve):
    upy.call("transport_calls", "ca_path", "/nothing.der")
    text = "/nothing.der is no usable CA certificate: flyve provision --ca FILE"
    refused(upy, serve(silence), text)


def test_a_peer_that_closes_in_the_handshake_is_named(upy, serve, identity):
    upy.call("transport_calls", "start", identity.der)
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

    upy.call("transport_calls", "start", identity.der)
    text = "TLS failed: no TLS server answers at this port: check http or https, and the port"
    refused(upy, serve(script), text)


REFUSES = (
    "TLS failed: the server refuses us: it must offer TLS 1.2 with ECDHE, AES-GCM and the curve "
    "P-256, know this host name, and want no client certificate"
)
OLD = (
    "TLS failed: the server's TLS is of another version: it must offer TLS 1.2 with ECDHE, "
    "AES-GCM and the curve P-256"
)


def only(version):
    def change(context):
        context.minimum_version = context.maximum_version = version
        if version < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("ALL:@SECLEVEL=0")

    return change


def ciphers(names):
    def change(context):
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(names)

    return change


def curve(context):
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ecdh_curve("X25519")


def unknown_name(context):
    context.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("change", "text"),
    [
        (only(ssl.TLSVersion.TLSv1_3), REFUSES),
        (only(ssl.TLSVersion.TLSv1_1), OLD),
        (ciphers("AES128-GCM-SHA256"), REFUSES),
        (ciphers("DHE-RSA-AES256-SHA"), REFUSES),
        (ciphers("ECDHE-ECDSA-CHACHA20-POLY1305"), REFUSES),
        (curve, REFUSES),
        (unknown_name, REFUSES),
    ],
    ids=["TLS 1.3", "TLS 1.1", "no ECDHE", "DHE", "no AES-GCM", "no P-256", "unknown name"],
)
def test_a_server_whose_tls_is_not_ours_is_told_what_it_must_offer(
    upy, serve, identity, change, text
):
    upy.call("transport_calls", "start", identity.der)
    context = identity.context()
    change(context)
    refused(upy, serve(silence, tls=context), text)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_wants_a_client_certificate_is_named(upy, serve, identity, version):
    upy.call("transport_calls", "start", identity.der)
    context = identity.context()
    context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    # Its alert may be overtaken by the end of the connection.
    found = exchange(upy, serve(silence, tls=context))
    assert "client certificate" in found["text"], found


def test_without_verification_any_certificate_is_accepted(upy, serve):
    upy.call("transport_calls", "start", None, False)
    identity = issue(OTHER, not_before=NOW - 9 * DAY, not_after=NOW - DAY)
    peer = serve(says(answer(b"{}")), tls=identity.context())
    assert exchange(upy, peer).get("value") == answer(b"{}")


def test_a_handshake_that_trickles_does_not_move_the_deadline(upy, serve, identity):
    def script(connection):
        connection.receive()
        connection.drip(b"\x16\x03\x03\x20\x00" + bytes(99), 0.05)

    upy.call("transport_calls", "start", identity.der)
    found = refused(upy, serve(script), f"{HOST} did not answer in time", "timeout", 400)
    assert 380 <= found["ms"] < 600


def test_a_body_that_trickles_does_not_move_the_deadline(upy, serve, identity):
    def script(connection):
        connection.request()
        connection.drip(b"x" * 99, 0.05)

    upy.call("transport_calls", "start", identity.der)
    found = exchange(upy, serve(script, tls=identity.context()), 400)
    assert found["kind"] == "timeout"
    assert 380 <= found["ms"] < 600


def test_a_stream_that_is_cut_looks_like_its_end(upy, serve, identity):
    # mbedTLS does not tell a missing goodbye from a good one: lengths are for the caller.
    def script(connection):
        connection.request()
        connection.send(b"half")

    upy.call("transport_calls", "start", identity.der)
    assert exchange(upy, serve(script, tls=identity.context()))["value"] == b"half"


def test_after_a_failure_the_next_server_is_checked_anew(upy, serve, identity):
    upy.call("transport_calls", "start", identity.der)
    exchange(upy, serve(silence, tls=issue().context()))
    peer = serve(says(b"ok"), tls=identity.context())
    assert exchange(upy, peer)["value"] == b"ok"
