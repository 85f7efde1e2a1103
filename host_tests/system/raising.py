"""An agent whose loop raises, each call in it once, whenever the board was online in between."""

from __future__ import annotations

import ast

from flyve_mdm import ROOT
from flyve_mdm.build import firmware

_NOT = (
    "restart",
    "_outlive",
    "begin_anew",
    "run",
    "watch",
)  # the end of the loop, what is around it

_MAIN = """\
import builtins, network, os, sys, time
from flyve import agent, log
from flyve import transport
from flyve.link import Link

class Odd(BaseException):
    pass

KINDS = (OSError, ValueError, MemoryError, SystemExit, Odd, AttributeError)
WAIT = 60  # ms without a site that is new: something must happen
left = set(range({sites}))
made = []
raised = None
turns = quiet = at = 0

def fault(n, f):
    global raised, turns, quiet
    a = made[0]
    now = time.ticks_ms()
    if n == 0:
        turns += 1
        if a.online and a.online.link.down:
            a.online.link.retry._at = 0
        for retry in (a.invited, a.clock):
            if 50 < retry.left() < 20000:
                retry.after(50)
    if raised is not None:
        up = a.online and a.online.link.up or a.rec.get("state") not in ("enrolled", "leaving")
        if up and turns > 2:
            print("online again after", raised)
            raised, quiet = None, now
    elif n in left:
        a.ill.clear()  # as ten minutes later
        a._starved = 0
        left.remove(n)
        raised, turns = n, 0
        print("raising", n, len(left))
        if len(left) == {unreached}:
            print("all were raised")
        raise KINDS[n % len(KINDS)](23)
    elif n == 0 and time.ticks_diff(now, quiet) > WAIT:
        quiet = now
        if not a.rec.get("state"):
            os.rename("/later", "/deeplink")
        elif a.online and a.online.link.up and a.job is None:
            provoke(a)
    return f

def boom(e):
    yield
    raise e

def provoke(a):
    global at
    at += 1
    one = at % 10
    if one == 0:
        network.WLAN(network.STA_IF).disconnect()
    elif one == 1:
        a.clock.after(0)
        a.asking = boom(OSError(23)) if at % 3 else None
    elif one == 2:
        a.user = {{"phone": str(at)}}
    elif one == 3:
        a.refresh, a.apps = True, None
        a._keys.register(sys.stdin, 1)
    elif one == 4:
        a.wifi = None
    elif one > 5:
        a.job, a.area = boom(KINDS[at % 4](23)), "online" if at % 2 else "clock"
    else:
        a.online.link.drop(transport.NetError("network", "gone"))
        a.online = a.job = None

wait = Link.wait
Link.wait = lambda self, ms: wait(self, min(ms, 10))
init = agent.Agent.__init__
def start(self, *args):
    init(self, *args)
    made.append(self)
agent.Agent.__init__ = start
os.rename("/deeplink", "/later")
builtins.__fault__ = fault
agent.main()
"""


def _reached(tree: ast.Module) -> list[ast.FunctionDef]:
    """Agent.step and the agent's methods that it leads to."""
    (agent,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Agent")
    methods = {m.name: m for m in agent.body if isinstance(m, ast.FunctionDef)}
    found, new = [], ["step"]
    while new:
        name = new.pop()
        found.append(methods[name])
        for call in _calls(methods[name]):
            name = getattr(call.func, "attr", "")
            of_self = getattr(getattr(call.func, "value", None), "id", "") == "self"
            if of_self and name in methods and name not in [*new, *_NOT, *(m.name for m in found)]:
                new.append(name)
    return found


def _calls(method):
    return [node for node in ast.walk(method) if isinstance(node, ast.Call)]


def agent() -> tuple[str, list[str]]:
    """The source of an agent.py that asks __fault__(number, function) before each call, and the
    calls by number."""
    tree = ast.parse((ROOT / "firmware" / "flyve" / "agent.py").read_text())
    sites = []
    for method in _reached(tree):
        for call in sorted(_calls(method), key=lambda c: (c.lineno, c.col_offset)):
            text = ast.unparse(call)
            ask = ast.Call(ast.Name("__fault__"), [ast.Constant(len(sites)), call.func], [])
            call.func = ask
            sites.append(f"{method.name}: {text}")
    return firmware.shorten_too(ast.unparse(ast.fix_missing_locations(tree))), sites


def main(sites: int, unreached: int) -> str:
    """Its main.py."""
    return firmware.follow(_MAIN.format(sites=sites, unreached=unreached))
