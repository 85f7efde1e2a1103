"""First code on the board: which agent runs, and whether it has crashed too often.

NVS "update" (firmware/flyve/update.py has its bits) names the slot; NVS "crashes" counts the
starts after a crash or a reset since the agent was last stable. Each changes by one commit, and
a fault in here starts what /flyve holds.
"""

import sys


def _start(path):
    import esp32
    import machine

    nvs = esp32.NVS("flyve")

    def get(key):
        try:
            return nvs.get_i32(key)
        except OSError:  # not there
            return 0

    # Stock firmware says HARD_RESET for a panic, too.
    crashed = machine.reset_cause() in (machine.HARD_RESET, machine.WDT_RESET)
    if crashed:
        nvs.set_i32("crashes", min(get("crashes") + 1, 99))
    update = get("update")
    if update & 12:
        tries = update >> 4 & 3
        if tries and (crashed or tries == 3):
            update = update & 3 | 128  # the trial has failed: back to the slot before
        else:
            update += 16
        nvs.set_i32("update", update)
    nvs.commit()
    slot = update >> 2 & 3 or update & 3
    if slot:
        path[:0] = ["/flyve." + "?ab"[slot], "/flyve." + "?ab"[slot] + "/lib"]
    if update & 12 or not update & 192 and update >> 8:
        # What hangs or ends before the agent's own watchdog runs would never fall back.
        machine.WDT(timeout=60000)


# Ours before what stock firmware freezes; /rom: a ROMFS image, where there is one.
sys.path[:] = ["", "/lib"] + [p for p in sys.path if p[:4] == "/rom"] + [".frozen"]
try:
    _start(sys.path)
except Exception as e:
    sys.print_exception(e)
del _start
