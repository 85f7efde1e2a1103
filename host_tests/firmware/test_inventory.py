"""The inventory's XML is well formed, whatever the values are."""

import xml.etree.ElementTree as ElementTree

import pytest

BOARD = True


# A16
@pytest.mark.parametrize(
    "value",
    [
        bytes(range(1, 0x80)),
        "".join(map(chr, range(0x80, 0x100))).encode(),
        b"a\xef\xbf\xbe\xef\xbf\xbf\xed\xa0\xbd\xed\xb8\x80\xed\xbf\xbfb",
        "\N{GRINNING FACE} Z\u00fcrich ]]> <b>&amp;&#0;\"'".encode(),
    ],
)
def test_any_value_gives_well_formed_xml(upy, value):
    xml = upy.call("rest_calls", "section", value)
    (name,) = ElementTree.fromstring(xml.decode())
    assert not any(c < " " or "\x7f" <= c < "\xa0" or c in '&<>"' for c in name.text)
    for kept in ("a", "Z\u00fcrich", "\N{GRINNING FACE}", "\u00e9"):
        assert (kept in name.text) == (kept.encode() in value)
