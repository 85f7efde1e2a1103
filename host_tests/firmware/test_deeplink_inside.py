"""Every form of invitation that is known, and everything that must be refused by name."""

import binascii
import time

from flyve.jobs.deeplink import DeeplinkError, parse

URL = "https://glpi.example.org/apirest.php"
USER = "45erjbudklq5865sdkjhjks"
INVITATION = "lkhjfkgsdf546634s"
DOCUMENTED = (
    "http://api.domain.com/aHR0cDovL2FwaS5kb21haW4uY29tLzs0NWVyamJ1ZGtscTU4NjVzZGtqaGprcztsa2hqZm"
    "tnc2RmNTQ2NjM0cztjb21wYW55J3MgaGVscGRlc2s7MDMzMTIzNDU2Nzg5O2h0dHBzOi8vc3VwcG9ydC5jb21wYW55Lm"
    "NvbTtzdXBwb3J0QGNvbXBhbnkuY29t"
)


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def b64(text):
    return binascii.b2a_base64(text.encode())[:-1].decode()


def fields(link):
    i = parse(link)
    return [i.url, i.user_token, i.invitation_token, i.name, i.phone, i.website, i.email]


def real(*support):
    return "\\;".join((URL, USER, INVITATION) + support)


def refused(link, part):
    try:
        parse(link)
    except DeeplinkError as e:
        assert part in str(e), str(e)
        return str(e)
    raise AssertionError("accepted: %r" % link)


def test_the_documented_sample():
    assert fields(DOCUMENTED) == [
        "http://api.domain.com",
        USER,
        INVITATION,
        "company's helpdesk",
        "033123456789",
        "https://support.company.com",
        "support@company.com",
    ]


def test_the_real_backends_query_parameter():
    link = "http://flyve.org/deeplink/?data=" + b64(real("Help", "1", "https://s", "a@b"))
    assert fields(link) == [URL, USER, INVITATION, "Help", "1", "https://s", "a@b"]


def test_the_apps_own_scheme():
    assert fields("flyve://register?data=" + b64(real("", "", "", "")))[0] == URL


def test_the_bare_base64():
    assert fields(b64(real("", "", "", "")))[1] == USER


def test_bytes_are_as_good_as_text():
    assert fields(b64(real()).encode())[2] == INVITATION


def test_helpdesk_may_be_empty_or_absent():
    assert fields(b64(real("", "", "", "")))[3:] == [""] * 4
    assert fields(b64(real()))[3:] == [""] * 4


def test_a_separator_inside_the_helpdesks_name_stays_in_the_name():
    assert fields(b64(real("Help", " desk", "12", "w", "m")))[3:] == ["Help; desk", "12", "w", "m"]


def test_padding_may_be_missing():
    for extra in ("", "x", "xx"):
        link = b64(real("Help" + extra, "", "", ""))
        assert fields("http://h/deeplink/?data=" + link.rstrip("="))[3] == "Help" + extra


def test_the_url_safe_alphabet():
    link = b64(real("~~~???>>>\u00ff", "", "", ""))
    assert "+" in link or "/" in link
    link = link.replace("+", "-").replace("/", "_")
    assert fields("flyve://register?data=" + link)[3].startswith("~~~")


def test_a_plus_that_became_a_blank():
    link = b64(real("a>>>b~~~", "", "", ""))
    assert "+" in link
    assert fields("http://h/?data=" + link.replace("+", " "))[3] == "a>>>b~~~"


def test_percent_encoding():
    link = b64(real("H", "", "", "")).replace("=", "%3D").replace("/", "%2F").replace("+", "%2b")
    assert fields("http://h/?x=1&data=" + link + "&y=2")[0] == URL


def test_any_character_may_be_percent_encoded():
    link = b64(real("H", "", "", ""))
    assert fields("http://h/?data=" + "".join("%%%02X" % ord(c) for c in link))[1] == USER
    assert fields("http://h/?data=%%%02x%s" % (ord(link[0]), link[1:]))[1] == USER


def test_a_percent_sign_that_encodes_nothing_is_refused():
    for end in ("%", "%4", "%4g", "%g4"):
        refused("http://h/?data=" + b64(real("H", "", "", "")) + end, "not base64")


def test_the_parameter_may_stand_alone():
    assert fields("data=" + b64(real()))[1] == USER


def test_a_parameter_whose_name_ends_like_ours_is_another():
    assert fields("http://h/metadata=1/" + b64(real("H", "", "", "")))[1] == USER


def test_a_fragment_behind_the_parameter_is_no_part_of_it():
    assert fields("http://h/?data=" + b64(real("H", "", "", "")) + "#top")[1] == USER


def test_a_path_may_look_like_another_address():
    assert fields("http://h/to://x/" + b64(real("H", "", "", "")))[1] == USER


def test_a_link_with_nothing_behind_its_host_is_refused():
    refused("http://" + b64(real("H", "", "", "")), "no invitation")


def test_blanks_and_line_ends():
    link = b64(real("Help", "", "", ""))
    wrapped = "  \r\n" + link[:30] + "\r\n" + link[30:60] + "\n" + link[60:] + "\n"
    assert fields(wrapped)[3] == "Help"


def test_a_slash_of_the_base64_inside_a_path():
    name = "???" * 8
    link = b64("http://h/;user1;inv1;%s;;;" % name)
    assert "/" in link
    assert fields("http://host/a/b/" + link)[3] == name


def test_a_path_that_decodes_to_other_text_does_not_hide_the_invitation():
    link = "YWF/" + b64(real("H", "", "", ""))
    assert binascii.a2b_base64(link.encode())[:7] == b"aa\x7fhttp"
    assert fields("http://host/" + link)[1] == USER


def test_the_first_invitation_in_a_path_counts():
    link = b64("http://h/;user1;inv1;???http://i/;user2;inv2")
    assert "/aHR0c" in link
    assert fields("http://host/" + link)[1] == "user1"


def test_the_old_json_form():
    text = '{"url":"%s/","user_token":"%s","invitation_token":"%s",'
    text += '"support_name":"H","support_phone":null}'
    assert fields(b64(text % (URL, USER, INVITATION))) == [URL, USER, INVITATION, "H", "", "", ""]


def test_utf8_in_the_helpdesks_name():
    assert fields(b64(real("Büro für Hilfe €", "", "", "")))[3] == "Büro für Hilfe €"


def test_empty_is_refused():
    for link in ("", "   ", b"\n"):
        refused(link, "empty")


def test_what_is_not_base64_is_refused():
    for link in ("http://h/?data=%%%", "a", "http://h/?data=aHR0cDov*L2g=", "http://h/?data="):
        refused(link, "not base64")


def test_what_is_not_utf8_is_refused():
    link = binascii.b2a_base64(b"http://h;\xff\xfe;a;b").decode()
    refused("http://h/?data=" + link, "not UTF-8")


def test_too_few_fields_are_refused():
    refused(b64("https://h;token"), "too few fields: 2")


def test_a_url_that_is_not_http_is_refused():
    for url in ("ftp://h/", "httpx://h", "h/apirest.php"):
        refused("x?data=" + b64(url + ";user1;inv1"), "not http(s)")


def test_a_url_without_a_host_is_refused():
    refused(b64("http:///apirest.php;user1;inv1"), "no host")


def test_missing_tokens_are_refused():
    refused(b64("https://h;;inv1"), "no whole user_token")
    refused(b64("https://h;user1;"), "no whole invitation_token")


def test_more_than_16_kib_is_refused():
    link = "http://h/?data=" + b64(real()) + "&"
    link += "x" * (16384 - len(link))
    assert fields(link)[1] == USER
    refused(link + "x", "longer than 16384")


# A39
def test_what_the_backend_can_make_fits():
    for c in ("\u20ac", "\U0001f600", ";", "\\", "ü"):
        support = [c * 255] * 4
        text = "\\;".join([URL, USER, INVITATION] + [f.replace("\\", "\\\\") for f in support])
        if c != ";":
            assert fields("http://flyve.org/deeplink/?data=" + b64(text))[3:] == support, c
    text = '{"url":"%s","user_token":"%s","invitation_token":"%s","support_address":"%s"'
    text = text % (URL, USER, INVITATION, "\\u20ac" * 255)
    for name in ("name", "phone", "website", "email"):
        text += ',"support_%s":"%s"' % (name, "\\u20ac" * 255)
    assert fields("http://flyve.org/deeplink/?data=" + b64(text + "}"))[6] == "\u20ac" * 255


# A39
def test_a_doubled_backslash_is_one():
    assert fields(b64(real("a\\\\b", "c\\\\", "", "")))[3:5] == ["a\\b", "c\\"]
    assert fields(b64("%s;%s;%s;a\\\\b;;;" % (URL, USER, INVITATION)))[3] == "a\\\\b"


# A13
def test_a_url_that_the_agent_cannot_use_is_refused_by_name_and_not_told():
    for url, part in (
        ("http://ann:secret@h/apirest.php", "a user or password"),
        ("https://ann@h/apirest.php", "a user or password"),
        ("http://ann:se/cret@h/apirest.php", "a user or password"),
        ("http://[::1]/apirest.php", "an IPv6 address"),
        ("http://[fe80::1]:80/apirest.php", "an IPv6 address"),
        ("http://fe80::1/apirest.php", "an IPv6 address"),
        ("http://host:/apirest.php", "a port"),
        ("http://host:abc/apirest.php", "a port"),
        ("http://host:0/apirest.php", "a port"),
        ("http://host:65536/apirest.php", "a port"),
        ("http://host:-1/apirest.php", "a port"),
        ("http://:80/apirest.php", "no host"),
        ("http:///apirest.php", "no host"),
        ("http://ho st/apirest.php", "does not belong"),
        ("http://host/api rest.php", "does not belong"),
        ("http://host/apirest.php?x=1", "does not belong"),
        ("http://host/\x1b[31m", "does not belong"),
        ("http://h\u00f6st/apirest.php", "does not belong"),
        ("http://ho*st/apirest.php", "no host name"),
        ("ftp://host/", "not http"),
    ):
        for text in ("\\;".join((url, USER, INVITATION)), ";".join((url, USER, INVITATION))):
            told = refused("http://flyve.org/deeplink/?data=" + b64(text), part)
            assert "secret" not in told and "ann" not in told and "host/" not in told, told


# A13
def test_a_url_is_read_as_it_is_meant():
    for url, wanted in (
        ("HTTP://Host/apirest.php/", "http://Host/apirest.php"),
        (" hTTps://host:8443/a/ ", "https://host:8443/a"),
        ("http://10.0.0.1:65535", "http://10.0.0.1:65535"),
    ):
        for form in ("http://flyve.org/deeplink/?data=", "http://h/", ""):
            assert fields(form + b64(";".join((url, USER, INVITATION))))[0] == wanted


def quoted(text):
    return "".join([c if c.isalpha() or c.isdigit() else "%%%02X" % ord(c) for c in text])


# ~ and ? so that the base64 has + and / in it
PAYLOAD = b64(real("~~~???>>>", "1?", "2", "~~~"))
LINK = "http://flyve.org/deeplink/?data=" + PAYLOAD
SAFE = (
    "https://eur01.safelinks.protection.outlook.com/?url=%s&data=05%%7C02%%7Cann%%40example.org"
    "%%7C08dd%%7C0%%7C0%%7C638&sdata=ab%%2Bc%%3D&reserved=0"
)


def second(link):
    out = quoted(link.replace("_", "%5F")).replace("%2F", "_").replace("%", "-")
    return "https://urldefense.proofpoint.com/v2/url?u=%s&d=DwMFaQ&c=a-b_c&r=x&m=y&s=z&e=" % out


# Texts
def test_a_link_inside_a_gateway_s_is_found():
    assert "+" in PAYLOAD and "/" in PAYLOAD and PAYLOAD.endswith("=")
    for link in (
        SAFE % quoted(LINK),
        SAFE % quoted(quoted(LINK).replace("%3A%2F%2F", "://")),
        SAFE % quoted(SAFE % quoted(LINK)),
        second(LINK),
        SAFE % quoted(second(LINK)),
        "https://urldefense.proofpoint.com/v1/url?u=http://flyve.org/deeplink/?data%3D"
        + quoted(PAYLOAD)
        + "&k=abc%3D%0A&r=d",
        "https://urldefense.com/v3/__" + LINK + "__;!!Abc!xyz$",
        "https://urldefense.us/v3/__" + LINK.replace("=", "*") + "__;PT09!!Abc!xyz$",
        "https://urldefense.com/v3/__" + LINK.replace("ve.o", "**C") + "__;dmUubw!!A!b$",
        "https://urldefense.com/v3/__" + LINK.replace("://", ":/") + "__;!!A!b$",
        "https://protect.example.com/s/AbC?url=" + quoted(LINK) + "&domain=flyve.org",
        "https://linkprotect.cudasvc.com/url?a=" + quoted(LINK) + "&c=E,1,abc,,&typo=1",
        "https://secure-web.cisco.com/1aBc-_d/" + quoted(LINK),
        "https://www.google.com/url?q=" + LINK.replace("=", "%3D") + "&source=gmail&ust=17",
        "https://eu.protection.sophos.com?d=flyve.org&u=" + b64(LINK) + "&i=abc&h=def",
        "https://h/redirect?to=flyve%3A%2F%2Fregister%3Fdata%3D" + quoted(PAYLOAD),
        "http://flyve.org/deeplink/%3Fdata%3D" + quoted(PAYLOAD),
    ):
        assert fields(link)[:4] == [URL, USER, INVITATION, "~~~???>>>"], link


# Texts
def test_what_looks_like_the_link_of_a_gateway_and_holds_none_is_refused():
    for link in (
        "https://urldefense.us/v3/__" + LINK.replace("=", "*") + "__;*!!Abc!xyz$",
        "https://urldefense.proofpoint.com/v2/url?d=DwMFaQ&c=a",
        "https://eu.protection.sophos.com?d=flyve.org&u=*&h=def",
        "https://eu.protection.sophos.com?d=flyve.org&u=" + b64("no link at all"),
    ):
        refused(link, "")


# Texts
def test_what_a_mail_makes_of_a_link_is_undone():
    soft = LINK.replace("=", "=3D")
    soft = "=\r\n".join([soft[i : i + 70] for i in range(0, len(soft), 70)])
    more = "http://flyve.org/deeplink/?x=1&data=" + PAYLOAD + "&y=2"
    for link in (
        "<" + LINK + ">",
        "\u00ab" + LINK + "\u00bb",
        "\u201c" + LINK + "\u201d",
        '"' + LINK + '"',
        "'" + PAYLOAD + "'",
        "<" + LINK[:60] + "\r\n" + LINK[60:] + ">\r\n",
        "[Enroll](" + LINK + ")",
        "[" + LINK + "](" + LINK + ")",
        LINK + "!",
        "Here: " + LINK + "?",
        "\u00ab(" + PAYLOAD + ")\u00bb",
        LINK[:60] + "\r\n    " + LINK[60:],
        '<a href="' + more.replace("&", "&amp;") + '">Enroll</a>',
        more.replace("&", "&amp;amp;"),
        more.replace("=", "&#61;").replace("/", "&#x2F;"),
        LINK.replace("data=", "data&#X3d;"),
        LINK.replace("://", "&#58;//").replace("data=", "data&equals;"),
        "\x7f" + LINK + "\x7f",
        soft,
        soft.replace("\r\n", "\n") + "=\n",
        LINK[:50] + "=\n" + LINK[50:90] + "=\r\n" + LINK[90:],
        LINK.replace("data=", "data=\r\n"),
        "Invitation: " + LINK,
        "> " + LINK[:40] + "\n> " + LINK[40:],
        "\ufeff" + LINK[:30] + "\u200b" + LINK[30:] + "\u00a0",
        "<" + SAFE.replace("&", "&amp;") % quoted(LINK) + ">",
        (SAFE % quoted(LINK)).replace("=", "=3D"),
    ):
        assert fields(link)[:4] == [URL, USER, INVITATION, "~~~???>>>"], link


# Texts
def test_a_link_that_holds_nothing_says_what_may_have_become_of_it():
    for link in (
        "https://protect-eu.mimecast.com/s/AbCdEfGhIj?domain=flyve.org",
        "https://url.us.m.mimecastprotect.com/s/Ab-Cd_Ef",
        "https://h.example.org/",
        "<https://bit.ly/3AbCdEf>",
    ):
        refused(link, "open it and copy the address")
    refused(SAFE % quoted(LINK[:-40] + "*"), "not base64")


def test_malformed_json_is_refused():
    refused(b64('{"url":"http://h"'), "malformed")


def test_a_refusal_never_shows_a_token():
    for link in (b64("ftp://h;%s;%s" % (USER, INVITATION)), b64("https://h;%s" % USER)):
        text = refused(link, "")
        assert USER not in text and INVITATION not in text


def test_a_link_cut_anywhere_is_refused_or_read_right():
    link = b64(real("Help", "1", "w", "mail@example.org"))
    for n in range(len(link)):
        try:
            found = fields(link[:n])
        except DeeplinkError:
            continue
        assert found[0] == URL and found[1] == USER and INVITATION.startswith(found[2])


# A15
def test_escaped_pairs_in_a_json_are_joined():
    text = '{"url":"%s","user_token":"%s","invitation_token":"%s","support_name":"%s"}'
    names = {r"\ud83d\ude00 Z\u00fcrich": "\U0001f600 Z\u00fcrich", r"\ude00": "\ufffd"}
    for name, wanted in names.items():
        assert fields(b64(text % (URL, USER, INVITATION, name)))[3] == wanted


# A8
def test_a_url_of_slashes_only_is_refused_by_name():
    for url in ("http://", "https://", "http:///", "http:///x", "https://////"):
        refused(b64(url + "\\;tok\\;inv"), "its URL has no host")


def test_a_damaged_invitation_in_a_path_is_told_from_a_link_without_one():
    text = '{"url":"http://h","user_token":"user1","invitation_token":"inv1"}'
    for content in (real(), real().replace("http", "HTTP"), text):
        refused("http://host/" + b64(content)[:-4] + "*aaa", "not base64")
    refused("http://host/" + b64("htp://h;user1;inv1"), "not http(s)")


def test_a_link_without_a_host_is_read():
    assert fields("flyve:///" + b64("http://h;user1;inv1"))[1] == "user1"


def test_the_base64_begins_within_32_segments():
    assert fields("http://h" + 31 * "/a" + "/" + b64(real()))[1] == USER
    refused("http://h" + 32 * "/a" + "/" + b64(real()), "no invitation")


def test_an_invitation_is_escaped_three_times_at_the_most():
    link = b64(real("H", "", "", "")).rstrip("=") + "%3D"
    link = "flyve://register?data=" + quoted(quoted(link))
    assert fields(link)[1] == USER
    refused(link.replace("%", "%25"), "not base64")


def test_the_first_character_of_the_bare_base64_may_be_escaped():
    link = b64(real())
    assert fields("%%%02X%s" % (ord(link[0]), link[1:]))[1] == USER


def test_a_blank_before_the_base64_is_passed_over_and_nothing_else():
    for blank in (" ", "  ", "%20", "%09", "%1F"):
        assert fields("http://h/?data=" + blank + b64(real()))[1] == USER
    refused("http://h/?data=!" + b64(real()), "not base64")


def test_a_long_invitation_is_read_whole_wherever_a_line_ends():
    for size in range(1330, 1350):
        link = b64(real("n" * size, "", "", "end")).rstrip("=")
        for line in (999, 1001, 1002, 1003):
            wrapped = "\n".join([link[i : i + line] for i in range(0, len(link), line)])
            found = fields("http://h/?data=" + wrapped)
            assert found[3] == "n" * size and found[6] == "end", (size, line)


def test_what_ends_where_a_piece_ends_is_read_whole():
    link = b64(real("n" * (767 - len(real("", "", "", "end"))), "", "", "end")).rstrip("=")
    assert len(link) == 1023
    assert fields("http://h/?data=" + link[:500] + "\n" + link[500:])[6] == "end"


def test_the_last_bits_of_the_base64_may_be_any():
    for text in ("inv1", "inv12", "inv123"):
        link = b64("http://host;user1;" + text).rstrip("=")
        count = {2: 16, 3: 4}.get(len(link) % 4, 1)
        at = ALPHABET.find(link[-1])
        for i in range(count):
            assert fields(link[:-1] + ALPHABET[at + i])[2] == text


def test_what_is_not_utf8_in_a_json_is_refused_as_such():
    link = binascii.b2a_base64(b'{"url":"http://h","user_token":"\xff"}').decode()
    refused("http://h/?data=" + link, "not UTF-8")


def test_a_json_may_have_blanks_at_its_begin():
    text = '{ "url":"http://h","user_token":"user1","invitation_token":"inv1"}'
    for blank in ("", " ", "\n \t", "\x1f"):
        assert fields("http://host/a/" + b64(blank + text))[1] == "user1"
    refused(b64("!" + text), "too few fields")


def test_blanks_alone_are_refused():
    for count in range(1, 9):
        refused("http://h/?data=" + b64(" " * count), "too few fields")


def test_a_port_is_a_number_of_1_to_65535():
    assert fields(b64("http://h:1/a;user1;inv1"))[0] == "http://h:1/a"
    for port in ("000080", "0000080"):
        refused(b64("http://h:%s/a;user1;inv1" % port), "a port")


def test_an_invisible_character_in_a_url_or_a_token_is_refused():
    refused(b64("http://h/\x7f;user1;inv1"), "does not belong")
    for c in " \x7f\\":
        refused(b64("http://h;us%ser1;inv1" % c), "no whole user_token")
        refused(b64("http://h;user1;in%sv1" % c), "no whole invitation_token")


def test_of_several_links_the_one_that_holds_something_says_what_is_wrong():
    link = quoted("http://flyve.org/deeplink/?data=" + b64("https://h;token"))
    refused("https://protect.example.com/s/AbC?url=" + link, "too few fields")


def test_bytes_that_are_no_text_are_refused_as_such():
    for text in (b"\xff\xfe", b"http://h/\xff"):
        refused(text, "not text")


# Texts
def test_what_looks_like_many_quotes_or_segments_is_refused_soon():
    begun = time.ticks_ms()
    for text in (b"\xff", b"\xc2\xab", b"/aHR", b"/", b"http://"):
        refused((b"http://a" if text[:1] == b"/" else b"") + text * (4000 // len(text)), "")
    assert time.ticks_diff(time.ticks_ms(), begun) < 2000
