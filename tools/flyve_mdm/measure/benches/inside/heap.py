# On the flash of a board that is measured, beside the real agent: tells what its heap holds
# each time that a phase holds more than before, and which modules. The host reads the lines.

import gc
import sys


def names():
    return " ".join(name for name in sorted(sys.modules) if name != "heap")


def watch():
    """Before the agent starts: from here on all counts, this module does not."""
    highest = {"enrolling": 0, "idle": 0, "busy": 0, "downloading": 0}
    told = dict.fromkeys(highest)
    gc.collect()
    base = gc.mem_alloc()
    from flyve import agent as loop
    from flyve import transport

    gc.collect()
    print("heap: imported", gc.mem_alloc() - base)
    print("modules: imported", names())
    step, slice_done = loop.Agent.step, transport.slice_done
    agent = None

    def phase():
        if "flyve.jobs.applying" in sys.modules:
            return "downloading"
        link = agent and agent.online and agent.online.link
        if not link:
            return "enrolling"
        at_work = agent.job or any("flyve.jobs." in name for name in sys.modules)
        return "idle" if link.up and not at_work else "busy"

    def look():
        gc.collect()
        used = gc.mem_alloc() - base
        now = phase()
        if used > highest[now]:
            highest[now] = used
            print("heap:", now, used)
        there = names()
        if hash(there) != told[now]:
            told[now] = hash(there)
            print("modules:", now, there)

    def watched_step(self):
        nonlocal agent
        agent = self
        look()
        step(self)

    def watched_slice(may_hook=True):
        look()
        slice_done(may_hook)

    loop.Agent.step, transport.slice_done = watched_step, watched_slice
