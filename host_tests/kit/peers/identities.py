"""Server certificates, good ones and each kind of bad one, with RSA and ECDSA keys."""

from __future__ import annotations

import datetime
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from trustme import CA, KeyType

HOST = "localhost"
_NOW = datetime.datetime.now(datetime.timezone.utc)
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Identity:
    """What the server shows, and the certificate that the board has been given."""

    context: ssl.SSLContext
    ca: bytes


class Forge:
    """Makes identities with keys of one kind; `folder` takes their files."""

    def __init__(self, kind: KeyType, folder: Path):
        self._kind, self._folder = kind, folder
        self._ca = CA(key_type=kind)
        self._made: dict[str, Identity] = {}

    def identity(self, name: str) -> Identity:
        """good, chain, pinned, self-signed, other-ca, other-host, expired, not-yet or truncated;
        the same one each time."""
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Identity:
        ours = _der(self._ca.cert_pem.bytes())
        if name in ("pinned", "self-signed"):
            certificate, context = self._self_signed()
            return Identity(context, certificate if name == "pinned" else ours)
        signer = self._ca
        if name in ("chain", "truncated"):
            signer = signer.create_child_ca(key_type=self._kind)
        elif name == "other-ca":
            signer = CA(key_type=self._kind)
        period = {
            "expired": {"not_before": _NOW - 9 * _DAY, "not_after": _NOW - _DAY},
            "not-yet": {"not_before": _NOW + _DAY, "not_after": _NOW + 9 * _DAY},
        }.get(name, {})
        host = "other.example.org" if name == "other-host" else HOST
        leaf = signer.issue_cert(host, key_type=self._kind, **period)
        pems = [pem.bytes() for pem in leaf.cert_chain_pems]
        if name == "truncated":
            del pems[1:]
        return Identity(self._context(b"".join(pems) + leaf.private_key_pem.bytes()), ours)

    def _self_signed(self) -> tuple[bytes, ssl.SSLContext]:
        if self._kind == KeyType.RSA:
            key = rsa.generate_private_key(65537, 2048)
        else:
            key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_NOW - _DAY)
            .not_valid_after(_NOW + _DAY)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
            .sign(key, hashes.SHA256())
        )
        encoding = serialization.Encoding
        private = key.private_bytes(
            encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        context = self._context(certificate.public_bytes(encoding.PEM) + private)
        return certificate.public_bytes(encoding.DER), context

    def _context(self, pem: bytes) -> ssl.SSLContext:
        file = self._folder / f"{self._kind.name}.pem"
        file.write_bytes(pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _der(pem: bytes) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem.decode())
