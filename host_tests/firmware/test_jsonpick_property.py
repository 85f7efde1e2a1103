"""jsonpick in MicroPython against CPython's json, on documents, cuts and garbage by hypothesis.

Each test is there as a sample, always the same, and marked `soak` as a long run of random ones:
100,000 documents.
"""

import json
import math
import random
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HEAP = "8M"
LIMIT = 1024  # jsonpick.LIMIT
TOP = "session"  # the object that is looked through

# Few keys, so that paths meet; some that must be told apart; some of several bytes in UTF-8.
KEYS = ["id", "a", "b", "0", "1", "01", "", TOP, "i\\d", '"', "é", "\U0001f41d", "\ufffd", "a.b"]
LONE = [chr(c) for c in (0xD800, 0xDBFF, 0xDC00, 0xDFFF)]


class Pairs(list):
    """An object as its members, in order, a key as often as it comes."""


keys = st.sampled_from(KEYS) | st.text(max_size=4)
texts = st.text(max_size=12) | st.text([*'[]{}",:\\/\n\0aé€\U0001f600', *LONE], max_size=12)
long_texts = st.builds(str.__mul__, st.sampled_from("aé€\U0001f600\n"), st.integers(200, 1100))
numbers = st.one_of(
    st.integers(-10, 10),
    st.integers(),
    st.floats(-1e30, 1e30, allow_subnormal=False),
)


def documents_of(texts, leaves):
    return st.recursive(
        st.none() | st.booleans() | numbers | texts,
        lambda inner: (
            st.lists(inner, max_size=4) | st.lists(st.tuples(keys, inner), max_size=4).map(Pairs)
        ),
        max_leaves=leaves,
    ).filter(lambda value: isinstance(value, list))


documents = documents_of(texts | texts | long_texts, 20)
small_documents = documents_of(texts, 8)
segments = st.sampled_from([key for key in KEYS if "." not in key] + ["2", "00", "-1", "x"])
paths = st.lists(segments, min_size=1, max_size=4).map(".".join)
seeds = st.integers(0, 2**32)


class Writer:
    """Writes a document as JSON in one of the many ways there are."""

    def __init__(self, seed):
        self._random = random.Random(seed)
        self._ascii = self._random.random() < 0.4
        self._escapes = self._random.choice((0, 0, 0.2))
        self._blanks = self._random.choice((0, 0, 0.5))

    def document(self, value):
        return self._value(value).encode() + self._blank().encode()

    def _value(self, value):
        if isinstance(value, Pairs):
            members = (self._text(k) + self._blank() + ":" + self._value(v) for k, v in value)
            return self._around("{", members, "}")
        if isinstance(value, list):
            return self._around("[", map(self._value, value), "]")
        if isinstance(value, str):
            return self._blank() + self._text(value) + self._blank()
        text = json.dumps(value)
        if isinstance(value, float) and self._random.random() < 0.5:
            text = text.replace("e", "E")
        return self._blank() + text + self._blank()

    def _around(self, opening, items, closing):
        return self._blank() + opening + ",".join(items) + self._blank() + closing + self._blank()

    def _text(self, text):
        return self._blank() + '"' + "".join(map(self._character, text)) + '"'

    def _character(self, c):
        if self._random.random() < self._escapes:
            units = c.encode("utf-16-be", "surrogatepass")
            form = self._random.choice(("\\u%02x%02x", "\\u%02X%02X"))
            return "".join(form % tuple(units[i : i + 2]) for i in range(0, len(units), 2))
        if c == "/" and self._escapes:
            return "\\/"
        return json.dumps(c, ensure_ascii=self._ascii or c in LONE)[1:-1]

    def _blank(self):
        if self._random.random() < self._blanks:
            return "".join(self._random.choices(" \t\r\n", k=self._random.randint(1, 3)))
        return ""


def parse(text):
    """What CPython reads, objects as Pairs; pairs of surrogates joined, lone ones replaced."""

    def clean(text):
        return re.sub("[\ud800-\udfff]", "\ufffd", text)

    def walk(value):
        if isinstance(value, Pairs):
            return Pairs((clean(k), walk(v)) for k, v in value)
        if isinstance(value, list):
            return [walk(v) for v in value]
        return clean(value) if isinstance(value, str) else value

    return walk(json.loads(text, object_pairs_hook=Pairs))


def items(value):
    if isinstance(value, Pairs):
        yield from value
    elif isinstance(value, list):
        yield from ((str(index), item) for index, item in enumerate(value))


def nodes(value, at=()):
    """Each path of the document with its value, in the order of the text."""
    for key, inner in items(value):
        yield (*at, key), inner
        yield from nodes(inner, (*at, key))


def expected(document, wanted, transparent):
    """{index of the path: value}, or None where a wanted value is beyond the limit."""
    sought = {tuple(path.split(".")): path for path in wanted}
    through = isinstance(document, Pairs)
    found = {}
    for at, value in nodes(document):
        path = sought.get(at)
        if path is None and through and at[0] in transparent:
            path = sought.get(at[1:])
        if path is None or path in found:
            continue
        if isinstance(value, str) and len(value.encode()) > LIMIT:
            return None
        found[path] = value
        if len(found) == len(sought):
            break
    return {wanted.index(path): value for path, value in found.items()}


def same(told, value):
    """Whether what MicroPython tells of a value is that value."""
    kind, text = told
    if isinstance(value, Pairs):
        return kind == "dict"
    if isinstance(value, list):
        return kind == "list"
    if isinstance(value, str):
        return kind == "str" and text.decode() == value
    if kind != type(value).__name__:
        return False
    if isinstance(value, float):
        # MicroPython rounds the last digits in its own way.
        return math.isclose(float(text), value, rel_tol=1e-12, abs_tol=1e-300)
    return text == str(value)


def agree(answer, values):
    if values is None:
        return answer[0] == "JsonError" and answer[1].startswith("value longer than 1024 bytes")
    kind, told = answer
    if kind != "found" or told.keys() != {str(index) for index in values}:
        return False
    return all(same(told[str(index)], value) for index, value in values.items())


def choose(seed, document):
    """Paths that exist or nearly do, and how to read: sizes of reads, of the buffer, and TOP."""
    chance = random.Random(seed)
    there = [".".join(at) for at, _ in nodes(document)]
    wanted = chance.sample(there, min(len(there), chance.randint(0, 4)))
    transparent = [TOP] if chance.random() < 0.5 else []
    if transparent:
        # A path that begins with the name itself is another question.
        wanted = [path.removeprefix(TOP + ".") for path in wanted]
        wanted = [path for path in wanted if path.split(".")[0] != TOP]
    reads = [chance.choice((1, 2, 3, 7, 64, 5000)) for _ in range(chance.randint(1, 4))]
    return wanted, reads, chance.choice((1, 2, 5, 16, 64, 1024)), transparent


def explore(sample, whole, **strategies):
    """Makes a test of a check that takes `upy` and one draw of the strategies."""

    def decorate(check):
        long_run = pytest.param(whole, marks=[pytest.mark.soak, pytest.mark.timeout(7200)])

        @pytest.mark.parametrize("number", [sample, long_run])
        def test(upy, number):
            @settings(
                max_examples=number,
                deadline=None,
                database=None,
                derandomize=number == sample,
                suppress_health_check=list(HealthCheck),
            )
            @given(**strategies)
            def run(**drawn):
                check(upy, **drawn)

            run()

        return test

    return decorate


@explore(700, 100_000, document=documents, more=st.lists(paths, max_size=4), seed=seeds)
def test_documents(upy, document, more, seed):
    text = Writer(seed).document(document)
    document = parse(text)
    wanted, reads, size, transparent = choose(seed, document)
    more = [path for path in more if not (transparent and path.split(".")[0] == TOP)]
    wanted = sorted({*wanted, *more} or {"a"})
    answer = upy.call("jsonpick_calls", "pick", text, wanted, reads, size, transparent)
    values = expected(document, wanted, transparent)
    assert agree(answer, values), (text, wanted, reads, size, transparent, values, answer)


@explore(60, 5_000, document=small_documents, seed=seeds)
def test_every_beginning_of_a_document(upy, document, seed):
    """Truncated, unless all that is wanted came before the cut: then it is right."""
    text = Writer(seed).document(document)
    document = parse(text)
    wanted, reads, size, transparent = choose(seed, document)
    wanted = sorted(set(wanted)) or ["a"]
    values = expected(document, wanted, transparent)
    answers = upy.call("jsonpick_calls", "cut", text, wanted, reads, size, transparent)
    for end, answer in enumerate(answers):
        case = text[:end], wanted, reads, size, transparent, answer
        if answer[0] == "found":
            assert agree(answer, values), case
            assert len(values) == len(wanted) or end >= len(text.rstrip()), case
        elif not text[:end].strip():
            assert answer[0] == "NotJson", case
        else:
            assert answer[0] == "Truncated" or agree(answer, values), case


def spoil(text, chance):
    """The text with a few bytes changed, lost, doubled or added."""
    text = bytearray(text)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text) + 1)
        to = at + chance.choice((0, 1, 1, 2))
        text[at:to] = chance.choice(
            (
                b"",
                b'"',
                b"\\",
                b"[",
                b"]",
                b"{",
                b"}",
                b",",
                b":",
                b"\\u",
                b"\\ud83d",
                text[at:to] * 2,
            )
            + tuple(bytes([chance.randrange(256)]) for _ in range(4))
        )
    return bytes(text)


@explore(500, 50_000, document=documents, seed=seeds)
def test_spoiled_documents(upy, document, seed):
    """Whatever comes out, it is the same for all ways of reading, and right if JSON is left."""
    chance = random.Random(seed)
    text = spoil(Writer(seed).document(document), chance)
    wanted, reads, size, transparent = choose(seed, document)
    wanted = sorted(set(wanted)) or ["a"]
    answer = upy.call("jsonpick_calls", "pick", text, wanted, reads, size, transparent)
    whole = upy.call("jsonpick_calls", "pick", text, wanted, [1 << 20], 1 << 16, transparent)
    assert answer == whole, (text, wanted, reads, size, transparent)
    try:
        document = parse(text)
    except (ValueError, RecursionError):
        return
    if isinstance(document, list):
        values = expected(document, wanted, transparent)
        assert agree(answer, values), (text, wanted, transparent, values, answer)


@explore(
    300,
    20_000,
    garbage=st.binary(max_size=60)
    | st.text('[]{}",:\\u0d8fe-+.1 tn\n', max_size=60).map(str.encode),
    opening=st.sampled_from((b"", b"{", b"[", b'{"a":', b'{"a":"', b'{"session":{"a":[{')),
    wanted=st.lists(paths, min_size=1, max_size=3, unique=True),
    seed=seeds,
)
def test_garbage(upy, garbage, opening, wanted, seed):
    """A call that raises anything but JsonError raises here."""
    _, reads, size, transparent = choose(seed, [])
    answer = upy.call(
        "jsonpick_calls", "pick", opening + garbage, wanted, reads, size, transparent
    )
    assert answer[0] in ("found", "JsonError", "NotJson", "Truncated")
