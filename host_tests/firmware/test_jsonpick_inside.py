"""Picking values out of a JSON stream: what is found, what is refused, and at which cost."""

import gc
import io
import json
import time

from flyve import log
from flyve.jobs import jsonpick
from flyve.jobs.jsonpick import JsonError, NotJson, Truncated, pick

SESSION = ("glpiactiveprofile.id", "plugin_flyvemdm_guest_profiles_id")


class Source:
    """A stream that gives at most `most` bytes a time, and None at its end."""

    def __init__(self, data, most=1 << 20):
        self.data = data.encode() if isinstance(data, str) else data
        self.most = most
        self.at = 0

    def readinto(self, buf):
        piece = self.data[self.at : self.at + min(self.most, len(buf))]
        buf[: len(piece)] = piece
        self.at += len(piece)
        return len(piece) or None


def found(text, *paths, **named):
    """The result, the same for every way to cut the text into reads and buffers."""
    values = pick(Source(text), paths, **named)
    for most, size in ((1, 64), (2, 3), (3, 1), (7, 5), (1 << 20, 16)):
        other = pick(Source(text, most), paths, bytearray(size), **named)
        assert other == values, (most, size, other, values)
    return values


def value(text):
    """The value of the only member of an object, in the given text."""
    return found('{"a":%s}' % text, "a")["a"]


def refused(text, *paths, **named):
    """The exception that every way to read raises; two of them must not differ in its text."""
    errors = []
    for most in (1, 2, 5, 1 << 20):
        for size in (1, 6, 1024):
            try:
                got = pick(Source(text, most), paths, bytearray(size), **named)
            except JsonError as e:
                errors.append(e)
            else:
                raise AssertionError("accepted: %r gave %r" % (text, got))
    assert all(str(e) == str(errors[0]) and type(e) is type(errors[0]) for e in errors), errors
    return errors[0]


def bad_value(text, part):
    e = refused(b'{"a":' + text + b"}", "a")
    assert part in str(e) and type(e) is JsonError, str(e)


def test_the_documented_session():
    text = """{
  "glpi_plugins": {
    "1": "flyvemdm",
    "2": "fusioninventory"
  },

  "snip": "many content here, not shown",

  "glpiactiveprofile": {
    "id": 9,
    "name": "Flyve MDM guest users",
  },

  "snip": "many content here, not shown",

  "plugin_flyvemdm_guest_profiles_id": 9
}
"""
    assert found(text, *SESSION) == {SESSION[0]: 9, SESSION[1]: 9}
    assert found(text, "glpi_plugins.2", "snip", "glpiactiveprofile.name") == {
        "glpi_plugins.2": "fusioninventory",
        "snip": "many content here, not shown",
        "glpiactiveprofile.name": "Flyve MDM guest users",
    }


def test_the_documented_agent():
    text = """{
  "id": 65,
  "last_report": null,
  "certificate": "",
  "topic": "/76/agent/AZERTY",
  "mqttpasswd": "YTQUJagG7iBas45thrbwDxtzaQxZIhp4g",
  "api_token": "2qanibb1aoi16d7edqm6wcl14y6f3c24vtjupk4r"
  "broker": "demo.flyve.org",
  "port": 8883,
  "tls": 1,
  "links": [
    {
      "rel": "Computer",
      "href": "https://demo.flyve.org/glpi/apirest.php/Computer/65"
    },
    {
      "rel": "Entity",
      "href": "https://demo.flyve.org/glpi/apirest.php/Entity/76"
    }
  ]
}
"""
    expected = {
        "last_report": None,
        "certificate": "",
        "topic": "/76/agent/AZERTY",
        "api_token": "2qanibb1aoi16d7edqm6wcl14y6f3c24vtjupk4r",
        "broker": "demo.flyve.org",
        "port": 8883,
        "links.1.rel": "Entity",
    }
    assert found(text, *expected) == expected


def test_the_other_documented_answers():
    assert found('{\n  "id": "17"\n}', "id") == {"id": "17"}
    assert found('{"session_token": "83af7e"}', "session_token") == {"session_token": "83af7e"}
    error = '[\n  "ERROR_GLPI_ADD",\n  "wrong email address"\n]\n'
    assert found(error, "0", "1") == {"0": "ERROR_GLPI_ADD", "1": "wrong email address"}
    phones = '{"input":{"_useremails": { "0": "a@b", "1": "c@d" }, "_default_email": "1",}}'
    assert found(phones, "input._useremails.1", "input._default_email") == {
        "input._useremails.1": "c@d",
        "input._default_email": "1",
    }


def test_decoys_do_not_match():
    text = (
        '{"glpiprofiles":{"4":{"id":1,"glpiactiveprofile":{"id":2}}},"id":3,'
        '"x":"\\"glpiactiveprofile\\":{\\"id\\":4}",'
        '"glpiactiveprofile":{"entities":[{"id":5},{"id":6}],"ticket":{"1":{"id":7}},'
        '"ID":8,"i":9,"idd":10,"id ":11,"id":12},'
        '"other":{"plugin_flyvemdm_guest_profiles_id":13}}'
    )
    assert found(text, *SESSION) == {SESSION[0]: 12}


def test_any_order_and_the_first_one_counts():
    text = '{"b":[1,{"c":2}],"a":3,"a":4,"b":[5,{"c":6},7],"d":{},"d":{"e":8}}'
    expected = {"a": 3, "b.1.c": 2, "b.2": 7, "d.e": 8}
    assert found(text, *expected) == expected


def test_transparent_objects():
    wrapped = '{"x":{"a":0},"session":{"x":{"id":1},"a":2,"session":{"b":3}}}'
    assert found(wrapped, "x.id", "a", "b") == {}
    assert found(wrapped, "x.id", "a", "b", transparent=("session",)) == {"x.id": 1, "a": 2}
    both = ("session", "x")
    assert found(wrapped, "a", "session.a", transparent=both) == {"a": 0, "session.a": 2}
    assert found('{"a":1,"session":{"a":2}}', "a", transparent=both) == {"a": 1}
    assert found('[{"session":{"a":1}}]', "a", "0.a", transparent=both) == {}


def test_containers_are_named_by_their_class():
    text = '{"a":{"b":[[],{}]},"c":[]}'
    expected = {"a": dict, "a.b": list, "a.b.0": list, "a.b.1": dict, "c": list}
    assert found(text, *expected) == expected
    assert found(text, "a", "a.b.1") == {"a": dict, "a.b.1": dict}


def test_paths():
    text = '{"":{"":1},"0":{"1":[2,3]},"01":4,"a.b":5,"é":6,"q\\"uo\\\\te":7}'
    expected = {".": 1, "0.1.0": 2, "01": 4, "é": 6, 'q"uo\\te': 7}
    assert found(text, "a.b", "0.1.00", "0.1.x", "0.1.-1", "a", *expected) == expected
    assert found('{"a":{"id":1}}', "a.id.x", "a.id", "a.id.0") == {"a.id": 1}
    assert found("[[],[[1]]]", "1.0.0") == {"1.0.0": 1}
    names = (name for name in ("a", "a"))
    assert pick(Source('{"a":1}'), names) == {"a": 1}


def test_keys_with_escapes():
    text = '{"\\u0069d":1,"a\\/b":2,"\\ud83d\\ude00":3,"\\u00e9\\n":4,"\\\\":{"\\"":5}}'
    expected = {"id": 1, "a/b": 2, "\U0001f600": 3, "é\n": 4, '\\."': 5}
    assert found(text, *expected) == expected
    # The raw text of a key is not its name.
    assert found('{"a\\\\n":1}', "a\n", "a\\\\n") == {}
    assert "bad escape" in str(refused('{"\\x":1}', "a"))


def test_strings():
    assert value('""') == ""
    assert value('"\\"\\\\\\/\\b\\f\\n\\r\\t"') == '"\\/\b\f\n\r\t'
    assert value('"\\u0041\\u00e9\\u20AC\\uffff\\u0000"') == "A\u00e9\u20ac\uffff\0"
    assert value('"\\u00e0A\\u00edz\\u00f0!\\u00f4?"') == "\u00e0A\u00edz\u00f0!\u00f4?"
    assert value('"\\u007f\\u0080\\u07ff\\u0800"') == "\x7f\x80\u07ff\u0800"
    assert value('"aé€\U0001f600\U0010ffff"') == "aé€\U0001f600\U0010ffff"
    # The first and the last of each length, and around the surrogates.
    edges = "\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\U00010000"
    assert value('"%s"' % edges) == edges
    assert value('"http:\\/\\/x\\/{\\"[,"') == 'http://x/{"[,'


def test_surrogates():
    assert value('"\\ud83d\\ude00"') == "\U0001f600"
    assert value('"\\uDBFF\\uDFFF\\uD800\\uDC00"') == "\U0010ffff\U00010000"
    for lone in ("\\ud83d", "\\ude00"):
        assert value('"%s"' % lone) == "\ufffd"
        assert value('"a%sb"' % lone) == "a\ufffdb"
        assert value('"%s\\n"' % lone) == "\ufffd\n"
    assert value('"\\ud83d\\ud83d\\ude00"') == "\ufffd\U0001f600"
    assert value('"\\ude00\\ud83d"') == "\ufffd\ufffd"
    assert value('"\\ud83d\\u0041\\ude00"') == "\ufffdA\ufffd"


def test_bad_strings():
    for text in (b'"\\x41"', b'"\\u12g4"', b'"\\u 123"', b'"\\u+123"', b'"\\U0041"', b'"\\\n"'):
        bad_value(text, "bad escape at byte ")
    for c in b"/:@G`g":  # the neighbours of the digits
        bad_value(b'"\\u12%c4"' % c, "bad escape at byte 10")
    bad_value(b'"a\nb"', "control character in a string at byte 7")
    bad_value(b'"\0"', "control character")
    bad_value(b'"\x1f"', "control character")
    for text in (
        b"\x80",
        b"\xff",
        b"\xc3",
        b"\xc3(",
        b"\xe2\x82",
        b"\xe2\x82\\u20ac",
        b"\xf0\x9f\x98",
        b"\xc0\xaf",
        b"\xc1\xbf",
        b"\xe0\x9f\xbf",
        b"\xf0\x8f\xbf\xbf",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xed\xa0\xbd\xed\xb8\x80",
        b"\xf0\x80\x80\xaf",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\xf8\x88\x80\x80\x80",
    ):
        bad_value(b'"' + text + b'"', "invalid UTF-8 at byte ")
        # Where nothing is wanted nothing is looked at.
        assert found(b'{"b":"' + text + b'","a":1}', "a") == {"a": 1}


def test_numbers_and_literals():
    for text in ("0", "-0", "7", "-12", "1000000007", "123456789012345678901234567890"):
        assert value(text) == int(text) and type(value(text)) is int
    for text in ("0.5", "-0.0", "1e3", "1E+3", "-2.5e-3", "0e0", "0.0001", "12345.678"):
        assert value(text) == float(text) and type(value(text)) is float
    assert value("true") is True and value("false") is False and value("null") is None
    assert found("[1 , 2\n]", "0", "1") == {"0": 1, "1": 2}


def test_bad_numbers_and_literals():
    for text in (
        b"01 -01 00 01e5 1. -.5 .5 1.e5 1e 1e+ 1.2.3 --1 +1 -+1 - -a 1-2 0x10 1a infinity nan "
        b"-nan z tru truefalse nulll nul e1 1e5.5 1/2"
    ).split():
        bad_value(text, "bad number or literal at byte ")
    for text in (b"", b"True", b"Infinity", b"'a'", b"(", b":", b"\x00", b",1", b"]", b"*", b"`"):
        bad_value(text, "no value at byte 5")


def test_structure_on_the_way():
    for text, part in (
        ('{"b" 1,"a":2}', "no colon at byte 5"),
        ('{"b","a":2}', "no colon at byte 4"),
        ('{b:1,"a":2}', "no key at byte 1"),
        ("{1:1}", "no key at byte 1"),
        ('{"b":1],"a":2}', "no key at byte 6"),
        ("{]", "no key at byte 1"),
        ('{"b":{"c":[1}},"a":2}', "wrong bracket at byte 12"),
        ('{"b":[{"c":"]"]],"a":2}', "wrong bracket at byte 14"),
        ('{"b":},"a":2}', "no value at byte 5"),
        ('{"b"::1,"a":2}', "no value at byte 5"),
        ('{"b":12{"a":2}', "no key at byte 7"),
        ('{"b":1}}', None),
    ):
        if part:
            e = refused(text, "a")
            assert str(e) == part and type(e) is JsonError, (text, str(e))
        else:
            assert found(text, "a") == {}
    assert str(refused("[1}", "5")) == "no value at byte 2"
    # No index is wanted, so all of it is skipped.
    assert str(refused("[1}", "a")) == "wrong bracket at byte 2"


def test_commas_are_blanks():
    assert found('{,"a":1,,"b":[,2,]"c":"d"\n"e":3}', "a", "b.0", "c", "e") == {
        "a": 1,
        "b.0": 2,
        "c": "d",
        "e": 3,
    }


def test_not_json():
    for text in ("<html>", "Not Found", '"a"', "12", "true", "\0{}", "}", "z", "Z"):
        e = refused(text, "a")
        assert type(e) is NotJson and str(e) == "not a JSON object or array at byte 0", str(e)
    assert str(refused(" \r\n\t<html>", "a")).endswith(" at byte 4")
    for text in ("", " ", "\n\n"):
        e = refused(text, "a")
        assert type(e) is NotJson and str(e).endswith(" at byte %d" % len(text)), str(e)


# A19
def test_what_php_or_an_editor_puts_before_the_document_is_passed_over_and_told():
    notice = b"<br />\n<b>Notice</b>:  Undefined index: {main} in <b>/x.php</b> on line <b>9</b>"
    for text in (b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n", notice + b"<br />\n", b"\nNotice: x\n"):
        lines = []
        log.sink, sink = lines.append, log.sink
        try:
            for size in (16, 64, 1024):
                source = Source(text + b'{"a": 17, "b": [1]}', size)
                assert pick(source, ("a",), bytearray(size)) == {"a": 17}
        finally:
            log.sink = sink
        assert len(lines) == 3 and "before the JSON" in lines[0], lines


# A19
def test_brackets_in_what_php_says_do_not_begin_the_document():
    dumped = '(1) {\n  ["id"]=>\n  int(5)\n}'
    for text in ('["name"]', "[0]", "[]", '{"a"}', "{}", "int[]", dumped):
        notice = b"<b>Notice</b>: Undefined index: %s in <b>/x.php</b>\n" % text.encode()
        for document in (b'{"a": 17}', b'[{"a": 17}]'):
            for size in (64, 1024):
                found = pick(Source(notice + document, size), ("a", "0.a"), bytearray(size))
                assert list(found.values()) == [17], (text, found)
    assert pick(Source(b"\xef\xbb\xbf[]"), ("a",)) == {}


# A19
def test_a_web_page_with_json_in_it_is_none():
    page = b'<!DOCTYPE html><html><script type="application/ld+json">\n{"a": 1}</script></html>'
    assert type(refused(page, "a")) is NotJson


# A19
def test_what_comes_before_the_document_is_bounded():
    assert pick(Source(b"x" * 3000 + b'{"a": 1}'), ("a",)) == {"a": 1}
    assert type(refused(b"x" * 5000 + b'{"a": 1}', "a")) is NotJson


def test_truncated_at_every_byte():
    text = b' {"a":{"b":[1,"x\\"]\\\\",{}],"c":"\\u00e9\xc3\xa9"},"n":12.5,"t":true,"z":[[]]}'
    expected = {"a.c": "éé", "n": 12.5, "t": True, "z": list}
    assert found(text, *expected) == expected
    complete = text.find(b"[[") + 1
    for cut in range(1, len(text)):
        if cut >= complete:
            assert found(text[:cut], *expected) == expected
        else:
            e = refused(text[:cut], *expected)
            wanted = NotJson if cut == 1 else Truncated
            assert type(e) is wanted and str(e).endswith(" at byte %d" % cut), (cut, str(e))
        # Nothing of it is there to be found: the end of the document must be seen.
        assert type(refused(text[:cut], "q")) is (NotJson if cut == 1 else Truncated)


def test_stops_reading_when_it_has_all():
    source = Source('{"a":1 ,"b":2}' + " " * 100, 1)
    assert pick(source, ("a",)) == {"a": 1} and source.at == 7
    source = Source('{"a":"x"', 1)
    assert pick(source, ("a",)) == {"a": "x"} and source.at == 8
    source = Source("[[1],[2]]garbage", 1)
    assert pick(source, ("5",)) == {} and source.at == 9


def test_values_up_to_the_limit():
    for text, size in (("x", 1), ("é", 2), ("\\u20ac", 3), ("\\ud83d\\ude00", 4), ("\\n", 1)):
        fits = jsonpick.LIMIT // size
        assert len(value('"' + text * fits + '"')) == fits
        e = refused('{"a":"%s"}' % (text * (fits + 1)), "a")
        assert str(e).startswith("value longer than 1024 bytes at byte "), str(e)
        long = '"' + text * 1100 + '"'
        assert found('{"b":%s,%s:1,"a":{"c":%s,"d":2}}' % (long, long, long), "a.d") == {"a.d": 2}
    assert value("1" * 1024) == int("1" * 1024)
    assert "longer" in str(refused('{"a":%s}' % ("1" * 1025), "a"))
    assert found('{"b":%s,"a":1}' % ("1" * 3000), "a") == {"a": 1}
    # A key is cut at the limit, and then equals none.
    assert found('{"%s":1}' % ("k" * 2000), "k" * 1024, "k" * 1999) == {}


def test_errors_do_not_quote_values():
    secret = "7f3aSECRET"
    for text in ('"%s\\x"', '"%s\x01"', '"%s', '"%s"x', "%s", "1%s"):
        text = '{"a":%s' % (text % secret)
        try:
            pick(Source(text), ("a", "b"))
        except JsonError as e:
            assert secret not in str(e) and "SECRET" not in str(e)
        else:
            raise AssertionError(text)


def test_depth():
    deepest = 2048
    for opening, closing in ("[]", "{}"):
        inside = opening * deepest + closing * deepest
        assert found('{"b":%s,"a":1}' % inside, "a") == {"a": 1}
        inside = opening + inside + closing
        assert str(refused('{"b":%s,"a":1}' % inside, "a")) == "nested too deep at byte 2053"
    path = ".".join(["0"] * 300)
    assert found("[" * 300 + "7" + "]" * 300, path) == {path: 7}


def test_brackets_and_quotes_in_skipped_strings():
    for text in ("[", "}", "]{[", "\\\\", '\\"', '\\\\\\"', '[\\"{', "\\\\\\\\", "\\u005b\\/{"):
        for many in (1, 2, 3, 40):
            part = '"%s"' % (text * many)
            json.loads(part)
            for skipped in (part, "[%s]" % part, "[%s,%s]" % (part, part), '{"b":[%s]}' % part):
                assert found('{"x":%s,"a":1}' % skipped, "a") == {"a": 1}, skipped


class Endless:
    """`head`, then `times` repetitions of `part`, then `tail`: a long document without its size
    in memory. It notes the greatest use of the heap."""

    def __init__(self, head, part, times, tail):
        self.parts = [io.BytesIO(tail), io.BytesIO(part), io.BytesIO(head)]
        self.times = times
        self.peak = 0

    def readinto(self, buf):
        n = self.parts[-1].readinto(buf)
        while not n and len(self.parts) > 1:
            if len(self.parts) == 2 and self.times > 1:
                self.times -= 1
                self.parts[-1].seek(0)
            else:
                self.parts.pop()
            n = self.parts[-1].readinto(buf)
        self.peak = max(self.peak, gc.mem_alloc())
        return n


def growth(head, part, times, tail, *paths):
    """Bytes that the heap grows by, at most, garbage included: nothing is collected meanwhile."""
    source = Endless(head, part, times, tail)
    gc.collect()
    gc.disable()
    try:
        before = gc.mem_alloc()
        values = pick(source, paths, transparent=("session",))
    finally:
        gc.enable()
    assert len(values) == len(paths), values
    return source.peak - before


def test_memory_is_constant():
    entity = '{"id":%d,"name":"Root > \\"Z\u00fcrich\\" [%d]","ancestors_cache":[0,%d]},'
    entities = "".join([entity % (i, i, i) for i in range(100)]).encode()
    tail = b'{}]},"glpiactiveprofile":{"name":"guest","id":9},'
    tail += b'"plugin_flyvemdm_guest_profiles_id":9}}'
    for times in (1, 15, 150):
        grown = growth(b'{"session":{"x":{"y":[', entities, times, tail, *SESSION)
        assert grown <= 4096, (times, grown)


def test_memory_at_a_wanted_level():
    # Here each key is compared, some of them over the end of a buffer.
    rights = "".join(['"right_%d":%d,"na\\u006de%d":"a \\"b\\"",' % (i, i, i) for i in range(100)])
    assert growth(b"{", rights.encode(), 30, b'"a":1}', "a") <= 4096


def test_small_skips_in_a_big_buffer_take_linear_time():
    # What was seen ahead is not looked for again: that would take seconds here.
    source = io.BytesIO(b'{"b":[' + b'{"x":"y"},[1],"z",' * 2000 + b'],"a":1}')
    start = time.ticks_ms()
    assert pick(source, ("b.9000.c", "a"), bytearray(32768)) == {"a": 1}
    taken = time.ticks_diff(time.ticks_ms(), start)
    assert taken < 1000, taken
