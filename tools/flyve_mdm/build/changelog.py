"""CHANGELOG.md, in the manner of Keep a Changelog: a section for each version."""

import re

_HEADING = re.compile(r"^## \[(.+?)\](.*)\n", re.M)
_DATED = re.compile(r" - \d{4}-\d\d-\d\d")


class ChangelogError(Exception):
    """It does not tell of a version; the text says what to do."""


def section(text: str, version: str) -> str:
    """What it tells of a version, with its heading. Raises ChangelogError."""
    _, *parts = _HEADING.split(text)
    found = zip(*[iter(parts)] * 3, strict=True)
    told = {name: (rest, body.strip()) for name, rest, body in found}
    rest, body = told.get(version, ("", ""))
    heading = f"## [{version}]{rest}"
    if not body or not _DATED.fullmatch(rest):
        raise ChangelogError(
            f"it has no section `## [{version}] - YYYY-MM-DD` that tells something: write it"
        )
    if told.get("Unreleased", ("", ""))[1]:
        raise ChangelogError(f"something is still under Unreleased: move it to {version}")
    return f"{heading}\n\n{body}\n"
