"""What is wrong with each field of the set-up page, and what is taken."""

from flyve.jobs import setup_form

HEARD = [("attic", 4, True), ("yard", 2, False)]
KNOWN = [("cellar", "correct-horse"), ("attic", "battery-staple")]


def network(heard=HEARD, known=(), **found):
    errors = {}
    fields = dict.fromkeys(("ssid", "other", "psk"), "")
    fields.update(found)
    return setup_form.network(fields, heard, known, errors), errors


def test_a_form_is_read_with_its_escapes():
    found = setup_form.fields(
        b"ssid=a+b%26c&psk=+x%3d&email=u%40x.org&zzz=1&link=%zz&form=12&other="
    )
    assert found["ssid"] == "a b&c" and found["psk"] == " x=" and found["email"] == "u@x.org"
    assert found["link"] == b"%zz" and found["other"] == "" and "zzz" not in found


def test_fields_may_be_empty_or_have_no_value():
    assert setup_form.fields(b"&ssid=attic&&psk&email")["ssid"] == "attic"


def test_blanks_around_a_networks_name_are_its_own_but_for_one_that_is_typed():
    found = setup_form.fields(b"ssid=+attic+&psk=+x+&email=+u%40x.org+")
    assert (found["ssid"], found["psk"], found["email"]) == (" attic ", " x ", "u@x.org")
    assert setup_form.fields(b"other=+hidden+")["other"] == "hidden"


def test_what_is_no_utf8_is_not_there():
    assert setup_form.fields(b"ssid=%ff&psk=\xff")["ssid"] == ""
    assert setup_form.fields(b"") == dict.fromkeys(
        ("ssid", "other", "psk", "link", "email", "form"), ""
    )


def test_a_network_is_chosen_or_typed():
    assert network(ssid="attic", psk="password")[0] == ("attic", "password")
    assert network(other="hidden", psk="password") == (("hidden", "password"), {})
    assert network(ssid="attic", other="hidden", psk="password")[0][0] == "attic"
    assert "ssid_error" in network(psk="password")[1]
    assert network(other="x" * 32, psk="password") == (("x" * 32, "password"), {})
    assert "ssid_error" in network(other="x" * 33, psk="password")[1]
    assert "ssid_error" in network(other="\xe4" * 17)[1]
    assert "ssid_error" in network(other="a\nb")[1]


def test_an_open_network_takes_no_passphrase():
    assert network(ssid="yard") == (("yard", ""), {})
    assert "psk_error" in network(ssid="yard", psk="battery-staple")[1]


def test_a_passphrase_is_wanted_and_may_be_known():
    assert "psk_error" in network(ssid="attic")[1]
    assert network(ssid="attic", known=KNOWN) == (("attic", "battery-staple"), {})
    assert network(ssid="attic", psk="another-one", known=KNOWN)[0][1] == "another-one"
    assert network(other="cellar", known=KNOWN)[0] == ("cellar", "correct-horse")
    assert network(other="not heard") == (("not heard", ""), {})


def test_a_passphrase_has_its_length():
    for psk in ("1234567", "x" * 64, "a" * 65, "tab\there9"):
        assert "psk_error" in network(ssid="attic", psk=psk)[1], psk
    for psk in ("12345678", "x" * 63, "0123456789abcdef" * 4):
        assert network(ssid="attic", psk=psk) == (("attic", psk), {})


def test_an_address_looks_like_one_or_is_left_out():
    for text, good in (
        ("", True),
        ("u@x.org", True),
        ("u", False),
        ("@x", False),
        ("u@", False),
        ("a b@x.org", False),
        ("u@" + "x" * 126, True),
        ("u@" + "x" * 127, False),
        ("u@x\n.org", False),
    ):
        errors = {}
        assert setup_form.email({"email": text}, errors) == text
        assert ("email_error" not in errors) == good, text


def test_a_name_that_was_typed_before_a_network_was_chosen_is_forgotten():
    assert setup_form.fields(b"other=hidden&ssid=attic")["other"] == ""
    assert setup_form.fields(b"other=hidden&ssid=")["other"] == "hidden"
