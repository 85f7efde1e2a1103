"""The answer of getFullSession, of any size, streamed, with decoys for careless parsers."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from flyve_mdm.backend.glpi import encode
from flyve_mdm.backend.model import ENTITY, PROFILES, Session, timestamp
from flyve_mdm.backend.options import Options

_FILLER = b'{\\"glpiactiveprofile\\":{\\"id\\":666}} \\\\ \xc3\xa9 \xf0\x9f\x90\x9d '
_BLOCK = b",".join(
    encode(
        {
            "id": 1000 + i,
            "name": f'Root entity > Zürich "{i}" \\ north',
            "is_recursive": i % 2,
            "glpiactiveprofile": {"id": 600 + i},
            "plugin_flyvemdm_guest_profiles_id": 700 + i,
        }
    )
    for i in range(64)
)


class _Decoys:
    """A JSON array of `blocks` repetitions of the same entities."""

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        self.size = 2 + blocks * len(_BLOCK) + max(0, blocks - 1)

    def __iter__(self) -> Iterator[bytes]:
        yield b"["
        for index in range(self._blocks):
            yield b"," + _BLOCK if index else _BLOCK
        yield b"]"


def document(session: Session, options: Options) -> tuple[int, Callable[[], Iterator[bytes]]]:
    """Size and pieces of the session's document; `full_session_size` pads it exactly."""
    missing = max(0, options.full_session_size - _size(_pieces(session, options, 0, 0)))
    blocks = missing // (len(_BLOCK) + 1)
    filler = max(0, options.full_session_size - _size(_pieces(session, options, blocks, 0)))
    pieces = _pieces(session, options, blocks, filler)

    def stream() -> Iterator[bytes]:
        for piece in pieces:
            yield from piece if isinstance(piece, _Decoys) else (piece,)

    return _size(pieces), stream


def _size(pieces: list[bytes | _Decoys]) -> int:
    return sum(p.size if isinstance(p, _Decoys) else len(p) for p in pieces)


def _pieces(session: Session, options: Options, blocks: int, filler: int) -> list[bytes | _Decoys]:
    shuffle = None
    if options.full_session_seed is not None:
        shuffle = random.Random(options.full_session_seed).shuffle
    active: dict[str, Any] = {
        "id": session.profile,
        "name": PROFILES[session.profile],
        "interface": "central",
        "is_default": 0,
        "helpdesk_hardware": 0,
        "ticket_status": {"1": {"2": 0, "id": 5}, "2": {"1": 0, "id": 6}},
        "ticket": 0,
        "computer": 0,
        "plugin_flyvemdm_flyvemdm": 0,
        "comment": None,
        "entities": _Decoys(blocks // 3),
    }
    first = {"id": 0, "name": "Root entity", "is_recursive": 1}
    profiles: dict[str, Any] = {
        str(profile): {"name": PROFILES[profile], "id": profile + 200, "entities": [first]}
        for profile in session.user.profiles
    }
    profiles["4242"] = {"name": "decoys", "entities": _Decoys(blocks - blocks // 3)}
    members: dict[str, Any] = {
        "glpi_plugins": {"1": "flyvemdm", "2": "fusioninventory"},
        "valid_id": "k7Q2pl" * 6,
        "glpi_currenttime": timestamp(),
        "glpi_use_mode": 0,
        "glpiID": session.user.id,
        "glpiis_ids_visible": "0",
        "glpifriendlyname": session.user.login,
        "glpiname": session.user.login,
        "glpirealname": session.user.realname,
        "glpifirstname": session.user.firstname,
        "glpidefault_entity": 0,
        "glpilanguage": "en_GB",
        "glpilist_limit": "15",
        "glpiprofiles": profiles,
        "glpiactiveprofile": active,
        "glpiactive_entity": session.entity,
        "glpiactive_entity_name": "Root entity > Company",
        "glpiactiveentities": {"0": "0", str(ENTITY): str(ENTITY)},
        "glpigroups": [],
        "glpipadding": _filler(filler),
    }
    guest = {"given": 9, "empty": ""}
    if options.guest_key in guest:
        members["plugin_flyvemdm_guest_profiles_id"] = guest[options.guest_key]
    pieces = _object(members, shuffle)
    if options.wrapped:
        pieces = [b'{"session":', *pieces, b"}"]
    return pieces


def _object(
    members: dict[str, Any], shuffle: Callable[[list], None] | None
) -> list[bytes | _Decoys]:
    keys = list(members)
    if shuffle:
        shuffle(keys)
    pieces: list[bytes | _Decoys] = []
    for index, key in enumerate(keys):
        pieces.append((b"," if index else b"{") + json.dumps(key).encode() + b":")
        value = members[key]
        if isinstance(value, (bytes, _Decoys)):
            pieces.append(value)
        elif isinstance(value, dict) and value:
            pieces += _object(value, shuffle)
        else:
            pieces.append(encode(value))
    return [*pieces, b"}"]


def _filler(size: int) -> bytes:
    whole, rest = divmod(size, len(_FILLER))
    return b'"' + _FILLER * whole + b"x" * rest + b'"'


def documented_sample(session: Session, options: Options) -> bytes:
    """The document's sample, trailing comma included."""
    guest = {"given": "9", "empty": '""'}.get(options.guest_key)
    last = f',\n\n  "plugin_flyvemdm_guest_profiles_id": {guest}' if guest else ""
    return (
        '{\n  "glpi_plugins": {\n    "1": "flyvemdm",\n    "2": "fusioninventory"\n  },\n\n'
        '  "snip": "many content here, not shown",\n\n'
        f'  "glpiactiveprofile": {{\n    "id": {session.profile},\n'
        f'    "name": "{PROFILES[session.profile]}",\n  }},\n\n'
        f'  "snip": "many content here, not shown"{last}\n}}\n'
    ).encode()
