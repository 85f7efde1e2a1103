"""The heap between the jobs: code costs 1.6 bytes a byte in RAM, so that what is in flyve/jobs is
there only while it works. What is in flyve/ stays; `online` and what it imports come with the
enrollment."""

import gc
import sys

high = 0  # the most bytes that were in use after a collection for a job that came


def collect():
    """Makes room, and notes how much is in use."""
    global high
    gc.collect()
    high = max(high, gc.mem_alloc())


def drop(*names):
    """Forgets these jobs with what only they have imported at their top, or all. Nothing of them
    may be in use, nor be named by a frame that lives on; they hold no native code, which is freed
    only by a reset. To forget all of them takes no memory: there may be none left."""
    for name in names:
        _forget("flyve.jobs." + name, False)
    key = "" if names else _next()
    while key:
        _forget(key, True)
        key = _next()
    if "flyve.jobs.sockets" not in sys.modules:
        for key in ("urequests", "umqtt.simple", "umqtt", "usocket", "ussl"):
            sys.modules.pop(key, None)
    gc.collect()


def _next(module=None):
    """A job; one that has imported the module, if that is given."""
    for key in sys.modules:
        if key.startswith("flyve.jobs."):
            # None: the memory was not enough to import it.
            job = sys.modules.get(key)
            if not module or job and _name(job, module):
                return key


def _name(home, module):
    for name in home.__dict__:
        if home.__dict__[name] is module:
            return name


def _forget(key, wanted):
    """wanted: also what another job has imported, and would import once more."""
    module = sys.modules.get(key)
    if module and not wanted and _next(module):
        return
    sys.modules.pop(key, None)
    if module:
        # Both references count: the module stays in RAM while one is left.
        home = sys.modules["flyve.jobs"]
        name = _name(home, module)
        if name:
            delattr(home, name)
        for name in module.__dict__:
            other = module.__dict__[name]
            if isinstance(other, type(sys)) and other.__name__.startswith("flyve.jobs."):
                _forget(other.__name__, wanted)
