"""JSON texts with escapes, and what is taken out of a text before anybody sees it."""

import json

from flyve.jobs.texts import cut, loads, plain

PHP = r'{"deployFile":"%SDCARD%\/\ud83d\ude00\/z\u00e9","taskId":"7"}'


# A15
def test_a_pair_of_escaped_halves_is_one_character():
    assert loads(PHP)["deployFile"] == "%SDCARD%/\U0001f600/z\u00e9"
    assert loads(PHP.encode()) == loads(PHP)
    assert loads(r'["\uD83D\uDE00","\udbff\udfff"]') == ["\U0001f600", "\U0010ffff"]
    assert loads(r'{"\ud83d\ude00":1}') == {"\U0001f600": 1}


# A15
def test_a_half_alone_is_replaced_wherever_it_stands():
    for text, value in (
        (r'"\ud83d"', "\ufffd"),
        (r'"\ude00\ud83d"', "\ufffd\ufffd"),
        (r'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (r'"\ud83dx\ude00"', "\ufffdx\ufffd"),
        (r'"\ud83d\n"', "\ufffd\n"),
        (b'"a\xed\xa0\xbdb\xed\x9f\xbf\xc0\x80"', "a\ufffdb\ud7ff\ufffd"),
    ):
        assert loads(text) == value, text


# A15
def test_what_only_looks_like_a_half_stays():
    assert loads(r'"\\ud83d\\ude00"') == "\\ud83d\\ude00"
    assert loads(r'"\\\ud83d\ude00"') == "\\\U0001f600"
    assert loads(r'"\u00e9\u2028 \"\\"') == '\u00e9\u2028 "\\'
    assert loads('"\u00e9\U0001f600\ud7ff"') == "\u00e9\U0001f600\ud7ff"


# A15
def test_a_text_that_was_read_is_written_and_read_again_as_it_is():
    value = loads(PHP)
    assert loads(json.dumps(value)) == value
    json.dumps(value).encode().decode()


def test_a_byte_order_mark_is_passed_over():
    assert loads(b"\xef\xbb\xbf[1]") == loads("\ufeff[1]") == [1]


def test_a_text_that_is_no_json_is_a_value_error():
    for text in ("", "{", b"\xff", b'"\xc3"', r'"\ud83', '"\\', "\\u", b'"\xed'):
        try:
            loads(text)
        except ValueError:
            continue
        raise AssertionError(text)


# A16
def test_no_control_character_stays_in_a_plain_text():
    for n in list(range(0x20)) + list(range(0x7F, 0xA0)):
        wanted = "a b" if n in (9, 10, 13) else "a\ufffdb"
        assert plain("a%sb" % chr(n)) == wanted, n
        assert plain(chr(n)) == wanted[1]


# A16
def test_what_turns_the_writing_round_or_is_in_no_xml_is_replaced():
    for n in (0x2028, 0x2029, 0x202E, 0x2066, 0x2069, 0xFFFE, 0xFFFF, 0xD800, 0xDFFF):
        assert plain("a%sb" % chr(n)) == "a\ufffdb", n
    assert plain("\x1b[31m\x9b2J\u0085") == "\ufffd[31m\ufffd2J\ufffd"


# A16
def test_all_other_text_stays_as_it_is():
    for text in (
        "",
        "plain ~",
        "Z\u00fcrich \u4e2d\u6587 \U0001f600 \u2013",
        "\u2027\u202f\u2065\ufffd",
    ):
        assert plain(text) == text
    assert plain("\u00a0\u00e9\ud7ff\ue000") == "\u00a0\u00e9\ud7ff\ue000"


# A15
def test_a_text_is_cut_between_its_characters():
    for size, wanted in ((0, ""), (2, ""), (3, "\u20ac"), (6, "\u20ac"), (7, "\u20ac\U0001f600")):
        assert cut("\u20ac\U0001f600x", size) == wanted, size
    assert cut("\u20ac\U0001f600x", 8) == "\u20ac\U0001f600x" and cut("", 5) == ""


def sound(data):
    """Whether the bytes are UTF-8, by the table of the standard."""
    i = 0
    while i < len(data):
        c = data[i]
        size = 1 if c < 0x80 else 2 if c < 0xE0 else 3 if c < 0xF0 else 4
        two = data[i + 1] if size > 1 else 0x80
        low = {0xE0: 0xA0, 0xF0: 0x90}.get(c, 0x80)
        high = {0xED: 0x9F, 0xF4: 0x8F}.get(c, 0xBF)
        if 0x80 <= c < 0xC2 or c > 0xF4 or not low <= two <= high:
            return False
        i += size
    return True


# A15 A16
def test_what_micropython_takes_for_utf_8_and_is_none_is_replaced():
    for c in range(0xC0, 0xF8):
        for two in range(0x80, 0xC0):
            tail = b"\x80" * (0 if c < 0xE0 else 1 if c < 0xF0 else 2)
            data = b"a" + bytes((c, two)) + tail + b"b"
            text = str(data, "utf-8")
            for made in (plain(text), loads(b'"%s"' % data)):
                assert sound(made.encode()), data
                assert made == "a\ufffdb" or sound(data), data
            assert not sound(data) or loads(b'"%s"' % data) == text, data
