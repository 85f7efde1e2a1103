"""Who speaks to which GLPI: from the environment, or from a file that only its owner reads."""

from __future__ import annotations

import configparser
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from flyve_mdm import options

FILE = "FLYVE_CREDENTIALS"


class AccountError(ValueError):
    """The settings cannot be used; one line that says why."""


@dataclass(frozen=True)
class Account:
    """A GLPI and how to log in there; each field has its variable in the environment."""

    url: str
    user_token: str = field(default="", repr=False)
    login: str = ""
    password: str = field(default="", repr=False)
    app_token: str = field(default="", repr=False)
    ca: str = ""
    profile: str = ""
    entity: str = ""


NAMES = tuple(one.name for one in fields(Account))


def variable(name: str) -> str:
    """The environment's name of a field."""
    return f"FLYVE_{name.upper()}"


def load(url: str | None, environment: Mapping[str, str] = os.environ) -> Account:
    """The account that the environment tells, else the file that FLYVE_CREDENTIALS names; `url`
    beats both. Raises AccountError."""
    path = environment.get(FILE)
    found = _read(Path(path)) if path else {}
    told = {name: environment.get(variable(name)) for name in NAMES}
    found |= {name: value for name, value in told.items() if value}
    if url:
        found["url"] = url
    if not found.get("url"):
        raise AccountError(
            "which GLPI? set FLYVE_URL to the url of its REST API (https://.../apirest.php), or "
            "to the one that `flyve backend` printed"
        )
    try:
        options.url(found["url"])
    except ValueError as error:
        raise AccountError(str(error)) from None
    if not found.get("user_token") and not (found.get("login") and found.get("password")):
        raise AccountError(
            "no credentials: set FLYVE_USER_TOKEN to the API token of your preferences in GLPI "
            "(of `flyve backend`: its admin_token), or FLYVE_LOGIN and FLYVE_PASSWORD"
        )
    if not found.get("entity", "0").isdecimal():
        raise AccountError(f"FLYVE_ENTITY: {found['entity']} must be an entity's id")
    for name, value in found.items():
        if not value.isprintable():
            raise AccountError(f"{variable(name)} has characters in it that cannot be printed")
    if found.get("ca") and not os.access(found["ca"], os.R_OK):
        raise AccountError(f"FLYVE_CA: {found['ca']} cannot be read")
    return Account(**found)


def _read(path: Path) -> dict[str, str]:
    """A file of lines as `user_token = ...`."""
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            command = f"chmod 600 {shlex.quote(str(path))}"
            raise AccountError(f"{path} is for others to read, too: {command}")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise AccountError(f"{FILE}: {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise AccountError(f"{FILE}: {path} is no text in UTF-8") from None
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    try:
        parser.read_string(f"[glpi]\n{text}")
    except configparser.Error:
        raise AccountError(f"{FILE}: {path}: each line must be a name, = and a value") from None
    found = dict(parser["glpi"])
    unknown = sorted(found.keys() - set(NAMES))
    if unknown or len(parser.sections()) > 1:
        wrong = ", ".join(unknown) or "[...]"
        raise AccountError(f"{FILE}: {path}: it may hold {', '.join(NAMES)}, not {wrong}")
    return found
