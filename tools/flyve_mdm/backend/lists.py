"""Lists and single items, as GLPI's API shows them: ranges, sorting, searchText."""

from __future__ import annotations

import re
from typing import Any

from flyve_mdm.backend import rights
from flyve_mdm.backend.glpi import Answer, Call, GlpiError
from flyve_mdm.backend.model import Session
from flyve_mdm.backend.rows import KINDS, Kind, Row
from flyve_mdm.backend.site import Site

_RANGE = re.compile(r"(\d+)-(\d+)")
_SEARCH = re.compile(r"searchText\[(\w+)\]")
_LIST_LIMIT = 15  # a user's preference; a list without a range has one more


def read(site: Site, session: Session, call: Call) -> Answer:
    """GET of a list, an item, or a list of what belongs to an item."""
    kind = KINDS[call.endpoint]
    rights.need(site, session, kind.right, rights.READ)
    if len(call.segments) == 1:
        return _list(site, session, call, kind.rows(site), call.endpoint)
    row = _find(site, session, kind, call.item_id)
    if len(call.segments) == 2:
        return Answer.of(_linked(site, call, row))
    child = call.segments[2]
    if child not in KINDS:
        raise unknown_type()
    rights.need(site, session, KINDS[child].right, rights.READ)
    mine = [one for one in KINDS[child].rows(site) if _belongs(one, call, kind)]
    return _list(site, session, call, mine, child)


def unknown_type() -> GlpiError:
    """What GLPI answers about a type that it has not, as all of a plugin that is not active."""
    return GlpiError(
        400, "ERROR_RESOURCE_NOT_FOUND_NOR_COMMONDBTM",
        "resource not found or not an instance of CommonDBTM", documented=True,
    )  # fmt: skip


def _find(site: Site, session: Session, kind: Kind, number: int) -> Row:
    for row in kind.rows(site):
        if row["id"] == number:
            if not _seen(session, row):
                raise GlpiError(401, "ERROR_RIGHT_MISSING", "Item is in another entity")
            return row
    raise GlpiError(404, "ERROR_ITEM_NOT_FOUND", "Item not found")


def _seen(session: Session, row: Row) -> bool:
    """Lists show what is in the active entities only."""
    return row.get("entities_id") in (None, *session.entities)


def _belongs(row: Row, call: Call, parent: Kind) -> bool:
    if parent.key in row:
        return row[parent.key] == call.item_id
    return row.get("itemtype") == call.endpoint and row.get("items_id") == call.item_id


def _list(site: Site, session: Session, call: Call, rows: list[Row], name: str) -> Answer:
    rows = [row for row in rows if _seen(session, row)]
    for key, wanted in call.query.items():
        match = _SEARCH.fullmatch(key)
        if match and wanted:
            if rows and match[1] not in rows[0]:
                return Answer.html(500, "SQL Error")
            rows = [row for row in rows if _like(row.get(match[1]), wanted)]
    sort, order = call.query.get("sort", "id"), call.query.get("order", "ASC")
    if order.upper() not in ("ASC", "DESC"):
        raise GlpiError(400, "ERROR", "order must be DESC or ASC")
    if rows and sort not in rows[0]:
        raise GlpiError(400, "ERROR", "sort param is not a field of the table")
    rows.sort(key=lambda row: _rank(row[sort]), reverse=order.upper() == "DESC")
    begin, end = span(call, len(rows), _LIST_LIMIT)
    part = rows[begin : end + 1]
    if call.query.get("only_id") == "true":
        part = [{"id": row["id"]} for row in part]
    answer = Answer.of([_linked(site, call, row) for row in part])
    if rows:
        ranged = "range" in call.query
        last = min(end, len(rows) - 1) if ranged else end
        answer.headers["Content-Range"] = f"{begin}-{last}/{len(rows)}"
        answer.headers["Accept-Range"] = f"{name} 990"
        answer.status = 206 if ranged and len(part) < len(rows) else 200
    return answer


def span(call: Call, total: int, limit: int) -> tuple[int, int]:
    """First and last row that a call asks for; raises GlpiError."""
    text = call.query.get("range")
    if text is None:
        return 0, limit
    match = _RANGE.fullmatch(text)
    if not match:
        raise GlpiError(400, "ERROR", "range must be in format : [start-end] with integers")
    begin, end = int(match[1]), int(match[2])
    if begin > total:
        raise GlpiError(
            400, "ERROR_RANGE_EXCEED_TOTAL", f"Provided range exceed total count of data: {total}",
            documented=True,
        )  # fmt: skip
    return begin, end


def _like(value: Any, wanted: str) -> bool:
    """SQL's LIKE %wanted%; a ^ or a $ takes the place of a %."""
    if value is None:
        return False
    text, wanted = str(value).casefold(), wanted.casefold()
    inner = wanted.removeprefix("^").removesuffix("$")
    pattern = "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in inner)
    head = "" if wanted.startswith("^") else ".*"
    tail = "" if wanted.endswith("$") else ".*"
    return re.fullmatch(head + pattern + tail, text, re.DOTALL) is not None


def _rank(value: Any) -> tuple:
    return (value is not None, isinstance(value, str), 0 if value is None else value)


def _linked(site: Site, call: Call, row: Row) -> Row:
    if call.query.get("get_hateoas", "true") in ("false", "0"):
        return row
    href = f"{site.url.rstrip('/')}/Entity/{row.get('entities_id')}"
    return {**row, "links": [{"rel": "Entity", "href": href}] if "entities_id" in row else []}
