"""Server certificates, good ones and each kind of bad one, with RSA and ECDSA keys."""

from __future__ import annotations

import datetime
import functools
import ssl
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from trustme import CA, KeyType

HOST = "glpi.example.org"
_NOW = datetime.datetime.now(datetime.timezone.utc)
_DAY = datetime.timedelta(days=1)


class Identity:
    """What a server shows, key and chain, and the certificate that a board has been given: PEM."""

    def __init__(self, chain: bytes, ca: bytes):
        self._chain, self.pem = chain, ca

    @property
    def der(self) -> bytes:
        """What the board was given."""
        return ssl.PEM_cert_to_DER_cert(self.pem.decode())

    def context(self) -> ssl.SSLContext:
        """What the server uses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:
            file.write(self._chain)
            file.flush()
            context.load_cert_chain(file.name)
        return context


def issue(*names: str, **options) -> Identity:
    """A server of these names, default HOST, with ECDSA keys and a CA of its own."""
    ca = CA()
    leaf = ca.issue_cert(*(names or (HOST,)), **options)
    return Identity(leaf.private_key_and_cert_chain_pem.bytes(), ca.cert_pem.bytes())


class Forge:
    """Makes identities of localhost with keys of one kind."""

    def __init__(self, kind: KeyType):
        self._kind = kind
        self._ca = CA(key_type=kind)

    @functools.cache  # noqa: B019 - one for a kind of keys
    def identity(self, name: str) -> Identity:
        """good, chain, pinned, self-signed, other-ca, other-host, expired, not-yet or truncated;
        the same one each time."""
        ours = self._ca.cert_pem.bytes()
        if name in ("pinned", "self-signed"):
            certificate, key = self._self_signed()
            return Identity(key + certificate, certificate if name == "pinned" else ours)
        signer = self._ca
        if name in ("chain", "truncated"):
            signer = signer.create_child_ca(key_type=self._kind)
        elif name == "other-ca":
            signer = CA(key_type=self._kind)
        period = {
            "expired": {"not_before": _NOW - 9 * _DAY, "not_after": _NOW - _DAY},
            "not-yet": {"not_before": _NOW + _DAY, "not_after": _NOW + 9 * _DAY},
        }.get(name, {})
        host = "other.example.org" if name == "other-host" else "localhost"
        leaf = signer.issue_cert(host, key_type=self._kind, **period)
        pems = [pem.bytes() for pem in leaf.cert_chain_pems]
        if name == "truncated":
            del pems[1:]
        return Identity(leaf.private_key_pem.bytes() + b"".join(pems), ours)

    def _self_signed(self) -> tuple[bytes, bytes]:
        if self._kind == KeyType.RSA:
            key = rsa.generate_private_key(65537, 2048)
        else:
            key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_NOW - _DAY)
            .not_valid_after(_NOW + _DAY)
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        encoding = serialization.Encoding
        private = key.private_bytes(
            encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return certificate.public_bytes(encoding.PEM), private
