"""agent.mpy: all modules of the agent in one file, as firmware/flyve/__init__.py reads it.

The module `agent` comes first, so that the file is that module, too: boot.py and `flyve` find a
compiled file under this name. The others follow, in the end the index: a line for each module,
with its path below flyve and the offset at which it begins.
"""

from collections.abc import Mapping

INDEX = 1280  # bytes
_FIRST = "agent"


class ArchiveError(Exception):
    """These modules cannot be in one archive; the text says why."""


def pack(modules: Mapping[str, bytes]) -> bytes:
    """The archive of compiled modules by their path below flyve, as "jobs/rest"."""
    names = sorted(modules, key=lambda name: (name != _FIRST, name))
    lines, body = [""], b""
    for name in names:
        if modules[name][:4] != modules[names[0]][:4]:
            raise ArchiveError(f"{name} is for another architecture, or holds native code")
        lines.append(f"{name} {len(body):06}")
        body += modules[name]
    index = "\n".join(lines).encode() + b"\n"
    if len(index) > INDEX:
        raise ArchiveError(f"the index has {len(index)} bytes, the agent reads {INDEX}")
    return body + index.rjust(INDEX, b"\n")


def unpack(archive: bytes) -> dict[str, bytes]:
    """The modules of an archive, by their path below flyve."""
    entries = [line.split() for line in archive[-INDEX:].decode().split("\n") if line]
    edges = [int(offset) for _, offset in entries] + [len(archive) - INDEX]
    return {
        name: archive[start:end]
        for (name, _), start, end in zip(entries, edges, edges[1:], strict=False)
    }
