"""Files on the flash that are in the way: what a cut deployment has left, and what an import
would find before a module of the agent's."""

import os
import sys

from flyve import log

_LEFT = "/deploy.part"  # may hold a deeplink
_LIBRARIES = ("urequests", "umqtt")
# MicroPython looks for these on the flash first. In /lib they may be extensions by intent.
_BUILT_IN = ("binascii", "collections", "errno", "hashlib", "json", "machine", "os", "random",
             "select", "socket", "struct", "time")  # fmt: skip


def look():
    """Removes what is left over, and names what hides a module. Raises nothing."""
    try:
        os.remove(_LEFT)
        log.warn("agent", "%s of a cut deployment: removed", _LEFT)
    except OSError:
        pass
    try:
        for path in _hiding():
            log.error("agent", "%s hides a module that the agent uses: remove it", path)
    except Exception as e:
        log.warn("agent", "the flash cannot be searched: %r", e)


def _entries(folder):
    """What a folder of the path has, the names of folders with a slash."""
    try:
        return [e[0] + "/" if e[1] & 0x4000 else e[0] for e in os.ilistdir(folder or "/")]
    except OSError:
        return []


def _forms(folder, entries, stem):
    """The paths by which that folder has the module, the one first that an import takes."""
    return [folder + "/" + n for n in (stem + "/", stem + ".py", stem + ".mpy") if n in entries]


def _hiding():
    home = own = None
    for folder in sys.path:
        if "flyve/" in _entries(folder):
            home = folder
            own = home + "/lib" if "umqtt/" in _entries(home + "/lib") else home
            break
    for folder in sys.path:
        if folder[:1] == ".":
            continue
        entries = _entries(folder)
        for stem in _LIBRARIES:
            found = _forms(folder, entries, stem)
            yield from found[:-1] if folder == own else found
        if not folder:
            for stem in _BUILT_IN:
                yield from _forms(folder, entries, stem)
        if folder == own:
            break
    if home is not None:
        for folder in (home + "/flyve", home + "/flyve/jobs", own + "/umqtt"):
            entries = _entries(folder)
            for name in entries:
                if name[-4:] == ".mpy":
                    yield from _forms(folder, entries, name[:-4])[:-1]
