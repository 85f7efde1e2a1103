# On the flash of a virtual board, in the place of its agent: how often the flash is read for
# imports. The host reads the lines with `reads:`.

import os
import sys

from machine import flash_reads


def _count(name):
    before = flash_reads()
    __import__(name, None, None, ("x",))
    return flash_reads() - before


def imports(jobs, bare):
    """Prints `reads: start <n>` for what stays, `reads: <job> <n>` for each of the jobs' modules,
    by itself, and `reads: bare <n>` for a module of a folder of the root."""
    print("reads: start", _count("flyve.agent") + _count("flyve.online"))
    from flyve import memory

    for name in jobs:
        _count("flyve.jobs." + name)  # with it comes what it imports itself
        sys.modules.pop("flyve.jobs." + name)
        if sys.modules.pop("urequests", None):  # rest changes it
            __import__("urequests")
        print("reads:", name, _count("flyve.jobs." + name))
        memory.drop()
    print("reads: bare", _count(bare))
    before = flash_reads()
    os.statvfs("/")
    print("reads: statvfs", flash_reads() - before)
