"""Log lines on the console, with levels and the one place where secrets are taken out."""

import time

from flyve import memory

LEVELS = ("DEBUG", "INFO", "WARN", "ERROR")
_LIMIT = 400  # characters of one line: an error text may quote what a server sent

level = 1
last_error = ""  # the newest ERROR or WARN line's text, for the inventory and `flyve monitor`
sink = print
_secrets = {}
_ticks = time.ticks_ms()
_uptime = 0


def uptime():
    """Milliseconds since boot; call at least once in six days, for ticks wrap."""
    global _ticks, _uptime
    now = time.ticks_ms()
    _uptime += time.ticks_diff(now, _ticks)
    _ticks = now
    return _uptime


def set_level(name):
    """Lines below that level, in lower case, are not written from now on."""
    global level
    level = LEVELS.index(name.upper())


def secret(name, value):
    """Keeps the secret called name out of every line from now on; None forgets it."""
    if value and len(value) > 3:
        _secrets[name] = value
    else:
        _secrets.pop(name, None)


def redact(text):
    """The text without any secret: the known ones, and the value of any `..._token=`."""
    for value in _secrets.values():
        if value in text:
            text = text.replace(value, "***")
    at = text.find("_token=")
    while at >= 0:
        start = end = at + 7
        while end < len(text) and text[end] not in "& \"'\n\\":
            end += 1
        text = text[:start] + "***" + text[end:]
        at = text.find("_token=", start)
    return text


def plain(text):
    """The text without what texts.plain() takes out."""
    data = text.encode()
    if data and (min(data) < 0x20 or max(data) > 0x7E):
        try:
            from flyve.jobs import texts

            text = texts.plain(text)
        finally:
            texts = None
            memory.drop("texts")
    return text


def reason(e):
    """What an exception says; a number of the operating system has its name."""
    if isinstance(e, OSError) and not hasattr(e, "kind"):
        try:
            from flyve.jobs import oserror

            e = oserror.text(e)
            oserror = None
            memory.drop("oserror")
        except MemoryError:
            pass
    return str(e)


def _write(number, area, text, args):
    global last_error
    if number < level:
        return
    if args:
        said = []
        for a in args:
            said.append(reason(a) if isinstance(a, OSError) else a)
        text = text % tuple(said)
    text = redact(text)
    if len(text) > _LIMIT:
        text = text[:_LIMIT] + "..."
    try:
        text = plain(text)
    except MemoryError:
        text = repr(text)  # in ASCII alone
    if number > 1:
        last_error = "%s: %s" % (area, text)
    sink("%d %s %s: %s" % (uptime(), LEVELS[number], area, text))


def debug(area, text, *args):
    """Writes a line for developers."""
    _write(0, area, text, args)


def info(area, text, *args):
    """Writes a line for operators: what happened."""
    _write(1, area, text, args)


def warn(area, text, *args):
    """Writes a line about trouble that the agent mends itself."""
    _write(2, area, text, args)


def error(area, text, *args):
    """Writes a line about trouble that needs somebody; it says what to do."""
    _write(3, area, text, args)
