"""Certificates of the simulated backend: a CA of its own, and server certificates with a fault."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificates:
    """Paths of the files that servers (chain, key) and clients (ca) need."""

    ca_pem: Path
    ca_der: Path
    chain: Path
    key: Path


def issue(folder: Path, hosts: list[str], kind: str = "good") -> Certificates:
    """Write CA and server certificate into `folder`.

    `kind`: good, expired, not-yet, other-host, or self-signed (then the CA files hold the
    server's own certificate, which is what a client would pin).
    """
    files = Certificates(*(folder / n for n in ("ca.pem", "ca.der", "server.pem", "server.key")))
    if kind == "self-signed":
        certificate, key = _self_signed(hosts)
        chain = certificate.public_bytes(serialization.Encoding.PEM)
        ca = chain
    else:
        authority = trustme.CA()
        now = datetime.datetime.now(datetime.timezone.utc)
        day = datetime.timedelta(days=1)
        period = {
            "expired": {"not_before": now - 30 * day, "not_after": now - day},
            "not-yet": {"not_before": now + day, "not_after": now + 30 * day},
        }.get(kind, {})
        names = ["other.example.org"] if kind == "other-host" else hosts
        leaf = authority.issue_cert(*names, **period)
        chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
        key = leaf.private_key_pem.bytes()
        ca = authority.cert_pem.bytes()
    files.chain.write_bytes(chain)
    files.key.touch(mode=0o600)
    files.key.write_bytes(key)
    files.ca_pem.write_bytes(ca)
    der = x509.load_pem_x509_certificate(ca).public_bytes(serialization.Encoding.DER)
    files.ca_der.write_bytes(der)
    return files


def _self_signed(hosts: list[str]) -> tuple[x509.Certificate, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([_name(host) for host in hosts]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return certificate, pem


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
