"""What follows when the page was sent: what was typed, and when the link is read."""

from flyve.jobs import setup_link, setup_sent

BOARD = True
LINK = b"https%3A//glpi.example.org"


def box(**more):
    made = {
        "form": "token", "plan": None, "link": None, "invited": True, "asked": None,
        "shows": "new", "known": [], "networks": [("attic", 4, False)],
        "typed": {"ssid": "", "other": "", "email": ""},
    }  # fmt: skip
    made.update(more)
    return made


def sent(body):
    return ["POST", b"/", "192.168.4.1", body]


def test_a_form_without_a_link_is_a_plan():
    told = box()
    assert setup_sent.answer(told, sent(b"form=token&ssid=attic"), None) == (303, b"/", None)
    assert told["plan"] == ("attic", "", "") and told["shows"] == "joining"


def test_a_link_is_read_before_the_rest_is_looked_at_and_the_body_is_gone():
    told = box()
    request = sent(b"form=token&ssid=attic&link=" + LINK)
    assert setup_sent.answer(told, request, None) == (None, b"https://glpi.example.org", None)
    assert request[3] is None and told["plan"] is None
    assert setup_sent.answer(told, request, "") == (303, b"/", None)
    assert told["plan"] == ("attic", "", "")


def test_what_is_wrong_with_the_link_stands_beside_what_else_is_wrong():
    told = box()
    setup_sent.answer(told, sent(b"form=token&email=nobody&link=" + LINK), None)
    status, _, errors = setup_sent.answer(told, None, "not this one")
    assert status == 422 and errors["link_error"] == "not this one"
    assert sorted(errors) == ["email_error", "link_error", "ssid_error"]


def test_a_form_of_another_start_changes_nothing():
    told = box()
    status, _, errors = setup_sent.answer(told, sent(b"form=other&ssid=attic"), None)
    assert status == 403 and list(errors) == ["ssid_error"]
    assert told["plan"] is None and told["typed"]["ssid"] == ""


def test_without_an_invitation_nothing_is_planned():
    told = box(invited=False)
    status, _, errors = setup_sent.answer(told, sent(b"form=token&ssid=attic"), None)
    assert status == 422 and list(errors) == ["link_error"]


def test_while_it_joins_a_second_form_is_passed_over():
    told = box(plan=("attic", "", ""))
    assert setup_sent.answer(told, sent(b"form=token&ssid=cellar"), None) == (303, b"/", None)
    assert told["plan"][0] == "attic"


def test_what_was_typed_comes_back_without_control_characters_and_not_for_ever():
    told = box()
    body = b"form=token&ssid=&other=a%1Bb%E2%80%AEc&email=" + b"x" * 500
    setup_sent.answer(told, sent(body), None)
    assert told["typed"] == {"ssid": "", "other": "a\ufffdb\ufffdc", "email": "x" * 128}


def test_an_invitation_tells_who_it_is_from_without_control_characters():
    class Invited:
        url = "https://glpi.example.org/apirest.php"
        user_token = invitation_token = "0123456789"
        name = "I\u202eT" + "x" * 200

        def __getitem__(self, _):
            return ["+33\x07", "", "it@example.org"]

    told = {}
    setup_link.note(told, Invited())
    assert told == {
        "backend": "glpi.example.org",
        "helpdesk": "I\ufffdT" + "x" * 125,
        "contact": "+33\ufffd it@example.org",
    }
