"""Headers are read as they are meant: instants in any zone and form, codings, file names."""

from flyve.jobs.headers import bare, coding, file_name, same_time

BEGIN = "Mon, 02 Nov 2026 08:00:00 GMT"


# A17
def test_the_same_instant_in_another_form_is_the_same():
    for other in (
        "Mon, 02 Nov 2026 09:00:00 +0100",
        "Sun, 1 Nov 2026 21:30:00 -1030",
        "2 Nov 2026 08:00 Z",
        "Mon, 02 Nov 2026 03:00:00 EST",
        "Mon, 02 Nov 2026 01:00:00 PDT",
        "mon, 02 nov 2026 08:00:00 gmt",
        "Mon,  2 Nov 26 08:00:00 +0000 (UTC)",
        "Monday, 02-Nov-26 08:00:00 GMT",
        "Mon Nov  2 08:00:00 2026",
        "Mon, 02 Nov 2026 09:00:00 +01",
        "Mon, 02 Nov 2026 03:00:00 -05:00",
        "Mon, 02 Nov 2026 10:30:00 GMT+2:30",
        "Mon, 02 Nov 2026 09:00:00 UTC+1",
    ):
        assert same_time(BEGIN, other), other
    leap = "Wed, 28 Feb 2024 23:30:00 -0100"
    assert same_time(leap, "Thu, 29 Feb 2024 00:30:00 GMT")
    assert same_time("Thu, 31 Dec 2026 23:00:00 -0100", "Fri, 01 Jan 2027 00:00:00 GMT")
    assert same_time("Fri, 31 Dec 1999 23:00:00 -0100", "Saturday, 01-Jan-00 00:00:00 GMT")


# A17
def test_other_instants_are_others():
    for other in (
        "Mon, 02 Nov 2026 08:00:00 +0100",
        "Mon, 02 Nov 2026 08:00:01 GMT",
        "Mon, 02 Nov 2025 08:00:00 GMT",
        "Wed, 02 Dec 2026 08:00:00 GMT",
        "Mon, 02 Nov 1926 08:00:00 GMT",
    ):
        assert not same_time(BEGIN, other), other


# A17
def test_what_is_no_date_is_compared_as_text():
    bad = (
        "",
        "yesterday",
        "Mon, 32 Nov 2026 08:00:00 GMT",
        "Mon, 02 Nov 2026 08:00:00 CET",
        "Mon, 02 Nov 2026 25:00:00 GMT",
        "Mon, 02 Nov 2026",
        "08:00:00",
        "Mon, 02 Foo 2026 08:00:00",
        "Mon, 02 Nov 08:00:00",
        "+",
        "-:-:-",
        "1 2 3 4:5",
        "\xff" * 200,
    )
    for one in bad:
        assert same_time(one, one)
        for other in bad:
            assert one == other or not same_time(one, other), (one, other)
        assert not same_time(one, BEGIN), one


# A17
def test_codings_fold_case_and_none_is_none():
    for none in ("", " ", "Identity", "identity, IDENTITY", "identity ;q=1", ","):
        assert coding({"content-encoding": none, "transfer-encoding": none}) == "", none
    assert coding({"content-encoding": "identity, GZip"}) == "gzip"
    assert coding({"transfer-encoding": "Chunked"}) == "chunked"
    assert bare(" APPLICATION/octet-stream ;charset=binary") == "application/octet-stream"


# A26
def test_the_file_name_of_a_content_disposition():
    for text, name in (
        ('attachment; filename="007"', "007"),
        ("attachment;filename=007", "007"),
        ("attachment; FileName = 0042 ; x=y", "0042"),
        ('attachment; filename=" 7"', " 7"),
        ('attachment; x="a;filename=no"; filename="\\+1" ; size=3', "+1"),
        ("attachment; filename*=UTF-8''%30%30%37", "007"),
        ("attachment; filename*=utf-8'en'007; filename=\"7\"", "007"),
        ("attachment; filename=\"7\"; filename*=utf-8''007", "007"),
        ("attachment; filename*=UTF-8''na%C3%AFve", "na\xefve"),
        ("attachment; filename*=UTF-8''%ff%fe; filename=a", "a"),
        ("attachment; filename*=KOI8-R''a; filename=b", "b"),
        ('attachment; filename="../../7"', "../../7"),
        ('attachment; filename="open', "open"),
        ('attachment; filename="a\\', "a"),
        ("attachment; filename*=UTF-8''%ff%fe", None),
        ("attachment; filename*=UTF-8''%zz", None),
        ("attachment", None),
        ("", None),
        ("=", None),
    ):
        assert file_name(text) == name, text


# A15
def test_a_name_with_half_a_pair_or_a_control_character_is_made_plain():
    assert (
        file_name("attachment; filename*=UTF-8''%ED%A0%BDa%1B%C2%9B.txt")
        == "\ufffda\ufffd\ufffd.txt"
    )
    assert file_name("attachment; filename*=UTF-8''%F0%9F%98%80.txt") == "\U0001f600.txt"
