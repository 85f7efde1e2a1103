"""The heap between the jobs: code costs 1.6 bytes a byte in RAM, so that what is in flyve/jobs is
there only while it works. What is in flyve/ stays; `online` and what it imports come with the
enrollment."""

import gc
import sys

low = 1 << 30  # bytes of heap that were free at the tightest collection


def collect():
    """Makes room, and notes how little there was."""
    global low
    gc.collect()
    low = min(low, gc.mem_free())


def drop(*names):
    """Forgets these jobs, or all. Nothing of them may be in use, nor be named by a frame that
    lives on; they hold no native code, which is freed only by a reset."""
    jobs = sys.modules.get("flyve.jobs")
    for name in names or [n[11:] for n in sys.modules if n[:11] == "flyve.jobs."]:
        # Both references count: the module stays in RAM while one is left.
        if sys.modules.pop("flyve.jobs." + name, None):
            try:
                delattr(jobs, name)
            except AttributeError:
                pass  # its import has failed
    if not names or "rest" in names:
        sys.modules.pop("urequests", None)
    collect()
