"""Why a serial port cannot be opened."""

import errno
import fcntl
import os
import urllib.parse
from pathlib import Path

from flyve_mdm.board.folder import BoardError

URLS = ("socket://", "rfc2217://")


def check_url(url: str) -> None:
    """Raises BoardError when a port's URL does not name a host and a port."""
    try:
        parts = urllib.parse.urlsplit(url)
        whole = parts.hostname and parts.port
    except ValueError:
        whole = False
    if not whole:
        scheme = url.partition(":")[0]
        raise BoardError(f"{url}: write it as {scheme}://HOST:PORT")


def why_silent(port: str) -> str:
    """One line about a port that cannot be opened, for no reason that check_free() knows."""
    asked = "does a server listen there?" if port.startswith(URLS) else "is it plugged in?"
    return f"{port} cannot be opened: {asked}"


def check_free(port: str) -> None:
    """Raises BoardError when a port cannot be opened now: it says why."""
    if port.startswith(URLS) or not Path(port).exists():
        return
    try:
        descriptor = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        raise BoardError(why_closed(port, error)) from None
    try:
        # What mpremote, esptool and we hold while we use a port.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise BoardError(why_closed(port, error)) from None
    finally:
        os.close(descriptor)


def why_closed(port: str, error: OSError) -> str:
    """One line about a port that could not be opened."""
    if error.errno in (errno.EAGAIN, errno.EBUSY):
        return f"{port} is in use by another program: end that first"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{port} cannot be opened: you may not (on Linux: become a member of group dialout)"
    return f"{port} cannot be opened: {os.strerror(error.errno) if error.errno else error}"
