"""Values that a user gives on the command line: refused by name before any work is done."""

import math
import os
import re
import urllib.parse
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import click

_HOST = re.compile(r"[^\s/:@\[\]?#]+")


def parsed(function: Callable) -> Callable:
    """An option's callback: what the function makes of the value; ValueError is wrong usage."""

    def callback(context, parameter, value):
        try:
            return None if value is None else function(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return callback


def email(text: str) -> str:
    """An e-mail address, as far as GLPI and the agent care. Raises ValueError."""
    if not re.fullmatch(r"[^\s@]+@[^\s@]+", text) or not text.isprintable():
        raise ValueError(f"{text!r} is no e-mail address: write it as ada@example.org")
    return text


def line(text: str) -> str:
    """A text without control characters. Raises ValueError."""
    if not text.isprintable():
        raise ValueError(f"{text!r} has characters in it that cannot be printed")
    return text


def named(text: str) -> str:
    """A text that is not empty, on one line. Raises ValueError."""
    if not text.strip():
        raise ValueError("it is empty")
    return line(text)


def file_name(text: str) -> str:
    """The name of a file, without a folder. Raises ValueError."""
    if "/" in text or text in (".", ".."):
        raise ValueError(f"{text!r} is no name of a file: a folder goes to --destination")
    return named(text)


def host(text: str) -> str:
    """The name or address of a machine. Raises ValueError."""
    if "://" in text:
        raise ValueError(f"{text!r} must be a name or an address, without a scheme")
    if not _HOST.fullmatch(text):
        raise ValueError(f"{text!r} is no name or address of a machine")
    return text


def host_port(text: str) -> str:
    """A machine, and maybe a colon and a port. Raises ValueError."""
    name, colon, number = text.rpartition(":") if "://" not in text else (text, "", "")
    if not colon:
        return host(text)
    if not re.fullmatch("[0-9]{1,5}", number) or not 0 < int(number) < 65536:
        raise ValueError(f"{text!r}: {number!r} is no port, which is a number up to 65535")
    host(name)
    return text


def finite(value: float) -> float:
    """A number that is neither infinite nor none at all. Raises ValueError."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    return value


def duration(text: str) -> timedelta:
    """A time as 90s, 30m, 1h, 2d or 1h30m. Raises ValueError."""
    parts = re.fullmatch(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", text)
    if not text or not parts:
        raise ValueError(f"{text!r} is no time: write it as 90s, 30m, 1h or 2d")
    days, hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def output(path: Path) -> Path:
    """A file that can be written. Raises ValueError."""
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a folder: name a file")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ValueError(f"{path}: there is no folder {folder}")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise ValueError(f"{path} cannot be written")
    return path


def url(text: str) -> str:
    """The url of a REST API. Raises ValueError."""
    try:
        parts = urllib.parse.urlsplit(text)
        port = parts.netloc.rpartition(":")[2]
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        raise ValueError(
            f"{text!r}: {port!r} is no port: take the url as it was printed"
        ) from None
    if not good:
        raise ValueError(f"{text!r} is no url: take the one that `flyve backend` printed")
    return text
