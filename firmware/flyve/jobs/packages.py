"""Applications on the flash: folders /apps/<name>/<version>, and .current that says which counts.

.current has the folder in use and, in its second line, the one before it. It changes by one
rename, so a power cut leaves the old application or the new one; a folder that it does not name is
garbage, which the next installation removes.
"""

import os

from micropython import const

from flyve import log
from flyve.jobs import files, paths, texts
from flyve.registry import Failed

AGENT = const("flyve-mdm-esp32")  # the package that is the agent itself

_ROOT = const("/apps")


def _names():
    try:
        return os.listdir(_ROOT)
    except OSError:
        return []


def _base(name):
    if name[:1] == ".":
        raise Failed("refused name")
    return _ROOT + "/" + paths.segment(name)


def _read(name):
    """The folders of an application, the current one first."""
    try:
        return str(texts.read(_ROOT + "/" + name + "/.current", 256), "utf-8").split()
    except (OSError, ValueError):
        return []


def _write(base, folders):
    with open(base + "/.next", "w") as f:
        f.write("\n".join(folders))
    os.rename(base + "/.next", base + "/.current")


def installed():
    """Yields (name, folder) of each application; the folder's name is its version, and maybe a
    "~"."""
    for name in _names():
        folders = _read(name)
        if folders:
            yield name, "%s/%s/%s" % (_ROOT, name, folders[0])


def reclaim(bare=None):
    """A job: removes garbage, and the old version of the application bare (True: of all)."""
    for name in _names():
        if name[0] == ".":
            continue
        base = _ROOT + "/" + name
        if not os.stat(base)[0] & 0x4000:
            os.remove(base)
            continue
        keep = _read(name)
        if bare in (True, name):
            keep = keep[:1]
        for entry in os.listdir(base):
            if entry not in keep and not (keep and entry == ".current"):
                yield from files.delete(base + "/" + entry)
        if not keep:
            os.rmdir(base)


def remove(name):
    """Removes an application at once; what is returned is the job that frees its space."""
    if name == AGENT:
        raise Failed("the agent cannot be removed")
    current = _base(name) + "/.current"
    if files.size(current) >= 0:
        os.remove(current)
        log.info("packages", "%s removed", name)
    return reclaim()


def install(place, name, version, task=None):
    """A job: installs the package in the file at that path, which is gone then, or the firmware
    in that OTA partition; returns True for firmware and for the agent itself, which a restart
    makes current: the task is "trial" by then. Raises Failed or Incompatible, and nothing has
    changed."""
    path = place if isinstance(place, str) else None
    try:
        restart = not path or name == AGENT
        if restart and task:
            # A cut after the installation must find out how it has ended.
            task["status"] = "trial"
            from flyve.jobs import tasks

            tasks.put(task)
        if not path:
            from flyve.jobs import slot

            slot.boot(place)
        elif restart:
            from flyve.jobs import update

            number, target = update.spare()
            yield from _unpack(path, target, None, "flyve/agent.mpy")
            update.try_slot(number)
        else:
            yield from _install(path, name, version)
    except OSError as e:
        yield from reclaim()
        raise Failed("flash: %s" % log.reason(e))
    finally:
        if path and files.size(path) >= 0:
            os.remove(path)
    log.info("packages", "%s %s installed", name, version)
    return restart


def _install(path, name, version):
    head = texts.read(path, 511)
    base = _base(name)
    folder = paths.segment(version)
    if folder[0] == "." or folder.split() != [folder]:
        raise Failed("refused version")
    new = base + "/.new"
    if head[257:262] == b"ustar":
        yield from _unpack(path, new, name)
    else:
        module = "/app.py"
        if head[:1] == b"M" and len(head) > 4 and head[1] < 32:
            from flyve.jobs import bundle

            bundle.check_mpy(head)
            module = "/app.mpy"
        elif not head or min(head) < 9:
            raise Failed("neither bundle, module nor image")
        yield from reclaim(name)
        files.mkdirs(new + "/")
        # MicroPython takes a byte order mark for an error. Moved it is not: see paths.part().
        yield from _copy(path, 3 if head[:3] == b"\xef\xbb\xbf" else 0, new + module)
    try:
        yield from _compile(new)
    except Failed:
        yield from reclaim()
        raise
    folders = _read(name)[:1]
    if folder in folders:
        folder += "~"
    os.rename(new, base + "/" + folder)
    _write(base, [folder] + folders)
    yield from reclaim()


def _compile(folder):
    """Raises Failed when what is source in a folder is no Python, before it becomes current."""
    for entry in os.ilistdir(folder):
        path = folder + "/" + entry[0]
        if entry[1] & 0x4000:
            yield from _compile(path)
        elif path[-3:] == ".py":
            try:
                with open(path) as f:
                    compile(f.read(), entry[0], "exec")
            except MemoryError:
                pass  # there may be more for it at its start
            except (SyntaxError, ValueError) as e:  # ValueError: it is no text in UTF-8
                raise Failed("%s does not compile: %r" % (entry[0], e))
            yield


def _copy(path, at, target):
    buf = memoryview(bytearray(512))
    with open(path, "rb") as f, open(target, "wb") as out:
        f.seek(at)
        while True:
            n = f.readinto(buf)
            if not n:
                return
            out.write(buf[:n])
            yield


def _unpack(path, target, bare, wanted=None):
    from flyve.jobs import bundle

    buf = memoryview(bytearray(bundle.BUFFER))
    with open(path, "rb") as f:
        need = yield from bundle.check(f, buf, wanted)
        yield from reclaim(bare)
        yield from files.delete(target)
        if need > _free():
            yield from reclaim(True)
            free = _free()
            if need > free:
                raise Failed("no space: %d bytes needed, %d free" % (need, free))
        yield from bundle.unpack(f, buf, target)


def _free():
    size, count, _ = files.free()
    return size * max(0, count - 6)  # folders and .current need blocks, too
