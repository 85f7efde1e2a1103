"""GET PluginFlyvemdmFile and PluginFlyvemdmPackage: the record, the bytes and ranges."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Iterator
from typing import Any

from flyve_mdm.backend.glpi import DENIED, Answer, Call, GlpiError
from flyve_mdm.backend.model import DEVICE, File, Session
from flyve_mdm.backend.site import Site
from flyve_mdm.text import printable

_PIECE = 16384
_RANGE = re.compile(r"bytes=[ \t]*(\d*)-(\d*)", re.IGNORECASE)
_STRICT = re.compile(r"bytes=(?:(\d+)-(\d*)|-(\d+))", re.IGNORECASE)
BYTES_TYPE = "application/octet-stream"


def read(site: Site, session: Session, call: Call) -> Answer:
    """The record as JSON, or the bytes when asked for exactly application/octet-stream."""
    package = call.endpoint == "PluginFlyvemdmPackage"
    table = site.state.packages if package else site.state.files
    with site.state.changed:
        file = table.get(call.item_id)
        if file is None:
            raise GlpiError(404, "ERROR_ITEM_NOT_FOUND", "Item not found")
        if not _may_have(site, session, file):
            raise GlpiError(401, "ERROR_RIGHT_MISSING", DENIED)
        wanted = call.headers.get("accept") == BYTES_TYPE or call.query.get("alt") == "media"
        if not wanted:
            return Answer.of(_record(site, file, package))
        data, name, modified = file.data, file.name, file.modified
    if data is None:
        return Answer(404)
    strict = site.options.range == "strict"
    span = (_strict if strict else _quirky)(call.headers.get("range", ""), len(data))
    if span is None:
        return Answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
    status, begin, end = span
    length = end - begin + 1
    headers = {
        "Expires": "Mon, 26 Nov 1962 00:00:00 GMT",
        "Pragma": "private",
        "Cache-Control": "private, must-revalidate",
        "Content-Disposition": f'attachment; filename="{_header(name)}"',
        "Content-Type": BYTES_TYPE,
        "Last-Modified": email.utils.formatdate(modified, localtime=True),
        "Accept-Ranges": "bytes",
        "Content-Transfer-Encoding": "binary",
        "Connection": "close",
        "Access-Control-Expose-Headers": "content-type, content-range, accept-range",
    }
    if not strict or status == 206:
        headers["Content-Range"] = f"bytes {begin}-{end}/{len(data)}"
    # The real loop reads while begin < end: a last piece of one byte never leaves.
    lost = 1 if not strict and length % _PIECE == 1 and length > 0 else 0
    sent = max(0, length - lost)
    site.events.add(
        "file read", login=session.user.login, id=file.id, package=package,
        begin=begin, length=length, size=len(data),
    )  # fmt: skip
    return Answer(status, _pieces(data, begin, sent), headers, claimed=length)


def _header(name: str) -> str:
    # As UTF-8, which a web server sends on as it is, but for what no header can hold.
    return printable(name).encode().decode("latin-1")


def _pieces(data: bytes, begin: int, length: int) -> Iterator[bytes]:
    view = memoryview(data)[begin : begin + length]
    for offset in range(0, length, _PIECE):
        yield bytes(view[offset : offset + _PIECE])


def _quirky(header: str, size: int) -> tuple[int, int, int]:
    """The real backend's reading of a range: status, first and last byte."""
    begin, end = 0, size - 1
    match = _RANGE.match(header)
    if match and (match[1] or match[2]):
        begin = int(match[1] or 0)
        # PHP's empty() also holds for the text "0".
        if match[2] not in ("", "0"):
            end = min(int(match[2]), size - 1)
    return (206 if begin > 0 or end < size - 1 else 200), begin, end


def _strict(header: str, size: int) -> tuple[int, int, int] | None:
    """RFC 9110, section 14; several ranges at once are answered with the whole file."""
    match = _STRICT.fullmatch(header.strip())
    if not match:
        return 200, 0, size - 1
    if match[3] is not None:
        length = min(int(match[3]), size)
        return (206, size - length, size - 1) if length else None
    begin = int(match[1])
    end = min(int(match[2]), size - 1) if match[2] else size - 1
    if match[2] and int(match[2]) < begin:
        return 200, 0, size - 1
    return (206, begin, end) if begin < size else None


def _may_have(site: Site, session: Session, file: File) -> bool:
    """A device may have what lies in its own entity."""
    agent = site.state.agents.get(session.user.agent_id)
    if session.profile != DEVICE or agent is None or file.entity is None:
        return True
    return file.entity == agent.entity


def _record(site: Site, file: File, package: bool) -> dict[str, Any]:
    size = len(file.data) if file.data is not None else 0
    links = [{"rel": "Entity", "href": f"{site.url.rstrip('/')}/Entity/{file.entity or 0}"}]
    tail = {"filesize": size, "mime_type": BYTES_TYPE, "links": links}
    if not site.options.tells_size:
        del tail["filesize"], tail["mime_type"]
    return {**columns(file, package), **tail}


def columns(file: File, package: bool) -> dict[str, Any]:
    """A file's or an application's row in the database."""
    entity = file.entity or 0
    stored = f"{entity}/{file.id}_{file.version}_{file.name}"
    if package:
        return {
            "id": file.id,
            "name": file.package_name,
            "package_name": file.package_name,
            "alias": file.alias or file.package_name,
            "version": file.shown_version or str(file.version),
            "version_code": file.version_code,
            "icon": "",
            "filename": stored,
            "entities_id": entity,
            "dl_filename": file.name,
            "parse_status": file.parse_status,
        }
    return {
        "id": file.id,
        "name": file.name,
        "source": stored,
        "comment": file.comment,
        "entities_id": entity,
        "version": file.version,
    }
