"""The heap between the jobs: code costs 1.6 bytes a byte in RAM, so that what is in flyve/jobs is
there only while it works. What is in flyve/ stays; `online` and what it imports come with the
enrollment."""

import gc
import sys

high = 0  # the most bytes that were in use after a collection


def collect():
    """Makes room, and notes how much is in use."""
    global high
    gc.collect()
    high = max(high, gc.mem_alloc())


def drop(*names):
    """Forgets these jobs, or all. Nothing of them may be in use, nor be named by a frame that
    lives on; they hold no native code, which is freed only by a reset. To forget all of them
    takes no memory: there may be none left."""
    for name in names:
        _forget("flyve.jobs." + name)
    key = "" if names else _next()
    while key:
        _forget(key)
        key = _next()
    if not names or "rest" in names:
        sys.modules.pop("urequests", None)
    collect()


def _next():
    for key in sys.modules:
        if key.startswith("flyve.jobs."):
            return key


def _forget(key):
    module = sys.modules.pop(key, None)
    if module:
        # Both references count: the module stays in RAM while one is left.
        named = sys.modules["flyve.jobs"].__dict__
        for name in named:
            if named[name] is module:
                del named[name]
                return
