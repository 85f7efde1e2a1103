"""agent.mpy: all modules of the agent and its page in one file, as firmware/flyve/__init__.py
reads it.

The module `agent` comes first, so that the file is that module, too: boot.py and `flyve` find a
compiled file under this name. The others follow, in the end the index: a line for each module,
with its path below flyve and the offset at which it begins, and one without a path for the file's
end. It has parts, which no line leaves, for a board has no memory for all of it at once.
"""

from collections.abc import Mapping

PARTS, PART = 10, 256  # of the index, and bytes of each
INDEX = PARTS * PART
_FIRST = "agent"


class ArchiveError(Exception):
    """These modules cannot be in one archive; the text says why."""


def pack(modules: Mapping[str, bytes]) -> bytes:
    """The archive of compiled modules by their path below flyve, as "jobs/rest"; what is none,
    does not begin with an "M"."""
    names = sorted(modules, key=lambda name: (name != _FIRST, name))
    size = sum(map(len, modules.values())) + INDEX
    parts, body = [f"\n {size:06}\n".encode()], b""
    for name in names:
        if modules[name][:1] == b"M" and modules[name][:4] != modules[names[0]][:4]:
            raise ArchiveError(f"{name} is for another architecture, or holds native code")
        line = f"{name} {len(body):06}\n".encode()
        if len(parts[-1] + line) > PART:
            parts.append(b"\n")
        parts[-1] += line
        body += modules[name]
    if len(parts) > PARTS:
        raise ArchiveError(f"the index has {len(parts)} parts, the agent reads {PARTS}")
    parts += [b""] * (PARTS - len(parts))
    return body + b"".join(part.ljust(PART, b"\n") for part in parts)


def unpack(archive: bytes) -> dict[str, bytes]:
    """The modules of an archive, by their path below flyve."""
    lines = archive[-INDEX:].decode().split("\n")
    entries = [line.split() for line in lines if line and line[0] != " "]
    edges = [int(offset) for _, offset in entries] + [len(archive) - INDEX]
    return {
        name: archive[start:end]
        for (name, _), start, end in zip(entries, edges, edges[1:], strict=False)
    }
