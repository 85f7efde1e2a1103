# On the flash of a board that is measured, beside the real agent: tells what its heap holds
# each time that a phase holds more than before, and which modules. The host reads the lines.

import gc
import sys

# While the set-up page is open: one of these is there when something is done about it.
AT_WORK = ("setup_open", "setup_page", "setup_sent", "setup_link", "setup_join", "http_request",
           "page", "wifi_scan")  # fmt: skip


def names():
    return " ".join(name for name in sorted(sys.modules) if name != "heap")


def watch():
    """Before the agent starts: from here on all counts, this module does not."""
    highest = {"open": 0, "setup": 0, "enrolling": 0, "idle": 0, "busy": 0, "downloading": 0}
    told = dict.fromkeys(highest)
    gc.collect()
    base = gc.mem_alloc()
    from flyve import agent as loop
    from flyve import memory, transport

    gc.collect()
    print("heap: imported", gc.mem_alloc() - base)
    print("modules: imported", names())
    step, slice_done, drop = loop.Agent.step, transport.slice_done, memory.drop
    agent = None

    def phase():
        if "flyve.jobs.setup" in sys.modules:
            at_work = any("flyve.jobs." + name in sys.modules for name in AT_WORK)
            return "setup" if at_work else "open"
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

    def watched_drop(*names):
        # A page is served within one turn.
        if phase() in ("open", "setup"):
            look()
        drop(*names)

    loop.Agent.step, transport.slice_done = watched_step, watched_slice
    memory.drop = watched_drop
