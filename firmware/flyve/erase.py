"""What goes from the flash at the end of an enrollment, and with a wipe."""

import json
import os

from micropython import const

from flyve import board, log, resident

WIPING = const("/wiping")  # a wipe was begun: nothing else happens before it is done
_KEPT = const("/keep.json")  # what of NVS outlives a wipe
# What a wipe leaves, but for the two above.
_FIRMWARE = const(("boot.py", "main.py", "flyve", "flyve.a", "flyve.b", "lib"))


def end(agent, state=None):
    """The enrollment is over: offline, erased, and the state is what the record holds."""
    if agent.link and agent.link.up:
        agent.link.close()
    enrollment(agent.rec, agent.settings, state)


def _delete(path):
    board.feed()
    try:
        if os.stat(path)[0] & 0x4000:
            for name in os.listdir(path):
                _delete(path + "/" + name)
            os.rmdir(path)
        else:
            os.remove(path)
    except OSError as e:
        if e.errno != 2:  # ENOENT
            raise


def enrollment(rec, settings, state=None):
    """Erases what enrollment brought: credentials, tasks, and files if the settings say so. The
    record then holds nothing but the state. A cut is made good at the next start."""
    rec.save(state="erasing", next=state)
    if settings["erase_on_unenroll"]:
        for root in (settings["roots"] or resident.load("files").ROOTS).values():
            _delete(root)
        _delete("/apps")
    for name in ("tasks.json", "tasks.new", "outbox.json", "part", "part.json", "apps.new"):
        _delete("/" + name)
    rec.save(scrub=True, **dict(dict.fromkeys(rec.values), state=state))


def wipe(settings):
    """Erases all but the firmware, and what was erased before; restarts the board."""
    log.warn("agent", "wiping: all but the firmware goes")
    try:
        begun = os.stat(_KEPT)[6]
    except OSError:
        begun = 0
    if not begun:  # else a cut came after this, and the settings may be gone
        kept = {"update": board.nvs_get_int("update")}
        if settings["keep_wifi"]:
            kept["wifi"] = (board.nvs_get("wifi") or b"[]").decode()
        with open(_KEPT, "w") as f:
            json.dump(kept, f)
    for name in os.listdir("/"):
        if name not in _FIRMWARE and "/" + name not in [WIPING, _KEPT]:
            _delete("/" + name)
    # littlefs is to write over what it has freed: small files lie in the blocks of their folder,
    # which are rewritten when they are full of changes; all other free blocks take one file.
    for _ in range(256):
        board.feed()
        with open("/fill", "w") as f:
            f.write("0" * 48)
        os.remove("/fill")
    zeros = bytes(4096)
    try:
        with open("/fill", "wb") as f:
            while True:
                board.feed()
                f.write(zeros)
    except OSError:
        pass  # the flash is full
    os.remove("/fill")
    board.erase_nvs()
    os.remove(WIPING)
    board.reset()


def settle():
    """Brings back what a wipe has kept."""
    try:
        with open(_KEPT) as f:
            kept = json.load(f)
    except OSError:
        return
    except ValueError:
        kept = {}
    if kept.get("wifi"):
        board.nvs_set("wifi", kept["wifi"].encode())
    if kept.get("update"):
        board.nvs_set_int("update", kept["update"])
    os.remove(_KEPT)
