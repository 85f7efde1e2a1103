"""POST, PUT and DELETE of PluginFlyvemdmFile and PluginFlyvemdmPackage."""

from __future__ import annotations

import email.policy
import json
import re
from email.parser import BytesParser
from typing import Any, NamedTuple

from flyve_mdm.backend.glpi import Call, GlpiError
from flyve_mdm.backend.model import File, Session
from flyve_mdm.backend.site import Site

_ESCAPE = re.compile(rb"\\([0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)", re.DOTALL)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r"}


class Upload(NamedTuple):
    """A file that came with a POST: the name of its part's file, its bytes, and the fields."""

    name: str
    data: bytes
    fields: dict[str, Any]


def upload(site: Site, call: Call, package: bool) -> Upload:
    """Take a multipart POST apart, as GLPI and the plugin do; raises GlpiError."""
    kind = call.headers.get("content-type", "")
    # PHP reads a form with files of a POST only, and none that is too long.
    if call.method != "POST" or len(call.body) > site.options.post_max_size:
        raise GlpiError(
            400, "ERROR_UPLOAD_FILE_TOO_BIG_POST_MAX_SIZE", "The file seems too big",
            documented=True,
        )  # fmt: skip
    parts = _parts(kind, call.body)
    manifest = parts.get("uploadManifest", (None, b""))[1]
    fields = _manifest(manifest)
    name, data = parts.get("file", (None, b""))
    stored = name is not None and _extension(name) in {
        one.ext for one in site.state.document_types.values() if one.is_uploadable
    }
    if not stored:
        message = "Unable to save the file" if package else "Failed to store the uploaded file"
        raise GlpiError(400, "ERROR_GLPI_ADD", message)
    if package and name.rpartition(".")[2] not in ("apk", "upk"):
        raise GlpiError(400, "ERROR_GLPI_ADD", "Only APK and UPK files are allowed")
    return Upload(name, data, fields)


def _extension(name: str) -> str:
    return name.rpartition(".")[2].lower()


def _parts(kind: str, body: bytes) -> dict[str, tuple[str | None, bytes]]:
    head = f"Content-Type: {kind}\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    found = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        found[str(name)] = (part.get_filename(), part.get_payload(decode=True) or b"")
    return found


def _manifest(text: bytes) -> dict[str, Any]:
    """The JSON part, whose escapes PHP's stripcslashes() destroys first."""
    try:
        value = json.loads(_ESCAPE.sub(_unescaped, text).decode())
    except ValueError:
        value = None
    if not isinstance(value, dict) or not isinstance(value.get("input"), dict):
        raise GlpiError(
            400, "ERROR_JSON_PAYLOAD_INVALID", "JSON payload seems not valid", documented=True
        )
    return value["input"]


def _unescaped(match: re.Match) -> bytes:
    code = match[1]
    if code[:1] in b"01234567":
        return bytes([int(code, 8) & 255])
    if len(code) > 1:
        return bytes([int(code[1:], 16)])
    return _LETTERS.get(code, code)


def add(site: Site, session: Session, sent: Upload, package: bool) -> File:
    """Store a file or an application in the active entity, whatever entity was sent."""
    if package:
        return site.state.add(
            "packages", File, name=sent.name, data=sent.data, entity=session.entity,
            alias=str(sent.fields.get("alias") or ""), parse_status="pending", version_code="",
        )  # fmt: skip
    return site.state.add(
        "files", File, name=str(sent.fields.get("name") or sent.name), data=sent.data,
        entity=session.entity, comment=str(sent.fields.get("comment") or ""),
    )  # fmt: skip


_COLUMNS = {"name": "name", "comment": "comment"}
_PACKAGE_COLUMNS = {
    "package_name": "package_name", "alias": "alias", "version": "shown_version",
    "version_code": "version_code", "dl_filename": "name", "parse_status": "parse_status",
}  # fmt: skip


def change(site: Site, file: File, fields: dict[str, Any], package: bool) -> bool:
    """Change columns, never the bytes; returns whether an application's version is another."""
    before = file.version_code
    for key, name in (_PACKAGE_COLUMNS if package else _COLUMNS).items():
        # The first generation takes the package's name from an Android package only.
        refused = key == "package_name" and site.options.rules == "A"
        if fields.get(key) is not None and not refused:
            setattr(file, name, str(fields[key]))
    return package and file.version_code != before
