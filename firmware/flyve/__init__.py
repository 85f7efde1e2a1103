"""Flyve MDM agent for ESP32 boards, and where its modules are imported from.

littlefs searches a folder of 50 files three times for each import: a thousand reads. So on a board
all modules lie in one file, agent.mpy: the agent's own module, then the others, then the index
(tools/flyve_mdm/build/archive.py). While an import looks for a module, this package is mounted as
a filesystem with nothing but stat() and open(), which are all that it asks of one.

What an import names stays in RAM for as long as the board is on: the module and its path take 60
bytes. So there all jobs are imported by one name, "flyve._", and have their own afterwards.
"""

from micropython import const

VERSION = "2.0.0-esp32"  # the backend refuses less than 2.0.0 for the type "android"
BUILD = 848534400  # 2026-11-21, seconds since 2000: no true clock shows less

_PACKED = const(False)  # the build says True in the tree for a board's flash
_PARTS = const(10)  # of the index, and bytes of each; archive.py has them, too
_PART = const(256)

if not _PACKED:

    def bring(name):
        """Imports the job of that name."""
        return __import__("flyve.jobs." + name, None, None, (name,))

else:
    _ = _wanted = None  # a job that was just imported; the path of the one that is to be
    _open = open
    _archive = "/" + __path__.lstrip("/") + "/agent.mpy"
    mount, umount = max, list  # called with two flags and with nothing; there is nothing to do
    del __path__

    def __getattr__(name):
        """For __path__ an import asks when it looks for a module. What is mounted is seen in the
        root folder, so that is over when the module has been found."""
        if name == "__path__":
            try:
                __import__("vfs").mount(__import__("sys").modules[__name__], "/:")
            except OSError:
                pass  # an import before has had no memory
            return "/:"  # short, for each module's path stays in RAM
        if name[:1] == "_":
            raise AttributeError(name)
        return __import__("flyve." + name, None, None, (name,))

    def bring(name):
        """Imports the job of that name."""
        global _, _wanted
        modules = __import__("sys").modules
        modules.pop("flyve._", None)  # a job at whose top this one is imported
        _wanted = "/jobs/%s.mpy" % name
        try:
            job = __import__("flyve._", None, None, (name,))
            job.__name__ = "flyve.jobs." + name
            modules[job.__name__] = job
            return job
        except ImportError:
            if _wanted:
                # Not even stat() had the memory: to an import that is as if it were not there.
                raise MemoryError(_wanted) from None
            raise
        finally:
            _ = None
            modules.pop("flyve._", None)

    def stat(path):
        """KeyError: there is no such thing, so the import looks for another name."""
        return [{".mpy": 0x8000, "jobs": 0x4000}[path[-4:]]] * 10

    def open(path, mode):
        """The archive where that module begins; ImportError when it has no such module, or is cut
        off and has no index."""
        global _wanted
        __import__("vfs").umount("/:")
        if path == "/_.mpy":
            path, _wanted = _wanted, None
        f = _open(_archive, "rb")
        f.seek(-_PARTS * _PART, 2)
        for _ in range(_PARTS):
            part = f.read(_PART)
            at = part.find(b"\n%s " % path[1:-4])
            if at >= 0:
                f.seek(int(part[at + len(path) - 3 :][:6]))
                return f
        f.close()
        raise ImportError(path)

    # Under no name the index has the file's size: nothing is imported from one that is cut off.
    __getattr__("__path__")
    with open("/.mpy", "rb") as _end:
        if _end.tell() != _end.seek(0, 2):
            raise ImportError(_archive)
    del _end
