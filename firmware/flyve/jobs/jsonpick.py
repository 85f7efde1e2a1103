"""Picks a few values out of a JSON stream of any length, in constant memory.

Checked: all on the way to a wanted value (keys, colons, brackets, escapes) and the value itself;
in what is skipped, that strings end and that each bracket is closed by its own kind. Not checked:
the rest of what is skipped, commas (they count as blanks: the backend's documentation has too
many and too few), and what follows the last wanted value or the document.
"""

import json

from micropython import const

from flyve import log

LIMIT = 1024  # bytes of a wanted value, as UTF-8

_AHEAD = const(4096)  # bytes before the document that are passed over
_SMALLEST = const(256)  # bytes of a buffer: more than a look ahead takes
_SHOWN = const(96)  # of them, in the log
_PAIR = const((0xD800 << 10) + 0xDC00 - 0x10000)  # what the halves of a pair have too much
_DEPTH = const(2048)  # open brackets of a skipped part
_QUOTE = const(0x22)
_COMMA = const(0x2C)
_COLON = const(0x3A)
_ARRAY = const(0x5B)
_BACKSLASH = const(0x5C)
_OBJECT = const(0x7B)
_CASE = const(0x20)  # "[" | _CASE is "{": the test for both
_CLOSES = const(2)  # "]" - "[" and "}" - "{"


class JsonError(ValueError):
    """JSON that cannot be used; the text says why and at which byte, and quotes no value."""


class NotJson(JsonError):
    """The stream begins with something else than an object or an array, or is empty."""


class Truncated(JsonError):
    """The stream ended inside the document."""


def _escaped(buf, start, end):
    # 1 if an odd number of backslashes stands before end; start must not split an escape.
    at = end
    while at > start and buf[at - 1] == _BACKSLASH:
        at -= 1
    return (end - at) & 1


def _literal(text):
    # MicroPython's json takes a little more than JSON: 01, -.5, 1. and 1.e5.
    whole, point, fraction = text.partition(".")
    digits = whole.lstrip("-")
    if (digits[:1] == "0" and digits[1:2].isdigit()) or (
        point and not (digits.isdigit() and fraction[:1].isdigit())
    ):
        raise ValueError
    return json.loads(text)


class _Scanner:
    def __init__(self, stream, buf):
        self.readinto = stream.readinto
        self.buf = buf
        self.start = 0  # the offset of buf[0] in the stream
        self.at = self.end = 0  # in buf: the next byte, the end of what was read
        self.text = bytearray(64)  # the key or value being gathered
        skipper = self._skipper()
        next(skipper)
        self.skip = skipper.send

    def fail(self, what, kind=JsonError):
        raise kind("%s at byte %d" % (what, self.start + (self.at or 1) - 1))

    def fill(self, at=0):
        # Always the whole buffer: a slice of it would cost an allocation a read.
        self.start += self.end
        self.end = self.readinto(self.buf) or 0
        self.at = 0
        if not self.end:
            self.fail("truncated", Truncated)
        self.at = at

    def byte(self):
        if self.at == self.end:
            self.fill()
        c = self.buf[self.at]
        self.at += 1
        return c

    def ahead(self, c):
        """Passes over what PHP or an editor has put before the document, c being its first byte:
        notices, a BOM. Returns the document's first byte, which is read; 0 when there is none."""
        head = bytearray()
        try:
            while self.start + self.at <= _AHEAD:
                if len(head) < _SHOWN:
                    head.append(c if 0x20 <= c < 0x7F else 0x3F)
                c = self.byte()
                if c | _CASE == _OBJECT and self.begins(c, not head.decode().strip("?")):
                    text = head.decode().lower()
                    if "<!doctype" in text or "<html" in text or text[:5] == "<?xml":
                        break
                    at = self.start + self.at - 1
                    log.warn("rest", "passed over %d bytes before the JSON: %s", at, head.decode())
                    return c
        except Truncated:
            pass
        return 0

    def begins(self, c, alone):
        """True when a document begins with the bracket c, which was just read, and what follows
        it: so it does not in the {main} of a stack trace, or where a notice quotes code. alone:
        nothing that can be read stands before it, so it may be empty, or hold texts."""
        buf = self.buf
        first = self.at - 1
        while True:
            text = bytes(buf[first + 1 : min(self.end, first + _SHOWN)]).lstrip()
            mark = text[:1]
            if c == _ARRAY and mark:
                return mark == b"{" or (alone and mark in b'"[]')
            if mark == b'"':
                at = text.find(b'"', 1)
                text = text[at + 1 :].lstrip() if at > 0 else b""
                if text:
                    return text[:1] == b":"
            elif mark:
                return alone and mark == b"}"
            if self.end - first > _SHOWN:
                return False
            size = self.end - first
            buf[:size] = buf[first : self.end]
            self.start += first
            first = 0
            self.at = 1
            self.end = size
            size = self.readinto(memoryview(buf)[size:]) if size < len(buf) else 0
            if not size:
                return False
            self.end += size

    def next(self):
        """The next byte that is no blank."""
        while True:
            c = self.byte()
            # mutants: an exclamation mark is no blank either way
            if c > 0x20 or c not in b" \n\r\t":
                return c

    def escape(self):
        """What an escape stands for, its backslash being read: a byte or a UTF-16 unit."""
        c = self.byte()
        for i in range(8):
            if b'"\\/bfnrt'[i] == c:
                return b'"\\/\b\f\n\r\t'[i]
        if c == 0x75:
            n = 0
            for _ in range(4):
                c = self.byte()
                if 0x30 <= c <= 0x39:
                    c -= 0x30
                elif 0x41 <= c & 0xDF <= 0x46:
                    c = (c & 0xDF) - 0x37
                else:
                    break
                n = n << 4 | c
            else:
                return n
        self.fail("bad escape")

    def gather(self, c, wanted):
        """Reads the string, number or literal that c begins into text; returns its size."""
        quoted = c == _QUOTE
        if not quoted:
            self.at -= 1
        text = self.text
        size = last = 0
        while True:
            c = self.byte()
            bits = 0
            if not quoted:
                # Digits, + - . and / among them, small letters, E.
                if not (0x2A < c < 0x3A and c != _COMMA or 0x60 < c < 0x7B or c == 0x45):
                    if not size:
                        self.fail("no value")
                    self.at -= 1
                    return size
            elif c == _QUOTE:
                return size
            elif c == _BACKSLASH:
                c = self.escape()
                if last >> 10 == 0x36 and c >> 10 == 0x37:
                    # The second half of a pair: takes the place of the first one's U+FFFD.
                    c += (last << 10) - _PAIR
                    size -= 3
                last = 0  # mutants: any value that is half of no pair and no first byte of UTF-8
                if c >> 11 == 0x1B:
                    last = c
                    c = 0xFFFD
                if c > 0x7F:
                    bits = 6 if c < 0x800 else 12 if c < 0x10000 else 18
            else:
                if wanted:
                    if c < 0x20:
                        self.fail("control character in a string")
                    # MicroPython's decoder lets overlong forms, surrogates and
                    # what is above U+10FFFF pass; it finds the other faults.
                    if (
                        c > 0xF4
                        or c & 0xFE == 0xC0
                        or (last == 0xE0 and c < 0xA0)
                        or (last == 0xED and c > 0x9F)
                        or (last == 0xF0 and c < 0x90)
                        or (last == 0xF4 and c > 0x8F)
                    ):
                        self.fail("invalid UTF-8")
                last = c
            while size + 4 > len(text):  # mutants: the buffer grows a byte earlier
                text.append(0)  # mutants: what is in a new byte is overwritten
            # A lead byte begins with as many ones as there are bytes, and a zero.
            text[size] = c >> bits | (bits and 0xFF80 >> bits // 6 & 0xFF)
            size += 1
            while bits:
                bits -= 6
                text[size] = 0x80 | c >> bits & 0x3F
                size += 1
            if size > LIMIT:
                if wanted:
                    self.fail("value longer than %d bytes" % LIMIT)
                size = LIMIT + 1

    def value(self, c):
        size = self.gather(c, True)
        try:
            text = str(memoryview(self.text)[:size], "utf-8")
            return text if c == _QUOTE else _literal(text)
        except ValueError:
            self.at += 1
            self.fail("invalid UTF-8" if c == _QUOTE else "bad number or literal")

    def key(self, c, children):
        """Reads the key that c begins, and its colon; returns the key if it is a child's."""
        if c != _QUOTE:
            self.fail("no key")
        text = self.buf
        at = self.at
        end = text.find(b'"', at, self.end)
        if end < 0 or text.find(b"\\", at, end) >= 0:
            end = self.gather(c, False)
            text = self.text
            at = 0
        else:
            self.at = end + 1
        found = None
        for key in children:
            if key is not None and len(key) == end - at and text.find(key, at, end) == at:
                found = key
        if self.next() != _COLON:
            self.fail("no colon")
        return found

    def _skipper(self):
        """Skips what the sent byte begins, or what is left of it.

        Hops from bracket to bracket: find() and count() do all that lies between two of them.
        A generator, for the brackets seen ahead are good for its next turns too.
        """
        buf = self.buf
        find = buf.find
        far = 0x3FFFFFFF  # a mask: makes -1 the greatest
        opened = bytearray(64)  # mutants: a first size, which grows
        start = -1  # mutants: any value that is no offset
        while True:
            c = yield
            if c != _QUOTE and c | _CASE != _OBJECT:
                self.gather(c, False)
                continue
            opened[0] = c
            quoted = 1 if c == _QUOTE else 0
            depth = 1 - quoted
            while True:
                at = self.at
                end = self.end
                if self.start != start:
                    start = self.start
                    brace = brace_end = bracket = bracket_end = escape = -1
                if brace < at:  # mutants: a bracket that is known is looked for once more
                    brace = find(b"{", at, end) & far
                if brace_end < at:  # mutants: a bracket that is known is looked for once more
                    brace_end = find(b"}", at, end) & far
                if bracket < at:
                    bracket = find(b"[", at, end) & far
                if bracket_end < at:
                    bracket_end = find(b"]", at, end) & far
                if escape < at:
                    escape = find(b'\\"', at, end) & far
                stop = min(brace, brace_end, bracket, bracket_end, escape, end)
                if not depth:
                    c = find(b'"', at, stop) + 1
                    if c:
                        self.at = c
                        break
                elif buf.count(b'"', at, stop) & 1:
                    quoted ^= 1
                if stop == end:
                    self.fill(quoted and _escaped(buf, at, end))
                    continue
                self.at = stop + 1
                if quoted:
                    if stop == escape:
                        self.at += _escaped(buf, at, stop + 1)
                elif stop == brace or stop == bracket:
                    if depth == _DEPTH:
                        self.fail("nested too deep")
                    if depth == len(opened):
                        opened.append(0)  # mutants: what is in a new byte is overwritten
                    opened[depth] = buf[stop]
                    depth += 1
                elif stop != escape:
                    depth -= 1
                    if opened[depth] + _CLOSES != buf[stop]:
                        self.fail("wrong bracket")
                    if not depth:
                        break


def pick(stream, paths, buf=None, transparent=()):
    """Returns the values at the paths that the JSON document in stream has, as a dict by path.

    A path joins keys and array indexes by dots ("glpiactiveprofile.id", "links.0.href"); where
    it occurs more than once, the first one counts. A value is a str (a lone surrogate becomes
    U+FFFD), int, float, bool or None; for an object or an array, the class dict or list stands.
    transparent: names of top-level objects that are looked through, as if their content stood at
    the top too. stream needs readinto(), which gives 0 or None at the end; buf: a bytearray to
    read into; one that is too small to look ahead in is not used. Reads no further than to the
    last value, or to the document's end.
    Raises NotJson, Truncated and JsonError, and whatever readinto() raises.
    """
    tree = {}  # {key: {key: {None: path}}}
    wanted = 0
    for path in paths:
        node = tree
        for key in path.encode().split(b"."):
            node = node.setdefault(key, {})
        wanted += None not in node
        node[None] = path
    top = tree.copy()
    for name in transparent:
        name = name.encode()
        node = top[name] = tree.copy()
        node.update(tree.get(name, ()))
    found = {}
    # mutants: any size of the buffer gives the same values
    s = _Scanner(stream, buf if buf and len(buf) >= _SMALLEST else bytearray(1024))
    try:
        kind = s.next()
    except Truncated:
        kind = 0  # mutants: any value that is no bracket
    if kind | _CASE != _OBJECT:
        first = s.start + (s.at or 1) - 1
        kind = kind and s.ahead(kind)
        if not kind:
            raise NotJson("not a JSON object or array at byte %d" % first)
    # The document is read as if it were the one item of an array.
    s.at -= 1
    kind = _ARRAY
    children = {0: top}  # the part of the tree that is below the open container
    index = 0
    stack = []
    while len(found) < wanted:
        if children:
            c = s.next()
        else:
            s.skip(kind)
            c = kind + _CLOSES
        if c == kind + _CLOSES:
            kind, children, index = stack.pop()
            if not stack:
                break
            continue
        if c == _COMMA:
            continue
        key = index
        if kind == _OBJECT:
            key = s.key(c, children)
            c = s.next()
        index += 1
        node = children.get(key)
        container = c | _CASE == _OBJECT
        if node and None in node:
            path = node.pop(None)
            if not node:
                # mutants: a node without a path stays, and is found and passed over again
                del children[key]
            if not container:
                found[path] = s.value(c)
                continue
            found[path] = dict if c == _OBJECT else list
        if not container or node is None:
            s.skip(c)
            continue
        stack.append((kind, children, index))
        kind = c
        index = 0
        children = node
        if kind == _ARRAY:
            children = {}
            for key in node:
                if key.isdigit() and b"%d" % int(key) == key:
                    children[int(key)] = node[key]
    return found
