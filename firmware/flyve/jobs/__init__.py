"""What is in memory only while it works, see flyve.memory. A module that stays imports it inside
the function that needs it."""

import flyve
from flyve import memory


def __getattr__(name):
    if name == "__path__":
        return flyve.__path__ + "/jobs"  # mounted until the module has been found
    # MicroPython asks `from flyve.jobs import name` so when it is not there: room is made first.
    if name[:1] == "_":
        raise AttributeError(name)
    memory.collect()
    job = globals()[name] = flyve.bring(name)
    return job


if __path__[:2] == "/:":
    del __path__
