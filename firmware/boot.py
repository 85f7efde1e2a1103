"""First code on the board: which agent runs, and whether it has crashed too often.

NVS "update" (firmware/flyve/update.py has its bits) names the slot; "crashes" counts the starts
after a crash or a reset since the agent was last stable; "base" tells which agent lay beside the
slots when the one in use came. All is read before anything is written, for NVS may be full, and a
fault in here starts what /flyve holds.
"""

import sys

uncounted = 0  # 99 after a crash that NVS could not count; update.crashes() reads it


def _start(path):
    global uncounted
    import binascii
    import os

    import esp32
    import machine

    def agent(entry):
        """The agent that one entry of the path has: (version, build), its package; or None."""
        sys.modules.pop("flyve", None)
        path = sys.path[:]
        sys.path[:] = [entry]
        try:
            import flyve

            numbers = [int(n) for n in flyve.VERSION.split("-")[0].split(".")]
            return (numbers, flyve.BUILD), flyve
        except Exception:
            return None
        finally:
            sys.path[:] = path
            sys.modules.pop("flyve", None)

    def newest_of_all():
        """Brings the entry with the newest agent to the front; returns that agent."""
        best = None
        for entry in path[:]:
            found = agent(entry)
            if found and best and found[0] > best[0]:
                path.remove(entry)
                path.insert(0, entry)
            if found and (best is None or found[0] > best[0]):
                best = found
        return best

    newest = newest_of_all()
    nvs = esp32.NVS("flyve")

    def get(key):
        try:
            return nvs.get_i32(key)
        except OSError:  # not there
            return 0

    def put(key, value):
        try:
            nvs.set_i32(key, value)
            nvs.commit()
            return True
        except OSError as e:
            print("boot: NVS does not take %s: %s" % (key, e))

    # Stock firmware says HARD_RESET for a panic, too.
    crashed = machine.reset_cause() in (machine.HARD_RESET, machine.WDT_RESET)
    before, counted = get("update"), get("crashes")
    crashes = min(max(counted, -1) + 1, 99) if crashed else counted
    update = before if before >> 20 == 0 and before & 3 < 3 and before & 12 < 12 else 0
    other = update >> 16 & 3
    partition = None
    if update & 12:
        tries = update >> 4 & 3
        if tries and (crashed or tries == 3):
            update = update & 0x70003 | 128  # the trial has failed: back to the slot before
        else:
            update += 16
    elif crashed and crashes > 7 and not update >> 8 & 255:
        # Not even safe mode helps: back to what ran before the last update, once.
        try:
            if other:
                if other > 1:
                    os.stat("/flyve." + "?ab"[other - 1] + "/flyve/agent.mpy")
                update, crashes = other - 1 | 128, 0
            elif update >> 18 & 1:
                partition = esp32.Partition(esp32.Partition.RUNNING).get_next_update()
                update, crashes = update & 3 | partition.info()[1] << 8 | 1 << 19, -1
        except OSError:
            update &= 3  # it is gone
    slot = update >> 2 & 3 or update & 3
    if slot and newest:
        numbers, build = newest[0]
        mark = binascii.crc32(b"%r %d" % (numbers, build)) & 0x7FFFFFFF
        if mark != get("base"):
            # Something else was installed since: the newer one counts. One on trial was chosen.
            own = agent("/flyve." + "?ab"[slot])
            if own and newest[0] > own[0] and not update & 12:
                update, slot = update & 192, 0
            elif own:
                put("base", mark)
    # A trial whose starts cannot be counted would never end.
    if update != before and not put("update", update) and before & 12:
        slot = before & 3
    if crashes != counted and not put("crashes", crashes):
        uncounted = 99
    if partition:
        try:
            partition.set_boot()
            machine.reset()
        except OSError:
            put("update", update & 3)  # damaged
    if slot:
        path[:0] = ["/flyve." + "?ab"[slot], "/flyve." + "?ab"[slot] + "/lib"]
    elif newest:
        sys.modules["flyve"] = newest[1]
    if update & 12 or not update & 192 and update >> 8 & 255:
        # What hangs or ends before the agent's own watchdog runs would never fall back.
        machine.WDT(timeout=60000)


# Ours before what stock firmware freezes; /rom: a ROMFS image, where there is one.
sys.path[:] = ["", "/lib"] + [p for p in sys.path if p[:4] == "/rom"] + [".frozen"]
try:
    _start(sys.path)
except Exception as e:
    sys.print_exception(e)
del _start
