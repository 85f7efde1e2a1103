"""The escapes of URLs and of mails."""

from flyve.jobs import escapes


def test_escapes_are_decoded_and_what_is_none_stays():
    for data, wanted in (
        (b"", b""),
        (b"plain", b"plain"),
        (b"%41%62%7a", b"Abz"),
        (b"a%2Bb%2bc", b"a+b+c"),
        (b"%", b"%"),
        (b"a%4", b"a%4"),
        (b"%zz%4%41", b"%zz%4A"),
        (b"%%41%25%2541", b"%A%%41"),
        (b"%00%ff", b"\0\xff"),
    ):
        assert escapes.decode(data, b"%") == wanted, data
        assert escapes.decode(bytearray(data), b"%") == wanted, data
    assert escapes.decode(b"data=3Dab=", b"=") == b"data=ab="
