"""An inventory as an agent sends it when it enrolls: which device it is."""

from __future__ import annotations

import binascii
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from typing import Any

from flyve_mdm.backend.glpi import Refused

_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "#38": "&", "#60": "<"}


@dataclass
class Inventory:
    """Which device it is, and the whole text."""

    device_id: str
    serial: str
    uuid: str
    tag: str
    xml: str


def parse(encoded: Any) -> Inventory:
    """Read an inventory in base64, as the enrollment does; raises Refused."""
    try:
        text = binascii.a2b_base64(str(encoded)).decode("utf-8")
        # The real code decodes entities before it parses: escaped specials break the XML.
        text = re.sub(r"&(amp|lt|gt|quot|#38|#60);", lambda m: _ENTITIES[m[1]], text)
        return _parsed(text)
    except (ValueError, ElementTree.ParseError):
        raise Refused("Inventory XML is not well formed") from None


def _parsed(text: str) -> Inventory:
    root = ElementTree.fromstring(text)
    if root.tag != "REQUEST":
        raise ElementTree.ParseError("the root is not REQUEST")
    tag = ""
    for account in root.iterfind("CONTENT/ACCOUNTINFO"):
        if account.findtext("KEYNAME") == "TAG":
            tag = account.findtext("KEYVALUE") or ""
    return Inventory(
        device_id=(root.findtext("DEVICEID") or "").strip(),
        serial=(root.findtext("CONTENT/BIOS/SSN") or "").strip(),
        uuid=(root.findtext("CONTENT/HARDWARE/UUID") or "").strip(),
        tag=tag,
        xml=text,
    )
