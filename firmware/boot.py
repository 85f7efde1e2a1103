"""First code on the board: which agent runs, and whether it has crashed too often.

NVS "update" (firmware/flyve/jobs/update.py has its fields) names the slot; "crashes" counts the
starts after a crash or a reset since the agent was last stable; "base" tells which agent lay
beside the slots when the one in use came. All is read before anything is written, for NVS may be
full, and a fault in here starts what /flyve holds.
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
        """The (version, build) of the agent that one entry of the path has, or None."""
        sys.modules.pop("flyve", None)
        path = sys.path[:]
        sys.path[:] = [entry]
        try:
            import flyve

            numbers = [int(n) for n in flyve.VERSION.split("-")[0].split(".")]
            return numbers, flyve.BUILD
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
            if found and best and found > best:
                path.remove(entry)
                path.insert(0, entry)
            if found and (best is None or found > best):
                best = found
        return best

    newest = newest_of_all()
    nvs = esp32.NVS("flyve")
    failed = 2  # of ended
    names = (
        ("slot", 2), ("trial", 2), ("tries", 2), ("ended", 2), ("partition", 8), ("previous", 2),
        ("other", 1), ("fallen", 1),
    )  # fmt: skip

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

    def fields(bits):
        found = {}
        for name, size in names:
            found[name] = bits & (1 << size) - 1
            bits >>= size
        return found

    def packed(state):
        bits = at = 0
        for name, size in names:
            bits |= state[name] << at
            at += size
        return bits

    def only(**left):
        """A state with these fields, and 0 in all others."""
        state = fields(0)
        state.update(left)
        return state

    # Stock firmware says HARD_RESET for a panic, too.
    crashed = machine.reset_cause() in (machine.HARD_RESET, machine.WDT_RESET)
    before, counted = get("update"), get("crashes")
    crashes = min(max(counted, -1) + 1, 99) if crashed else counted
    update = fields(before)
    if before >> 20 or update["slot"] > 2 or update["trial"] > 2:
        update = only()  # damaged
    partition = None
    if update["trial"]:
        if update["tries"] and (crashed or update["tries"] == 3):
            # The trial has failed: back to the slot before.
            update.update(trial=0, tries=0, ended=failed, partition=0, fallen=0)
        else:
            update["tries"] += 1
    elif crashed and crashes > 7 and not update["partition"]:
        # Not even safe mode helps: back to what ran before the last update, once.
        try:
            if update["previous"]:
                slot = update["previous"] - 1
                if slot:
                    os.stat("/flyve." + "?ab"[slot] + "/flyve/agent.mpy")
                update, crashes = only(slot=slot, ended=failed), 0
            elif update["other"]:
                partition = esp32.Partition(esp32.Partition.RUNNING).get_next_update()
                kind = partition.info()[1]
                update, crashes = only(slot=update["slot"], partition=kind, fallen=1), -1
        except OSError:
            update = only(slot=update["slot"])  # it is gone
    slot = update["trial"] or update["slot"]
    if slot and newest:
        mark = binascii.crc32(b"%r %d" % newest) & 0x7FFFFFFF
        if mark != get("base"):
            # Something else was installed since: the newer one counts. One on trial was chosen.
            own = agent("/flyve." + "?ab"[slot])
            if own and newest > own and not update["trial"]:
                update, slot = only(ended=update["ended"]), 0
            elif own:
                put("base", mark)
    # A trial whose starts cannot be counted would never end.
    now = packed(update)
    if now != before and not put("update", now) and fields(before)["trial"]:
        slot = fields(before)["slot"]
    if crashes != counted and not put("crashes", crashes):
        uncounted = 99
    if partition:
        try:
            partition.set_boot()
            machine.reset()
        except OSError:
            put("update", update["slot"])  # damaged
    if slot:
        path[:0] = ["/flyve." + "?ab"[slot], "/flyve." + "?ab"[slot] + "/lib"]
    if update["trial"] or update["partition"] and not update["ended"]:
        # What hangs or ends before the agent's own watchdog runs would never fall back.
        machine.WDT(timeout=60000)


def _built_in(names):
    """Makes these modules known, or each import of one would search the flash first, in 300 reads;
    but not those that a file takes the place of, or extends."""
    sys.path[:] = []  # with no path it is not searched
    import os

    found = []
    for folder in ("/", "/lib"):
        try:
            found += [name.split(".")[0] for name in os.listdir(folder)]
        except OSError:
            pass
    for name in names:
        if name not in found:
            sys.modules.setdefault(name, __import__(name))


# Ours before what stock firmware freezes; /rom: a ROMFS image, where there is one.
_path = ["", "/lib"] + [p for p in sys.path if p[:4] == "/rom"] + [".frozen"]
try:
    _built_in(("binascii", "collections", "errno", "hashlib", "json", "machine", "os", "random",
               "select", "socket", "struct", "time"))  # fmt: skip
except Exception as e:
    sys.print_exception(e)
sys.path[:] = _path
try:
    _start(sys.path)
except Exception as e:
    sys.print_exception(e)
del _start, _built_in, _path
