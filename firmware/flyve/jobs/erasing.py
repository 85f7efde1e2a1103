"""What goes from the flash: an enrollment at its end, or all but the firmware in a wipe."""

import json
import os

from micropython import const

from flyve import board, log, memory
from flyve.jobs import files, nvs, paths

_WIPING = const("/wiping")  # a wipe was begun: nothing else happens before it is done
_WIPE = const("wipe")  # the same in NVS, where the flash was too full for a file
_IMAGE = const("/part.slot")  # there while one comes; slot.py has it
_KEPT = const("/keep.json")  # what of NVS outlives a wipe
_LONGEST = const(4096)  # characters of that
_BRACKETS = const(256)
_INTEGERS = const(("update", "base"))  # of these; update.py has them
_BLOBS = const(("wifi", "setup_psk"))  # the first one only if asked for; the other is on its label
# What a wipe leaves, but for the two above.
_FIRMWARE = const(("boot.py", "main.py", "flyve", "flyve.a", "flyve.b", "lib"))
_SETTINGS = const("config.json")  # tells whether the networks are kept


def end(agent, state=None):
    """The enrollment is over: offline, erased, and the state is what the record holds."""
    if agent.online and agent.online.link.up:
        agent.online.link.close()
    enrollment(agent.rec, agent.settings, state)


def delete(path):
    """Removes the file or the folder at once, with all in it; it need not exist."""
    for _ in files.delete(path):
        board.feed()


def enrollment(rec, settings, state=None):
    """Erases what enrollment brought: credentials, tasks, and files if the settings say so. The
    record then holds nothing but the state, and what another deeplink has created meanwhile. A cut
    is made good at the next start."""
    renewed = rec.get("renewed")
    try:
        rec.save(state="erasing", next=state)
    except OSError as e:
        # NVS takes nothing more, but what is there can go.
        log.error("record", "erased as a whole: %s", e)
        _erase(rec)
    if settings["erase_on_unenroll"]:
        for root in (settings.get("roots") or paths.ROOTS).values():
            _try_to_delete(root)
        _try_to_delete("/apps")
    leftovers()
    kept = {"state": state}
    if renewed:
        kept = {"state": "created", "link": renewed[0], "agent_id": renewed[1]}
    try:
        rec.save(scrub=True, **dict(dict.fromkeys(rec.values), **kept))
    except OSError:
        _erase(rec)


def _erase(rec):
    """Forgets the record by erasing both slots: for an NVS that takes no other one."""
    from flyve.jobs import record_slots

    for slot in (0, 1):
        record_slots.erase(slot)
    record_slots = None
    memory.drop("record_slots")
    rec.values.clear()


def leftovers():
    """Removes what belongs to an enrollment: the next one's tasks may have the same numbers."""
    if _size(_IMAGE) >= 0:
        _erase_slot(False)
    _try_to_delete(paths.part(paths.coming()))  # before the journal, which tells where it is
    for name in ("tasks.json", "tasks.new", "failures.json", "outbox.json", "part.json",
                 "part.slot", "apps.new", "deploy.part"):  # fmt: skip
        _try_to_delete("/" + name)


def _erase_slot(whole):
    """Erases what lies in the OTA slot: an image that has begun, or all that has never run."""
    try:
        from flyve.jobs import slot

        if whole:
            slot.clear()
        else:
            slot.discard()
    except OSError as e:
        log.error("flash", "the OTA partition cannot be erased: %s", log.reason(e))
    slot = None
    memory.drop("slot", "board_facts")


def _try_to_delete(path):
    try:
        delete(path)
    except OSError as e:
        log.error("flash", "%s cannot be erased: %s", path, e)


def _size(path):
    """The bytes of a file; -1 when there is none."""
    try:
        found = os.stat(path)
        return found[6] if found[0] & 0x8000 else -1
    except OSError:
        return -1


def begin_wipe():
    """Makes it durable that all is to be wiped, on a full flash, too."""
    try:
        open(_WIPING, "w").close()
    except OSError:
        try:
            nvs.put_int(_WIPE, 1)
        except OSError:
            _clear([_SETTINGS])  # no room in either: it begins at once
            open(_WIPING, "w").close()


def wiping():
    """True when a wipe was begun and is not done."""
    try:
        return _size(_WIPING) >= 0 or nvs.get_int(_WIPE) == 1
    except OSError:
        return False


def _clear(but):
    for name in os.listdir("/"):
        if name not in _FIRMWARE and name not in but and "/" + name not in [_WIPING, _KEPT]:
            _try_to_delete("/" + name)


def _keep(settings):
    """Writes what is to outlive the wipe; what it would take is still there."""
    kept = {}
    for key in _INTEGERS:
        try:
            kept[key] = nvs.get_int(key)
        except OSError as e:
            log.error("nvs", "%s is lost: %s", key, e)
    for key in _BLOBS[not settings["keep_wifi"] :]:
        try:
            kept[key] = (nvs.get(key) or b"").decode()
        except (OSError, ValueError) as e:
            log.error("nvs", "%s is lost: %r", key, e)
    with open(_KEPT, "w") as f:
        json.dump(kept, f)


def wipe(settings):
    """Erases all but the firmware, and what was erased before; restarts the board.

    The flash may be full: so it deletes before it writes. Until what is kept is in its file, the
    settings that tell so and NVS are left as they are."""
    log.warn("agent", "wiping: all but the firmware goes")
    for path in (_WIPING, _KEPT):
        if _size(path) < 0:
            _try_to_delete(path)  # a folder
    _erase_slot(True)
    if _size(_KEPT) <= 0:  # else a cut came after this, and the settings may be gone
        _clear([_SETTINGS])
        try:
            open(_WIPING, "w").close()  # NVS will not remember it to the end
            _keep(settings)
        except OSError as e:
            log.error("flash", "nothing is kept: %s", e)
    _clear([])
    # littlefs is to write over what it has freed: small files lie in the blocks of their folder,
    # which are rewritten when they are full of changes; all other free blocks take one file.
    try:
        for _ in range(256):
            board.feed()
            with open("/fill", "w") as f:
                f.write("0" * 48)
            os.remove("/fill")
        zeros = bytes(4096)
        with open("/fill", "wb") as f:
            while True:
                board.feed()
                f.write(zeros)
    except OSError:
        pass  # the flash is full
    _try_to_delete("/fill")
    try:
        from flyve.jobs import board_facts

        board_facts.erase_nvs()
    except OSError as e:
        log.error("nvs", "cannot be erased: %s", e)
    _try_to_delete(_WIPING)
    board.reset()


def settle():
    """Brings back what a wipe has kept; true when that needs another start, for another slot."""
    if _size(_KEPT) < 0:
        return False
    kept = {}
    try:
        with open(_KEPT) as f:
            text = f.read(_LONGEST)
        if text.count("[") + text.count("{") < _BRACKETS:  # each takes a lot of memory
            kept = json.loads(text)
    except (OSError, ValueError):
        pass
    if not isinstance(kept, dict):
        kept = {}
    for key in _BLOBS:
        if kept.get(key) and isinstance(kept[key], str):
            nvs.put(key, kept[key].encode())
    for key in _INTEGERS:
        if isinstance(kept.get(key), int) and 0 < abs(kept[key]) < 1 << 31:
            nvs.put_int(key, kept[key])
    delete(_KEPT)
    from flyve.jobs import update

    return update.in_slot()
