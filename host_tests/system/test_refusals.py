"""Enrollments that fail: each with its own message and its own next step."""

import ssl

import pytest
import trustme

WAITING = r"agent: waiting for a deeplink"


def test_a_wrong_email_is_refused_and_a_right_one_enrolls_with_the_same_deeplink(make_device):
    device = make_device(debug=True)
    link = device.provision(email="user@example.org")
    device.provision(email="other@example.org", deeplink=link)
    device.start()
    device.run.wait_log(r"enrollment: refused ERROR_GLPI_ADD .*[Ww]rong email")
    device.run.wait_log(WAITING)
    device.run.kill()
    assert device.secrets_on_board() == []
    device.provision(email="user@example.org", deeplink=link)
    device.start()
    device.enrolled()


def test_a_refusal_names_the_helpdesk(make_device):
    device = make_device(refuse_post="Too many devices", debug=True)
    device.provision()
    device.start()
    device.run.wait_log(r"refused ERROR_GLPI_ADD Too many devices")
    device.run.wait_log(r"helpdesk: Help desk")


def test_the_reason_that_the_backend_hides_is_hinted_at(make_device):
    device = make_device(refuse_post="Too many devices")
    device.provision()
    device.start()
    device.run.wait_log(r"refused ERROR_GLPI_ADD Enrollment failed.*debug enrolment")


@pytest.mark.parametrize("status", ["400", "404"])
def test_a_refused_profile_ends_the_enrollment(make_device, status):
    device = make_device(profile_change=status, default_profile=4)
    device.provision()
    device.start()
    device.run.wait_log(r"enrollment: refused .*guest profile")
    device.run.wait_log(WAITING)
    assert device.posts() == []


def test_a_profile_change_that_does_nothing_names_the_profile(make_device):
    device = make_device(profile_change="silent", default_profile=4)
    device.provision()
    device.start()
    device.run.wait_log(r"enrollment: (refused|WRONG_PROFILE|.*permission)")


@pytest.mark.parametrize("key", ["empty", "absent"])
def test_a_plugin_without_guest_profile_is_named_and_tried_again(make_device, key):
    device = make_device(guest_key=key)
    device.provision()
    device.start()
    device.run.wait_log(r"NO_GUEST_PROFILE")
    device.backend.options.guest_key = "given"
    device.enrolled()


# Texts
@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("broker", "mqtt://127.0.0.1", "BAD_BROKER .*a host's name alone"),
        ("broker", "127.0.0.1:1883", "BAD_BROKER .*a host's name alone"),
        ("broker_port", "abc", "BAD_PORT .*a number of 1 to 65535"),
    ],
)
def test_a_broker_that_is_none_is_named_and_asked_for_again(make_device, option, value, message):
    device = make_device(**{option: value})
    device.provision()
    device.start()
    device.run.wait_log(rf"enrollment: {message}")
    setattr(device.backend.options, option, None)
    device.online()


# Texts
def test_blanks_around_the_broker_are_passed_over(make_device):
    device = make_device()
    device.backend.options.broker = f" {device.backend.name} "
    device.go_online()


def test_html_instead_of_json_says_that_the_url_is_wrong(make_device):
    device = make_device()
    fault = device.backend.fault("initSession", "html")
    device.provision()
    device.start()
    device.run.wait_log(r"enrollment: NOT_JSON no GLPI API at this URL")
    device.backend.options.faults.remove(fault)
    device.enrolled()


# A14
@pytest.mark.parametrize(
    ("endpoint", "status", "form", "code"),
    [
        ("initSession", 401, "pair", "NOT_GLPI"),
        ("getFullSession", 200, "html", "NOT_JSON"),
        ("changeActiveProfile", 404, "empty", "NO_BODY"),
        ("changeActiveProfile", 200, "html", "NOT_JSON"),
        ("POST PluginFlyvemdmAgent", 403, "json", "NOT_GLPI"),
        ("POST PluginFlyvemdmAgent", 200, "html", "NOT_JSON"),
        ("GET PluginFlyvemdmAgent", 404, "html", "NOT_JSON"),
    ],
)
def test_what_something_before_glpi_says_is_no_verdict(make_device, endpoint, status, form, code):
    device = make_device(default_profile=4)
    device.backend.fault(endpoint, "error", status=status, form=form, times=1)
    device.provision()
    device.start()
    device.run.wait_log(rf"enrollment: {code} .*\(HTTP {status}\)")
    device.enrolled()
    assert device.posts().count(201) == 1


# A14
def test_who_is_asked_to_wait_waits(make_device):
    device = make_device()
    device.backend.fault("initSession", "error", status=429, times=1, retry_after="4")
    device.provision()
    device.start()
    assert 4000 <= int(device.run.wait_log(r"enrollment: next try in (\d+) ms")[1]) <= 4500
    device.enrolled()
    first, second = device.gets("initSession")[:2]
    assert second.time - first.time > 3.9


def test_an_unknown_user_token_asks_for_a_new_invitation(make_device):
    device = make_device()
    link = device.provision()
    device.backend.state.users.clear()
    device.provision(deeplink=link)
    device.start()
    device.run.wait_log(r"refused ERROR_GLPI_LOGIN_USER_TOKEN .*new invitation")


def test_an_unreachable_host_is_named_and_tried_again(device):
    device.backend.web.stop()
    device.start()
    device.run.wait_log(rf"cannot connect to {device.backend.name} \(ECONNREFUSED\)")
    device.run.wait_log(r"enrollment: next try in \d+ ms")


def test_a_redirect_is_refused_with_the_place_it_leads_to(make_device):
    device = make_device()
    device.backend.fault("*", "redirect", location="http://127.0.0.1:9/elsewhere")
    device.provision()
    device.start()
    device.run.wait_log(r"enrollment: the server sends us on to http://127.0.0.1:9/elsewhere")
    assert len(device.backend.requests) <= 1


@pytest.mark.parametrize(
    "certificate, message",
    [
        ("expired", "has expired"),
        ("not-yet", "not yet valid"),
        ("other-host", "another host name"),
    ],
)
def test_a_wrong_certificate_is_refused_before_any_token_leaves(make_device, certificate, message):
    device = make_device(tls=True, certificate=certificate)
    device.provision()
    device.start()
    device.run.wait_log(f"enrollment: the server's certificate .*{message}")
    assert list(device.backend.requests) == []


def test_a_certificate_of_another_ca_is_refused_before_any_token_leaves(make_device):
    device = make_device(tls=True)
    device.provision()
    other = ssl.PEM_cert_to_DER_cert(trustme.CA().cert_pem.bytes().decode())
    device.board.write("/ca.der", other)
    device.start()
    device.run.wait_log(r"enrollment: the server's certificate is not signed by our CA")
    assert list(device.backend.requests) == []


def test_a_self_signed_certificate_serves_when_it_is_pinned(make_device):
    device = make_device(tls=True, certificate="self-signed")
    device.provision()
    device.start()
    device.online()


def test_no_ca_on_the_board_says_how_to_bring_one(make_device):
    device = make_device(tls=True)
    device.provision()
    device.board.remove("/ca.der")
    device.start()
    device.run.wait_log(r"no CA certificate on the board: flyve provision --ca FILE")
    assert list(device.backend.requests) == []


def test_without_a_clock_tls_names_ntp(make_device):
    device = make_device(tls=True, ntp_silent=True)
    device.provision()
    device.start()
    device.run.wait_log(r"clock: no NTP server answered: allow UDP 123")
    device.run.wait_log(r"enrollment: the clock is not set")
    assert list(device.backend.requests) == []


def test_a_malformed_deeplink_is_refused_by_name(device):
    device.provision(deeplink="http://flyve.org/deeplink/?data=%%%")
    device.deeplinks = []
    device.start()
    device.run.wait_log(r"enrollment: refused DEEPLINK not base64")
    device.run.wait_log(WAITING)


def test_a_lost_answer_to_the_post_names_what_the_administrator_must_do(make_device):
    device = make_device()
    device.backend.fault("POST PluginFlyvemdmAgent", "drop-after", times=1)
    device.provision()
    device.start()
    device.run.wait_log(r"refused .*delete the device's agent in GLPI.*invite again")
    assert device.posts().count(201) <= 1
