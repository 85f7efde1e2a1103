"""GET search/:itemtype: GLPI's search engine, with the fields that matter here."""

from __future__ import annotations

import re
from typing import Any

from flyve_mdm.backend import lists, rights
from flyve_mdm.backend.glpi import Answer, Call
from flyve_mdm.backend.model import Session
from flyve_mdm.backend.rows import KINDS, Row
from flyve_mdm.backend.site import Site

_CRITERION = re.compile(r"criteria\[(\d+)\]\[(field|searchtype|value)\]")
_FIELDS = {
    "PluginFlyvemdmTaskstatus": {
        "2": "id", "3": "status", "5": "plugin_flyvemdm_agents_id",
        "6": "plugin_flyvemdm_tasks_id",
    },
    "PluginFlyvemdmAgent": {
        "1": "name", "2": "id", "4": "computers_id", "7": "plugin_flyvemdm_fleets_id",
        "8": "last_contact", "10": "version", "11": "is_online", "14": "enroll_status",
        "15": "wipe", "16": "lock",
    },
    "User": {"1": "name", "2": "id", "5": "email"},
}  # fmt: skip
# Column 1 always comes, where the type has one; these come, too.
_SHOWN = {"PluginFlyvemdmTaskstatus": ("2", "3"), "PluginFlyvemdmAgent": ("1", "2"),
          "User": ("1", "2", "5")}  # fmt: skip


def search(site: Site, session: Session, call: Call) -> Answer:
    """Rows that meet all criteria."""
    name = call.segments[1] if len(call.segments) > 1 else ""
    if name not in _FIELDS:
        raise lists.unknown_type()
    rights.need(site, session, KINDS[name].right, rights.READ)
    criteria: dict[str, dict[str, str]] = {}
    for key, value in call.query.items():
        match = _CRITERION.fullmatch(key)
        if match:
            criteria.setdefault(match[1], {})[match[2]] = value
    fields = _FIELDS[name]
    rows = [row for row in _rows(site, name) if _selected(row, fields, list(criteria.values()))]
    begin, end = lists.span(call, len(rows), 14)
    part = rows[begin : end + 1]
    answer: dict[str, Any] = {
        "totalcount": len(rows), "count": len(part), "sort": 1, "order": "ASC",
    }  # fmt: skip
    if part:
        answer["data"] = [{key: row[fields[key]] for key in _SHOWN[name]} for row in part]
    answer["content-range"] = f"{begin}-{max(0, begin + len(part) - 1)}/{len(rows)}"
    return Answer.of(answer, 200 if len(part) >= len(rows) else 206)


def _rows(site: Site, name: str) -> list[Row]:
    if name != "User":
        return KINDS[name].rows(site)
    return [
        {"name": one.login, "id": one.id, "email": email}
        for one in site.state.users.values()
        for email in one.emails or [None]
    ]


def _selected(row: Row, fields: dict[str, str], criteria: list[dict[str, str]]) -> bool:
    for criterion in criteria:
        name = fields.get(criterion.get("field", ""))
        wanted = criterion.get("value", "").casefold()
        if name is None:
            continue
        value = str(row[name]).casefold()
        equals = criterion.get("searchtype") == "equals"
        if (value != wanted) if equals else (wanted not in value):
            return False
    return True
