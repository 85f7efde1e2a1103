"""What comes before the loop: settings, record, and whatever a power cut has interrupted.

Nothing that lies on the flash or in NVS may prevent the start: each step is by itself, and what
one cannot use is named and passed over, or removed.
"""

import os
import sys

from micropython import const

from flyve import BUILD, VERSION, board, log, memory, transport
from flyve.jobs import board_facts, files, nvs
from flyve.record import Record

# What the agent writes or reads as a file at the root; it makes the last one a folder.
_FILES = ("config.json", "deeplink", "ca.der", "ca.pem", "tasks.json", "tasks.new",
          "failures.json", "outbox.json", "%part", "part.json", "part.slot", "apps.new",
          "wiping", "keep.json")  # fmt: skip
_FOLDERS = ("apps",)
_SLOTS = ("flyve.a", "flyve.b")
_RELEASE = const("1.0.0")  # of the project; VERSION is what the backend is told
_LEFT = "/deploy.part"  # may hold a deeplink
_LIBRARIES = ("urequests", "umqtt")
# MicroPython looks for these on the flash first. In /lib they may be extensions by intent.
_BUILT_IN = ("binascii", "collections", "errno", "hashlib", "json", "machine", "os", "random",
             "select", "socket", "struct", "time")  # fmt: skip
_ENOUGH = ("topic", "agent_id", "url", "api_token", "mqttpasswd")  # texts of an enrollment


def _attempt(what, step, *args):
    """What step(*args) returns; None when it raises: the start goes on without."""
    try:
        return step(*args)
    except Exception as e:
        log.error("agent", "starting without %s: %r", what, e)


def _light(pin, locked):
    # It may have had an LED until now.
    if pin is not None or nvs.get_int("led") is not None:
        from flyve.jobs import led

        led.begin(pin, locked)


def _tidy():
    """Removes folders in the place of files, and the other way round: who reads or writes there
    could do neither; and slots of agents that nothing leads to any more."""
    from flyve.jobs import erasing

    slots = None
    for name, kind in [entry[:2] for entry in os.ilistdir("/")]:
        folder = bool(kind & 0x4000)
        if name in _SLOTS and "/" + name not in sys.path:
            if not slots:
                from flyve.jobs import update

                slots = update.slots()
            if name not in slots:
                log.info("agent", "/%s is out of use: removed", name)
                erasing.delete("/" + name)
        elif name in (_FILES if folder else _FOLDERS):
            log.warn("agent", "/%s is a %s: removed", name, "folder" if folder else "file")
            erasing.delete("/" + name)


def _record():
    """The record; None when it must not be touched."""
    from flyve.jobs import record_slots

    try:
        *found, problems = record_slots.load()
    except record_slots.NewerRecord as e:
        log.error("record", "%s", e)
        return None
    rec = Record(*found)
    for problem in problems:
        log.warn("record", "%s", problem)
    if problems and not rec.values:
        log.error("record", "both slots are unreadable: run `flyve reset` and enroll again")
    if rec.get("state") in ["enrolled", "leaving"]:
        for name in _ENOUGH:
            if not isinstance(rec.get(name), str):
                log.error("record", "no %s in it: run `flyve reset` and enroll again", name)
                rec.values.clear()
                break
    if not isinstance(rec.get("time", 0), int):
        del rec.values["time"]
    return rec


def _look(rec, settings):
    from flyve.jobs import erasing, invitation

    if rec.get("renewed") and rec.get("state") == "enrolled":
        erasing.enrollment(rec, settings)  # a cut came after the new one was created
    invitation.settle(rec)
    if rec.get("state") == "enrolled" and invitation.waiting():
        log.info("agent", "another deeplink: its backend is asked first")


def _trust(settings):
    """Finds the CA. The TLS context is made while the heap is empty, if it is needed, perhaps: it
    stays, and takes much memory in one piece."""
    ca = settings.get("ca")
    for path in ("/ca.der", "/ca.pem"):
        if not ca and files.size(path) >= 0:
            ca = path
    transport.trust.update(ca=ca, verify=settings["tls_verify"])
    if ca:
        from flyve.jobs import tls_trust

        tls_trust.prepare(transport.trust)
        tls_trust = None
        memory.drop("tls_trust", "tls_context")


def prepare():
    """What the Agent is made of: settings and record, whether an update is on trial, how many of
    the last starts have crashed, and the button; None when there is no record to work with."""
    from flyve.jobs import config

    settings, problems = config.load()
    config = None
    memory.drop("config")
    log.set_level(settings["log_level"])
    cause = board_facts.reset_cause()
    log.info("agent", "flyve %s, release %s, starts after %s", VERSION, _RELEASE, cause)
    for problem in problems:
        log.warn("config", "%s", problem)
    strays()
    from flyve.jobs import erasing

    if erasing.wiping():
        erasing.wipe(settings)
    if _attempt("what a wipe has kept", erasing.settle):
        board.reset(True)  # the agent that runs is not the one in use
    _trust(settings)
    _attempt("tidying up", _tidy)
    rec = _record()
    if rec is None:
        return None
    if rec.get("state") == "erasing":
        _attempt("erasing the enrollment", erasing.enrollment, rec, settings, rec.get("next"))
    transport.clock["floor"] = max(BUILD, rec.get("time", 0))
    _attempt("its LED", _light, settings.get("led"), bool(rec.get("lock")))
    log.secret("app", settings.get("app_token"))
    log.secret("api", rec.get("api_token"))
    _attempt("a look at the deeplink", _look, rec, settings)
    from flyve.jobs import update

    crashes = update.crashes()
    if update.safe_mode():
        log.error("agent", "safe mode after %d crashes: no applications", crashes)
    trial = _attempt("a look at the update", update.on_trial)
    return settings, rec, trial, crashes, board_facts.button(settings.get("button"))


def strays():
    """Removes what a cut deployment has left, and names what hides a module: what an import would
    find before one of the agent's. Raises nothing."""
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
    own = None
    for folder in sys.path:
        if "flyve/" in _entries(folder):
            own = folder + "/lib" if "umqtt/" in _entries(folder + "/lib") else folder
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
    if own is not None:
        folder = own + "/umqtt"
        entries = _entries(folder)
        for name in entries:
            if name[-4:] == ".mpy":
                yield from _forms(folder, entries, name[:-4])[:-1]
