"""What an operator gives a board before it enrolls: checked first, then written."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from flyve_mdm import options
from flyve_mdm.board.target import Target
from flyve_mdm.build import pure
from flyve_mdm.text import for_board

NAMESPACE = "flyve"
DEEPLINK = "/deeplink"
_CA_LIMIT = 16384  # what the firmware reads of a CA file
_NVS_LIMIT = 4096  # what it reads of a blob
_PEM = b"-----BEGIN CERTIFICATE-----"
_RECORDS = ("rec.a", "rec.b")
# What an agent remembers outside its record, as firmware/flyve/jobs/erasing.py has it, but for a
# download in progress: that is in some folder, and goes with the next invitation.
_MEMORY = (
    "/tasks.json", "/tasks.new", "/failures.json", "/outbox.json", "/part.slot", "/apps.new",
    "/wiping", "/keep.json", "/deploy.part",
)  # fmt: skip


@dataclass
class Plan:
    """Files and NVS entries to write; None removes one."""

    files: dict[str, bytes | None] = field(default_factory=dict)
    entries: dict[tuple[str, str], bytes | None] = field(default_factory=dict)
    settings: dict[str, object] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.files or self.entries or self.settings)

    def over(self, common: "Plan") -> "Plan":
        """What is common to several boards, with this one's own in the place of it."""
        return Plan(
            {**common.files, **self.files},
            {**common.entries, **self.entries},
            {**common.settings, **self.settings},
        )

    def deeplink(self, link: str) -> None:
        """Checks an invitation. Raises ValueError."""
        link = link.strip()
        try:
            pure.load("jobs.deeplink").parse(link)
        except ValueError as error:
            raise ValueError(f"this deeplink cannot be used: {error}") from None
        self.files[DEEPLINK] = link.encode()

    def set(self, name: str, text: str) -> None:
        """Checks one setting of /config.json; its text is JSON or a string. Raises ValueError."""
        config = pure.load("jobs.config")
        values = [text]
        try:
            values.insert(0, json.loads(text))
        except ValueError as error:
            if text.lstrip()[:1] in ("[", "{", '"'):
                raise ValueError(f"{name}: {text} is broken JSON ({error})") from None
        for_board(values, name)
        problem = None
        for value in values:
            try:
                config.check(name, value)
                _check_meaning(name, value)
                self.settings[name] = value
                return
            except ValueError as error:
                # Of what is a text anyway, its JSON tells nothing.
                if not problem or config.KEYS.get(name, (None, ""))[1] == "str":
                    problem = error
        raise problem

    def wifi(self, networks: Sequence[tuple[str, str]]) -> None:
        """Checks the networks, (SSID, passphrase) each; they replace all former ones."""
        for ssid, psk in networks:
            check_network(ssid, psk)
        blob = for_board([list(network) for network in networks], "the networks")
        if len(blob) > _NVS_LIMIT:
            raise ValueError("too many networks for one board")
        self.entries[NAMESPACE, "wifi"] = blob
        self.entries[NAMESPACE, "net"] = None

    def ca(self, path: Path) -> None:
        """Checks a CA file: one certificate, DER or PEM, or a PEM bundle. Raises ValueError."""
        name, data = certificates(path.read_bytes(), path.name)
        other = {"/ca.der": "/ca.pem", "/ca.pem": "/ca.der"}[name]
        self.files.update({name: data, other: None})
        self.settings.setdefault("ca", name)

    def merge(self, current: bytes) -> str:
        """Adds the settings to what /config.json holds; returns a warning or "".

        A setting that is null goes. Raises ValueError when the file gets too long.
        """
        if not self.settings:
            return ""
        config, warning = pure.load("jobs.config"), ""
        try:
            values = json.loads(current) if current.strip() else {}
            if not isinstance(values, dict):
                raise ValueError
        except ValueError:
            values, warning = {}, f"{config.PATH} on the board was damaged: it is replaced"
        values.update(self.settings)
        values = {name: value for name, value in values.items() if value is not None}
        data = for_board(values, config.PATH)
        if len(data) > config.LIMIT:
            raise ValueError(f"{config.PATH} would be longer than {config.LIMIT} bytes")
        self.files[config.PATH] = data
        return warning


def check_network(ssid: str, psk: str) -> None:
    """Raises ValueError for what can be no network and its passphrase; "": it is open."""
    for_board([ssid, psk], f"the network {ssid!r}")
    if not 1 <= len(ssid.encode()) <= 32:
        raise ValueError(f"{ssid!r}: an SSID has 1 to 32 bytes")
    if psk and not 8 <= len(psk.encode()) <= 64:
        raise ValueError(f"the passphrase of {ssid!r} must have 8 to 63 characters")
    if len(psk.encode()) == 64 and not re.fullmatch("[0-9A-Fa-f]{64}", psk):
        raise ValueError(f"the passphrase of {ssid!r}: 64 characters must be a key in hex")
    for what, text in (("name", ssid), ("passphrase", psk)):
        if any(ord(c) < 32 or ord(c) == 127 for c in text):
            raise ValueError(f"the {what} of {ssid!r} must not contain control characters")


def _check_meaning(name: str, value: object) -> None:
    # What config.check() leaves to the moment at which the board uses it.
    checks = {"email": options.email, "broker": options.host, "ntp": options.host_port}
    try:
        for one in value if isinstance(value, list) else [value]:
            if name in checks and isinstance(one, str):
                checks[name](one)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def apply(plan: Plan, target: Target) -> str:
    """Merges the settings and writes everything; returns a warning or ""."""
    current = b""
    if plan.settings:
        try:
            current = target.read(pure.load("jobs.config").PATH)
        except FileNotFoundError:
            pass
    warning = plan.merge(current)
    # The deeplink last: it sets the agent off, with what is there by then.
    files = sorted(plan.files.items(), key=lambda item: item[0] == DEEPLINK)
    target.change(dict(files), plan.entries)
    return warning


def serial_number(target: Target, mac: str) -> str:
    """By which the backend knows the board: the one in its settings, else one of its MAC."""
    try:
        values = json.loads(target.read(pure.load("jobs.config").PATH))
    except (FileNotFoundError, ValueError):
        values = None
    own = values.get("serial") if isinstance(values, dict) else None
    return str(own or serial_of(mac))


def serial_of(mac: str) -> str:
    """The serial number of a board that has none in its settings."""
    return f"ESP32-{mac.upper()}"


def forget(target: Target) -> None:
    """Makes the board blank: its record, its tasks and its deeplink go; firmware, applications,
    files and Wi-Fi stay."""
    target.change(
        dict.fromkeys((DEEPLINK, *_MEMORY)), {(NAMESPACE, key): None for key in _RECORDS}
    )


def certificates(data: bytes, name: str) -> tuple[str, bytes]:
    """The file name on the board and the content for a CA file. Raises ValueError.

    One certificate goes as DER, which costs a board less; a bundle stays PEM.
    """
    try:
        if _PEM in data:
            found = x509.load_pem_x509_certificates(data)
        else:
            found = [x509.load_der_x509_certificate(data)]
    except ValueError:
        raise ValueError(f"{name} is no certificate: neither PEM nor DER") from None
    for certificate in found:
        _check_root(certificate, name)
    if len(found) == 1:
        path, content = "/ca.der", found[0].public_bytes(Encoding.DER)
    else:
        path = "/ca.pem"
        content = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in found)
    if len(content) > _CA_LIMIT:
        raise ValueError(f"{name} is too big: a board reads {_CA_LIMIT} bytes at most")
    return path, content


def _check_root(certificate: x509.Certificate, name: str) -> None:
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        is_ca = basic.ca
    except x509.ExtensionNotFound:
        is_ca = False
    if not is_ca and certificate.issuer != certificate.subject:
        raise ValueError(
            f"{name} is a server's certificate that a CA has signed "
            f"({certificate.issuer.rfc4514_string()}): "
            "mbedTLS takes no such root; give that CA's certificate"
        )


def pair(ssids: Sequence[str], psks: Sequence[str]) -> list[tuple[str, str]]:
    """Joins the --wifi and --psk options by their order. Raises ValueError."""
    if len(ssids) != len(psks):
        raise ValueError(
            f"{len(ssids)} --wifi, but {len(psks)} --psk: give one for each, "
            'in the same order (--psk "" for an open network)'
        )
    return list(zip(ssids, psks, strict=True))
