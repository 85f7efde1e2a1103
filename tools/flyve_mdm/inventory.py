"""What an agent's inventory says: FusionInventory XML, and the agent's own section about tasks."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

FAILURES = "FAILEDTASKS"  # of docs/operation.md; FusionInventory passes over what it does not know


def rows(xml: str) -> list[tuple[str, str, str]]:
    """Section, name and value of all that an inventory holds; none when it is not well formed."""
    content = _content(xml)
    if content is None:
        return []
    found = []
    for section in content:
        if len(section):
            found += [(section.tag, item.tag, (item.text or "").strip()) for item in section]
        else:
            found.append(("", section.tag, (section.text or "").strip()))
    return found


def failures(xml: str) -> list[dict[str, str]]:
    """The last tasks that failed, oldest first: task, symbol, status and why."""
    content = _content(xml)
    return [
        {
            "task": section.findtext("TASKID", ""),
            "symbol": section.findtext("SYMBOL", ""),
            "status": section.findtext("STATUS", ""),
            "why": section.findtext("REASON", ""),
        }
        for section in ([] if content is None else content.findall(FAILURES))
    ]


def _content(xml: str) -> ElementTree.Element | None:
    try:
        return ElementTree.fromstring(xml).find("CONTENT") if xml else None
    except ElementTree.ParseError:
        return None
