"""A session of GLPI's REST API: calls, errors, lists page by page; ended on every way out."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from flyve_mdm.glpi.account import Account
from flyve_mdm.glpi.errors import GlpiError, Refused
from flyve_mdm.glpi.transport import READ, Transport

Row = dict[str, Any]
_BYE = 5  # seconds
_PAGE = 500  # rows
_DATE = "%Y-%m-%d %H:%M:%S"


class Session:
    """GLPI as one administrator sees it; use it as a context manager."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._http = Transport(account)
        self._ahead: timedelta | None = None
        self._entity: dict[str, Any] = {}
        if account.entity:
            self._entity = {"entities_id": int(account.entity), "is_recursive": True}

    def __enter__(self) -> Session:
        try:
            self._log_in()
            self._choose()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(GlpiError), self._http:
            if "Session-Token" in self._http.tokens:
                self._http.send("GET", "killSession", "to end the session", timeout=_BYE)

    def _log_in(self) -> None:
        account = self._account
        headers: dict[str, str] = {}
        if account.app_token:
            headers["App-Token"] = account.app_token
        login = dict(headers)
        if account.user_token:
            login["Authorization"] = f"user_token {account.user_token}"
        else:
            pair = f"{account.login}:{account.password}".encode()
            login["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        self._http.tokens = login
        try:
            answer, _ = self._http.send("GET", "initSession", "the login")
            headers["Session-Token"] = answer["session_token"]
        except (KeyError, TypeError):
            raise self._http.stranger() from None
        finally:
            self._http.tokens = headers

    def _choose(self) -> None:
        """Take the profile that the account names, and the active entity."""
        account, send = self._account, self._http.send
        if account.profile:
            mine = send("GET", "getMyProfiles", "a list of your profiles")[0]["myprofiles"]
            wanted = [one for one in mine if account.profile in (str(one["id"]), str(one["name"]))]
            if not wanted:
                names = ", ".join(f"{one['id']} ({one['name']})" for one in mine)
                raise GlpiError(f"FLYVE_PROFILE: {account.profile} is none of yours: {names}")
            profile = {"profiles_id": wanted[0]["id"]}
            send("POST", "changeActiveProfile", f"profile {account.profile}", json=profile)
        if self._entity:
            doing = f"entity {self._entity['entities_id']}"
            try:
                send("POST", "changeActiveEntities", doing, json=self._entity)
            except Refused as refused:
                raise GlpiError(f"{refused}: FLYVE_ENTITY must be one that you may see") from None

    def enter(self, entity: int) -> None:
        """Make an entity the active one: new items get it, and files always."""
        self._entity = {"entities_id": entity, "is_recursive": True}
        self.call("POST", "changeActiveEntities", f"entity {entity}", json=self._entity)

    def call(
        self, method: str, path: str, doing: str = "", timeout: float = READ, **body: Any
    ) -> Any:
        """The JSON of an answer; raises GlpiError."""
        return self._call(method, path, doing or f"{method} {path}", timeout, **body)[0]

    def _call(self, method: str, path: str, doing: str, timeout: float, **body: Any) -> Any:
        try:
            return self._http.send(method, path, doing, timeout, **body)
        except Refused as refused:
            if refused.code != "ERROR_SESSION_TOKEN_INVALID":
                raise
        # It was idle for too long, as in a long --watch: nothing was done yet.
        self._log_in()
        self._choose()
        return self._http.send(method, path, doing, timeout, **body)

    def get(self, path: str, doing: str = "", **params: Any) -> Any:
        """GET an item or a list."""
        return self.call("GET", path, doing, params=params)

    def item(self, itemtype: str, number: int) -> Row | None:
        """An item; None: there is none."""
        try:
            row = self.get(f"{itemtype}/{number}")
        except Refused as refused:
            if refused.code == "ERROR_ITEM_NOT_FOUND":
                return None
            raise
        self._check(row)
        return row

    def _check(self, *rows: Any) -> None:
        """Raises GlpiError unless these are rows."""
        if not all(isinstance(row, dict) and "id" in row for row in rows):
            raise self._http.stranger()

    def pages(
        self, path: str, progress: Callable[[int, int], None] | None = None, **params: Any
    ) -> Iterator[Row]:
        """All rows of a list; `progress(rows so far, rows in all)` is told after each page."""
        begin, total = 0, 1
        while begin < total:
            asked = {"sort": "id", "get_hateoas": "false", **params}
            asked["range"] = f"{begin}-{begin + _PAGE - 1}"
            try:
                rows, headers = self._call("GET", path, f"GET {path}", READ, params=asked)
            except Refused as refused:
                if refused.code == "ERROR_RANGE_EXCEED_TOTAL":
                    return  # rows were deleted meanwhile
                raise
            self._check(*(rows if isinstance(rows, list) else (rows,)))
            yield from rows
            begin += _PAGE
            total = _total(headers.get("Content-Range", ""), begin if len(rows) == _PAGE else 0)
            if progress:
                progress(min(begin, total), total)

    def count(self, path: str) -> int:
        """How many rows a list has."""
        asked = {"range": "0-0", "only_id": "true"}
        rows, headers = self._call("GET", path, f"GET {path}", READ, params=asked)
        return _total(headers.get("Content-Range", ""), len(rows))

    def search(self, path: str, **columns: Any) -> list[Row]:
        """The rows of a list whose columns are exactly these."""
        wanted = {f"searchText[{name}]": f"^{value}$" for name, value in columns.items()}
        return [row for row in self.pages(path, **wanted) if _exact(row, columns)]

    def some(self, itemtype: str, ids: set[int]) -> dict[int, Row]:
        """The items with these ids, as far as they are there: one by one, or out of a list of all,
        whichever takes fewer requests."""
        if len(ids) <= self.count(itemtype) // _PAGE:
            found = {number: self.item(itemtype, number) for number in ids}
            return {number: row for number, row in found.items() if row}
        return {row["id"]: row for row in self.pages(itemtype) if row["id"] in ids}

    def newest(self, path: str, count: int = 1, **params: Any) -> list[Row]:
        """The last rows of a list, the newest first."""
        asked = {"sort": "id", "order": "DESC", "range": f"0-{count - 1}", "get_hateoas": "false"}
        return self.get(path, **asked, **params)

    def create(self, itemtype: str, doing: str = "", /, **fields: Any) -> int:
        """Make an item; returns its id."""
        made = self.call("POST", itemtype, doing, json={"input": fields})
        self._check(made)
        return made["id"]

    def upload(self, itemtype: str, fields: Row, name: str, data: bytes, doing: str) -> int:
        """Make an item that is a file; returns its id."""
        # GLPI destroys what JSON escapes here, so nothing may be: see tasks.py.
        manifest = json.dumps({"input": fields}, ensure_ascii=False).encode()
        parts = {
            "uploadManifest": (None, manifest, "application/json"),
            "file": (name, data, "application/octet-stream"),
        }
        made = self.call("POST", itemtype, doing, timeout=300, files=parts)
        self._check(made)
        return made["id"]

    def update(
        self, itemtype: str, number: int, doing: str = "", /, timeout: float = READ, **fields: Any
    ) -> None:
        """Change an item. Of yes and no GLPI understands 1 and 0 only."""
        body = {"input": fields}
        self.call("PUT", f"{itemtype}/{number}", doing, timeout=timeout, json=body)

    def delete(self, itemtype: str, number: int, doing: str = "") -> None:
        """Delete an item for good."""
        self.call("DELETE", f"{itemtype}/{number}", doing, params={"force_purge": "true"})

    def full(self) -> Row:
        """The session as GLPI keeps it."""
        answer = self.get("getFullSession")
        if not isinstance(answer, dict):
            raise self._http.stranger()
        return answer.get("session", answer)

    def now(self) -> datetime:
        """The time on GLPI's clock, in its zone, to which the dates of all items belong."""
        if self._ahead is None:
            try:
                there = datetime.strptime(str(self.full()["glpi_currenttime"]), _DATE)
            except (KeyError, ValueError):
                raise GlpiError("GLPI does not tell its time") from None
            self._ahead = there - _utc()
        return _utc() + self._ahead

    def since(self, date: Any) -> timedelta | None:
        """How long ago one of GLPI's dates was; None: never."""
        try:
            return self.now() - datetime.strptime(str(date), _DATE)
        except ValueError:
            return None

    def unix(self, date: Any) -> int | None:
        """The Unix time of a date that a device told; None: there is none."""
        self.now()
        # A zone is some quarters of an hour away; the rest is the way between here and there.
        zone = timedelta(minutes=15 * round(self._ahead / timedelta(minutes=15)))
        try:
            there = datetime.strptime(str(date), _DATE) - zone
        except ValueError:
            return None
        return int(there.replace(tzinfo=timezone.utc).timestamp())


def _utc() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None)


def _total(content_range: str, otherwise: int) -> int:
    number = content_range.rpartition("/")[2]
    return int(number) if number.isdecimal() else otherwise


def _exact(row: Row, columns: Row) -> bool:
    """SQL's LIKE has wildcards of its own; what looks like a number comes as one."""
    return all(
        not isinstance(row.get(name), str) or row[name].casefold() == str(value).casefold()
        for name, value in columns.items()
    )
