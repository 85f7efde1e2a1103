"""The links of mail gateways, and what was in them."""

from flyve.jobs.mail_gateway import inside

LINK = b"http://flyve.org/deeplink/?data=abc"
THIRD = b"https://urldefense.com/v3/__%s__;%s!!Abc!xyz$"


def third(link, stars=b""):
    return inside(THIRD % (link, stars))


def test_each_star_of_the_third_form_is_a_character():
    assert third(LINK) == LINK
    assert third(b"http://h/?a*b", b"PQ") == b"http://h/?a=b"
    assert third(b"http://h/?a*b*c*", b"PSY9") == b"http://h/?a=b&c="
    assert third(b"http://h/?a**", b"PSY") == b"http://h/?a=&"


def test_two_stars_and_a_digit_are_a_run_of_characters():
    assert third(b"http://h/a**Ad", b"YmM") == b"http://h/abcd"
    assert third(b"http://h/**C*", b"YWJjZA") == b"http://h/abcd"
    assert third(b"http://h/**Bd*f", b"YWJjZQ") == b"http://h/abcdef"
    assert third(b"http://h/**_", b"eHh4") == b"http://h/xxx"


def test_what_a_star_stands_for_may_be_in_the_other_alphabet():
    assert third(b"http://h/*", b"-_8") == b"http://h/\xfb"


def test_a_slash_that_the_third_form_has_dropped_is_there_again():
    assert third(b"http:/h/a:/b") == b"http://h/a:/b"
    assert third(b"http://h/a:/b") == b"http://h/a:/b"


def test_a_third_form_that_is_cut_holds_nothing():
    for more in range(4):
        assert inside(b"https://urldefense.com/v3/__" + LINK + b"a" * more) is None
    assert third(b"http://h/*", b"PQPQP") is None  # no base64 has one character more


def test_the_second_form_has_its_own_escapes():
    link = b"https://urldefense.proofpoint.com/v2/url?u=http-3A__h_-3Fa-3Db-5Fc&d=D"
    assert inside(link) == b"http://h/?a=b_c"
    assert inside(b"https://urldefense.proofpoint.com/v2/url?d=D&c=a") is None


def test_a_link_inside_a_link_is_what_stands_behind_a_mark_of_an_address():
    for mark in (b"=", b"/", b"&", b"?"):
        assert inside(b"https://g.example.org/x" + mark + LINK) == LINK
    assert inside(b"https://g.example.org/x" + LINK) is None
    assert inside(LINK) is None


def test_an_escaped_link_ends_where_the_next_parameter_begins():
    assert inside(b"https://g.example.org/?url=http%3A%2F%2Fh%2Fa&b=http") == b"http://h/a"
    assert inside(b"http%3A%2F%2Fh%2Fa&b=c") == b"http://h/a"
    assert inside(b"http://h/?data%3Dabc&c=d") == b"http://h/?data=abc"


def test_a_parameter_may_hold_a_link_in_base64():
    for name in (b"u", b"url", b"q"):
        assert inside(b"https://g?d=h&" + name + b"=aHR0cDovL2gvPz4-&i=1") == b"http://h/?>>"
        assert inside(b"https://g?d=h&" + name + b"=aHR0cDovL2gvP2E%3D") == b"http://h/?a"
        assert inside(b"https://g?d=h&" + name + b"=bm8gbGluaw") is None
        assert inside(b"https://g?d=h&" + name + b"=a") is None
    assert inside(b"https://g?x=aHR0cDovL2gv") is None
