"""Values of HTTP headers as they are meant: codings, file names, and instants in any form."""

from micropython import const

from flyve import log

_MONTHS = const("janfebmaraprmayjunjulaugsepoctnovdec")
_DAYS = const(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
_ZONES = const(("est", "edt", "cst", "cdt", "mst", "mdt", "pst", "pdt"))


def bare(text):
    """The value in lower case, without its parameters."""
    return text.split(";")[0].strip().lower()


def coding(headers):
    """How the body is coded, "" when it comes as it is."""
    for name in ("content-encoding", "transfer-encoding"):
        for one in headers.get(name, "").split(","):
            if bare(one) not in ("", "identity"):
                return bare(one)
    return ""


def file_name(text):
    """The file's name in the value of a Content-Disposition; None when it has none."""
    plain = extended = None
    while True:
        key, equals, rest = text.partition("=")
        if not equals:
            return plain if extended is None else extended
        key = key.split(";")[-1].strip().lower()
        rest = rest.lstrip()
        if rest[:1] == '"':
            value = ""
            i = 1
            while i < len(rest) and rest[i] != '"':
                if rest[i] == "\\":
                    i += 1
                value += rest[i : i + 1]
                i += 1
            text = rest[i + 1 :]
        else:
            value, semicolon, text = rest.partition(";")
            value = value.strip()
        if key == "filename" and plain is None:
            plain = value
        elif key == "filename*" and extended is None:
            extended = _extended(value)


def _extended(value):
    """The text of a value in the form charset'language'text with %XX; None for another."""
    parts = value.split("'")
    charset = parts[0].lower()
    if len(parts) != 3 or charset not in ("utf-8", "us-ascii", "iso-8859-1"):
        return None
    parts = parts[2].split("%")
    data = parts[0].encode()
    try:
        for part in parts[1:]:
            data += bytes((int(part[:2], 16),)) + part[2:].encode()
        if charset[0] == "i":
            return log.plain("".join([chr(c) for c in data]))
        return log.plain(data.decode())
    except ValueError:  # UnicodeError, too
        return None


def same_time(one, other):
    """True when both dates are of one instant, or the same text."""
    if one == other:
        return True
    moment = instant(one)
    return moment is not None and moment == instant(other)


def instant(text):
    """The seconds that a date of RFC 2822, RFC 850 or asctime() stands for; None for another."""
    day = month = year = clock = None
    zone = 0
    try:
        for word in text.split("(")[0].replace(",", " ").lower().split():
            if word[:3] in ("gmt", "utc") and len(word) > 3:
                word = word[3:]  # GMT+1
            if word[0] in "+-":
                hour, colon, minute = word[1:].partition(":")
                if not colon:
                    hour, minute = word[1:3], word[3:]
                zone = int(hour) * 3600 + int(minute or 0) * 60
                zone = -zone if word[0] == "-" else zone
            elif ":" in word:
                hour, minute, second = (int(n) for n in (word + ":0:0").split(":")[:3])
                if hour > 23 or minute > 59 or second > 60:
                    return None
                clock = hour * 3600 + minute * 60 + second
            elif word in _ZONES:
                at = _ZONES.index(word)
                zone = ((at & 1) - 5 - at // 2) * 3600
            elif word not in ("gmt", "utc", "ut", "z") and word[:3] not in _DAYS:
                for part in word.split("-"):
                    at = _MONTHS.find(part[:3])
                    if at >= 0 and at % 3 == 0 and len(part) > 2:
                        month = at // 3
                    elif day is None:
                        day = int(part)
                    else:
                        year = int(part)
        if clock is None or not 0 < day < 32:
            return None
        if year < 100:
            year += 2000 if year < 70 else 1900
        # A year begins in March here: a leap day is then its last.
        month = (month + 10) % 12
        year -= month > 9
        days = year * 365 + year // 4 - year // 100 + year // 400 + (month * 153 + 2) // 5 + day
        return days * 86400 + clock - zone
    except (ValueError, TypeError, IndexError):
        return None
