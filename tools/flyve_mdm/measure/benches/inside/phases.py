# On the flash of a board: the modules of one phase after the other come and go beside those that
# are resident, while small objects come and go, too. Counts how often memory is too short.

import gc
import random
import sys

_RESIDENT = ("agent", "online", "link")
# What the agent has in memory together, as the boards of footprint.py show it.
_PHASES = (
    ("startup", "config", "invitation"),
    ("clock", "tls_trust"),
    ("commands", "inventory", "board_facts"),
    ("report", "rest", "http"),
    ("applying", "policies", "paths"),
    ("applying", "rest", "http"),
    ("applying", "delivery_form", "jsonpick"),
    ("applying", "download", "paths"),
    ("applying", "packages", "paths", "bundle"),
    ("update",),
)


def run(count, seed):
    """Prints `phases: <how often memory was too short> <in which>`."""
    random.seed(seed)
    from flyve import jobs, memory

    try:
        for name in _RESIDENT:
            gc.collect()
            __import__("flyve." + name)
    except MemoryError:
        print("phases:", count, "imports")
        return
    small = [None] * 48
    failed = [0] * len(_PHASES)
    for _ in range(count):
        phase = random.getrandbits(30) % len(_PHASES)
        try:
            for name in _PHASES[phase]:
                getattr(jobs, name)  # as `from flyve.jobs import name`, which makes room
            if "flyve.jobs.download" in sys.modules:
                small[0] = jobs.download._buffer(1 << 20)
            for _ in range(24):
                small[1 + random.getrandbits(30) % 47] = bytes(random.getrandbits(7))
        except MemoryError:
            failed[phase] += 1
        small[0] = None
        memory.drop()
    names = [_PHASES[i][-1] for i in range(len(_PHASES)) if failed[i]]
    print("phases:", sum(failed), ",".join(names) or "none")
