"""The wire form of GLPI's REST interface: calls, answers, errors and their JSON."""

from __future__ import annotations

import json
import math
import re
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from flyve_mdm.text import php

_NUMERIC = re.compile(r"[ \t\n\r\v\f]*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_INT64 = 2**63
JSON_TYPE = "application/json; charset=UTF-8"
DENIED = "You don't have permission to perform this action."
_PREFIXES = ("apirest.php", "api")


def numeric_check(value: Any) -> Any:
    """PHP's JSON_NUMERIC_CHECK: each string that looks like a number becomes one."""
    if isinstance(value, dict):
        return {key: numeric_check(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [numeric_check(item) for item in value]
    if isinstance(value, str) and _NUMERIC.fullmatch(value):
        if re.fullmatch(r"\s*[+-]?\d+", value) and -_INT64 <= int(value) < _INT64:
            return int(value)
        number = float(value)
        if not math.isfinite(number):
            return value
        # PHP prints a float without its ".0".
        return int(number) if number == int(number) and abs(number) < 1e15 else number
    return value


def encode(value: Any) -> bytes:
    """JSON as GLPI writes it: compact, numeric-checked, neither slashes nor letters escaped."""
    return php(numeric_check(value), unescaped=True).encode()


def php_text(value: Any) -> str | None:
    """What GLPI's PUT makes of a value: a text, of false the empty one."""
    if isinstance(value, bool):
        return "1" if value else ""
    return None if value is None else str(value)


@dataclass
class Answer:
    """An HTTP answer; `claimed` is a Content-Length that may differ from what is sent."""

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)
    claimed: int | None = None

    @classmethod
    def of(cls, value: Any, status: int = 200, **headers: str) -> Answer:
        """A JSON answer."""
        return cls(status, encode(value), {"Content-Type": JSON_TYPE, **headers})

    @classmethod
    def html(cls, status: int, text: str) -> Answer:
        """A web page, as a web server or PHP itself would send."""
        head = f"<!DOCTYPE html>\n<html><head><title>{text}</title></head>"
        page = f"{head}<body>{text}</body></html>\n"
        return cls(status, page.encode(), {"Content-Type": "text/html; charset=UTF-8"})


class Refused(Exception):
    """Why an enrollment is refused; the device may never read it."""


class GlpiError(Exception):
    """An error answer: a status and GLPI's pair of code and message."""

    def __init__(
        self, status: int, code: str, message: str | None, documented: bool = False
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.message = status, code, message
        self.documented = documented

    def answer(self, base: str) -> Answer:
        """The pair as JSON; some messages name their documentation."""
        hint = f"; view documentation in your browser at {base}/#{self.code}"
        message = self.message if not self.documented else f"{self.message}{hint}"
        return Answer.of([self.code, message], self.status)


@dataclass
class Call:
    """A request, taken apart."""

    method: str
    segments: list[str]
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    node: int = 0  # behind a balancer

    @classmethod
    def parse(
        cls, method: str, path: str, query: str, headers: dict[str, str], body: bytes
    ) -> Call:
        """Take a request apart; the prefix of the interface is optional."""
        segments = [urllib.parse.unquote(part) for part in path.split("/") if part]
        if segments and segments[0] in _PREFIXES:
            del segments[0]
        pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
        return cls(method, segments, dict(pairs), headers, body)

    @property
    def endpoint(self) -> str:
        """The first segment: initSession, PluginFlyvemdmAgent ..."""
        return self.segments[0] if self.segments else ""

    @property
    def item_id(self) -> int:
        """The id behind the item type; raises GlpiError 404."""
        try:
            return int(self.segments[1])
        except (IndexError, ValueError):
            raise GlpiError(404, "ERROR_ITEM_NOT_FOUND", "Item not found") from None

    def payload(self) -> dict[str, Any]:
        """The JSON body; raises GlpiError when it is forbidden or malformed."""
        if self.method == "GET":
            if self.body:
                raise GlpiError(
                    400,
                    "ERROR_JSON_PAYLOAD_FORBIDDEN",
                    "GET Request should not have json payload (http body)",
                    documented=True,
                )
            return {}
        kind = self.headers.get("content-type", "application/json")
        if not self.body or "application/json" not in kind:
            return {}
        try:
            value = json.loads(self.body, parse_constant=_refuse)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise GlpiError(
                400, "ERROR_JSON_PAYLOAD_INVALID", "JSON payload seems not valid", documented=True
            )
        return value

    def input(self) -> dict[str, Any]:
        """The `input` object of a POST or PUT; raises GlpiError without one."""
        value = self.payload().get("input")
        if not isinstance(value, dict):
            raise GlpiError(
                400, "ERROR_BAD_ARRAY", "input parameter must be an array of objects", True
            )
        return value

    def credential(self, name: str, header_only: bool) -> str | None:
        """A token: the header beats the JSON body, which beats the query."""
        header = self.headers.get(name.replace("_", "-"))
        if name == "user_token":
            scheme, _, header = self.headers.get("authorization", "").partition(" ")
            header = header.strip() if scheme.lower() == "user_token" else None
        if header:
            return header
        value = self.payload().get(name)
        if value is None and not header_only:
            value = self.query.get(name)
        return None if value is None else str(value)


def _refuse(constant: str) -> None:
    raise ValueError(constant)
