"""`flyve invite`: the account, the invitation, and its link."""

import json

import pytest

from host_tests.kit.administrator import flyve
from host_tests.tools.enrollee import fields_of

INVITATION = "PluginFlyvemdmInvitation"


def posts(backend):
    return {one.path.rpartition("/")[2]: one.body for one in backend.requests
            if one.method in ("POST", "PUT")}  # fmt: skip


def test_a_new_person_gets_an_account_with_the_guests_profile(backend):
    link = flyve(backend, "invite", "ada@example.org", "--firstname", "Ada").strip()
    user, invitation = backend.state.users[42], backend.state.invitations[1]
    assert fields_of(link) == [
        backend.url, user.api_token, invitation.token, *backend.state.helpdesk.values()
    ]  # fmt: skip
    assert posts(backend) == {
        "User": b'{"input": {"name": "ada@example.org", "_useremails": ["ada@example.org"], '
        b'"authtype": 1, "firstname": "Ada", "_profiles_id": 9, "_entities_id": 0}}',
        INVITATION: b'{"input": {"users_id": 42, "_useremails": "ada@example.org"}}',
    }
    assert user.firstname == "Ada"


def test_an_account_is_found_by_its_address(backend):
    person = type(backend.state.administrator)(7, "eve", ["a@b.org", "eve@b.org"], "token7", [9])
    backend.state.users[7] = person
    link = flyve(backend, "invite", "EVE@b.org", "--realname", "Eve").strip()
    assert fields_of(link)[1] == "token7" and list(backend.state.users) == [2, 7]
    assert person.realname == "Eve" and b'"users_id": 7' in posts(backend)[INVITATION]


@pytest.mark.parametrize("generation", "AB")
def test_older_generations_invite_by_address(start, generation):
    backend = start(generation)
    link = flyve(backend, "invite", "ada@example.org").strip()
    assert fields_of(link)[1] == backend.state.users[42].api_token


@pytest.mark.parametrize("how", ["no mail", "no right"])
def test_without_a_mail_the_link_is_built_the_same(start, how):
    mailed = start()
    backend = start(notifications=how != "no mail")
    backend.options.rights = {"queuednotification": 0} if how == "no right" else {}
    backend.state.helpdesk["support_name"] = mailed.state.helpdesk["support_name"] = "a;b\\c"
    links = []
    for one in (mailed, backend):
        link = flyve(one, "invite", "ada@example.org").strip()
        assert link.startswith("http://flyve.org/deeplink/?data=")
        fields = fields_of(link)
        assert fields[1:3] == [one.state.users[42].api_token, one.state.invitations[1].token]
        links.append(fields[3:])
    assert links[0] == links[1] and fields[0] == backend.url


def test_the_help_desk_can_be_given_for_this_link(backend):
    link = flyve(backend, "invite", "ada@example.org", "--name", "Lab", "--phone", "").strip()
    assert fields_of(link)[3:] == ["Lab", "", *list(backend.state.helpdesk.values())[2:]]
    assert backend.state.helpdesk["support_name"] == "Help desk"


def test_what_is_not_configured_or_not_shown_is_left_out(start):
    backend = start(notifications=False)
    backend.options.rights = {"config": 0, "flyvemdm:entity": 0}
    assert fields_of(flyve(backend, "invite", "ada@example.org").strip())[3:] == [""] * 4


@pytest.mark.parametrize("form", ["data", "register", "path", "json"])
def test_each_form_of_the_link_is_told_as_glpi_has_it(start, form):
    backend = start(deeplink=form)
    link = flyve(backend, "invite", "ada@example.org").strip()
    assert link == backend.state.invitations[1].mail


@pytest.mark.parametrize(
    ("rights", "told"),
    [
        ({"user": 1}, "GLPI refuses an account for ada@example.org"),
        ({"flyvemdm:invitation": 1}, "GLPI refuses the invitation of ada@example.org"),
        ({"user": 0}, "GLPI refuses GET User"),
    ],
)
def test_a_missing_right_is_named(start, rights, told):
    backend = start(rights=rights)
    text = flyve(backend, "invite", "ada@example.org", code=1)
    assert told in text and "give your profile this right" in text and text.count("\n") == 1


def test_a_glpi_that_hides_tokens_leaves_the_link_to_the_mail(start):
    backend = start(notifications=False, hides_tokens=True)
    told = flyve(backend, "invite", "ada@example.org", code=1)
    assert "invitation 1 was made" in told and "take it from the mail" in told


def test_why_an_enrollment_failed_is_listed(backend, device):
    one = device(backend)
    device(backend, email="bob@example.org", serial="B2").enroll()
    one.log_in()
    one.switch()
    for wrong in ({"_email": "x@example.org"}, {"version": "1.0.0"}):
        assert one.post(**wrong).json()[1] == "Enrollment failed"
    lines = flyve(backend, "admin", "invitations").splitlines()
    assert lines[0].split() == ["id", "user", "status", "expires", "why"]
    assert lines[1].split()[:3] == ["1", "ann@example.org", "pending"]
    assert lines[1].endswith("The agent version is too low")
    assert lines[2].split() == ["2", "bob@example.org", "done"]
    backend.options.rights = {"flyvemdm:invitationLog": 0}
    shown = json.loads(flyve(backend, "admin", "invitations", "--json"))
    assert [row["why"] for row in shown] == [None, None] and shown[1]["expires"] is None


def test_no_invitation_is_no_trouble(backend):
    assert flyve(backend, "admin", "invitations").count("\n") == 1
