"""Makes the short texts of a job constants of its module, in the compiled file.

mpy-cross makes a name of each text of up to ten characters, and a name stays in RAM for as long as
the board is on. A constant goes with its module. So a text that only one job has, and that names
nothing there, becomes one: in the code, the instruction that loads a name is replaced by the one
that loads a constant, which has the same length. The name of a keyword argument is such a text,
too, but has to stay: a function compares it by its number.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Set

_MAGIC, _HEADER = b"M\x06", 4
_LOAD_NAME, _LOAD_CONSTANT = 0x10, 0x23
_FORMATS = 0x3A4  # two bits for each sixteen instructions: what follows them
_NAME, _NUMBER, _OFFSET = 1, 2, 3
_EXTRA_BYTE = 0x9E  # one more byte follows an instruction without any of these bits
_ONE_BYTE = 128  # an operand below it has one
_EMPTY = b"\x03"  # a name that each interpreter has in ROM, ""
_TEXT = 5  # kinds of constants
_TUPLE, _NO_DATA, _WITH_END = 10, 4, (5, 6)


class _Reader:
    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        value = 0
        while True:
            byte = self.byte()
            value = value << 7 | byte & 0x7F
            if byte < _ONE_BYTE:
                return value


def _number(value: int) -> bytes:
    out = bytes((value & 0x7F,))
    while value := value >> 7:
        out = bytes((value & 0x7F | 0x80,)) + out
    return out


class Module:
    """A compiled module: `names`, as they are in the file, and None for one that is in ROM."""

    def __init__(self, data: bytes) -> None:
        reader = _Reader(data, _HEADER)
        self._header = data[:_HEADER]
        count, self._constants = reader.number(), reader.number()
        self._entries, self.names = [], []
        for _ in range(count):
            start = reader.at
            size = reader.number()
            name = None
            if not size & 1:
                name = data[reader.at : reader.at + size // 2]
                reader.at += size // 2 + 1
            self._entries.append(data[start : reader.at])
            self.names.append(name)
        start = reader.at
        for _ in range(self._constants):
            _skip_constant(reader)
        self._objects = data[start : reader.at]
        self._code = bytearray(data[reader.at :])
        self._loads: list[tuple[int, int]] = []  # where, which name: as a text
        self._others = {0}  # the names that are used otherwise; the first is the module's
        self._read_code(_Reader(bytes(self._code)))

    def texts(self) -> Iterator[bytes]:
        """The names that are nothing but texts here, and may become constants."""
        for number in {name for _, name in self._loads} - self._others:
            name = self.names[number]
            if name is not None and number < _ONE_BYTE:
                yield name

    def make_constants(self, texts: set[bytes]) -> bytes:
        """The module in which these texts are constants."""
        entries, objects, code = list(self._entries), self._objects, bytearray(self._code)
        places: dict[int, int] = {}
        for at, number in self._loads:
            if self.names[number] not in texts:
                continue
            if number not in places:
                text, place = self.names[number], self._constants + len(places)
                if place >= _ONE_BYTE:
                    continue
                places[number] = place
                entries[number] = _EMPTY
                objects += bytes((_TEXT,)) + _number(len(text)) + text + b"\0"
            code[at : at + 2] = _LOAD_CONSTANT, places[number]
        counts = _number(len(entries)) + _number(self._constants + len(places))
        return self._header + counts + b"".join(entries) + objects + bytes(code)

    def _read_code(self, reader: _Reader) -> None:
        size = reader.number()
        end = reader.at + (size >> 3)
        if size & 3:
            raise ValueError("native code")
        self._read_function(reader, end)
        reader.at = end
        if size & 4:
            for _ in range(reader.number()):
                self._read_code(reader)

    def _read_function(self, reader: _Reader, end: int) -> None:
        byte = reader.byte()
        arguments = byte & 3
        keywords = shift = 0
        while byte & 0x80:
            byte = reader.byte()
            arguments |= (byte & 4) << shift
            keywords |= (byte >> 3 & 1) << shift
            shift += 1
        info = cells = shift = 0
        while True:
            byte = reader.byte()
            info |= (byte >> 1 & 0x3F) << 6 * shift
            cells |= (byte & 1) << shift
            shift += 1
            if not byte & 0x80:
                break
        code = reader.at + info + cells
        for _ in range(1 + arguments + keywords):
            self._others.add(reader.number())
        reader.at = code
        while reader.at < end:
            self._read_instruction(reader)

    def _read_instruction(self, reader: _Reader) -> None:
        at, code = reader.at, reader.byte()
        kind = _FORMATS >> 2 * (code >> 4) & 3
        if kind in (_NAME, _NUMBER):
            operand = reader.number()
            if code == _LOAD_NAME:
                self._loads.append((at, operand))
            elif kind == _NAME:
                self._others.add(operand)
        elif kind == _OFFSET:
            reader.at += 2 if reader.data[reader.at] & 0x80 else 1
        if not code & _EXTRA_BYTE:
            reader.at += 1


def _skip_constant(reader: _Reader) -> None:
    kind = reader.byte()
    if kind <= _NO_DATA:
        return
    size = reader.number()
    if kind == _TUPLE:
        for _ in range(size):
            _skip_constant(reader)
    else:
        reader.at += size + (kind in _WITH_END)


def _is_bytecode(data: bytes) -> bool:
    # Behind the version stands what native code is for. Of another version not a byte is touched.
    return data[:2] == _MAGIC and not data[2] >> 2


def free(modules: Mapping[str, bytes], keywords: Set[str]) -> dict[str, bytes]:
    """The compiled modules, by their path below flyve, in whose jobs texts are constants.
    keywords: the names of keyword arguments."""
    kept = {word.encode() for word in keywords}
    read = {name: Module(data) for name, data in modules.items() if _is_bytecode(data)}
    counts = Counter(name for module in read.values() for name in {*module.names} if name)
    found = dict(modules)
    for name, module in read.items():
        if name.startswith("jobs/"):
            alone = {text for text in module.texts() if counts[text] == 1} - kept
            found[name] = module.make_constants(alone)
    return found
