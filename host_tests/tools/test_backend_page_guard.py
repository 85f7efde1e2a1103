"""Who may see the page for pilots, and what a stranger gets."""

import asyncio
import json
import subprocess
import sys

import httpx
import pytest

from host_tests.tools.pilot import Pilot, words

FLYVE = [sys.executable, "-c", "from flyve_mdm.cli import main; main()"]
WHERE = "Open `page` of the line that `flyve backend` printed: its token is in there."


@pytest.fixture
def stranger(backend, device):
    """Somebody without the token, beside a device."""
    device(backend).enroll()
    return Pilot(backend, inside=False)


def commands(backend):
    return backend.events.of("command")


def test_the_line_of_the_command_has_the_way_in():
    with subprocess.Popen([*FLYVE, "backend"], stdout=subprocess.PIPE, text=True) as process:
        page = json.loads(process.stdout.readline())["page"]
        with httpx.Client(trust_env=False) as client:
            client.get(page)
            answer = client.get(page.partition("?")[0])
        process.terminate()
    assert answer.status_code == 200 and "No device yet" in answer.text


def test_the_token_is_needed_once_then_a_cookie_has_it_that_no_script_and_no_other_site_gets(
    backend, stranger
):
    answer = stranger.client.get(backend.page)
    name, *flags = answer.headers["set-cookie"].split("; ")
    assert name.startswith(f"flyve_page_{backend.web.port}=")
    assert {flag.lower() for flag in flags} == {"httponly", "path=/", "samesite=strict"}
    assert stranger.get().status_code == 200


def test_over_tls_the_cookie_stays_there(start):
    backend = start(tls=True)
    pilot = Pilot(backend, inside=False)
    assert "Secure" in pilot.client.get(backend.page).headers["set-cookie"]
    assert pilot.get().status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/?token=x", "/?token=", "/?token=\u017c", "/page/device/17", "/page/no"]
)
def test_without_the_token_one_line_says_where_it_is(backend, stranger, path):
    answer = stranger.get(path)
    assert answer.status_code == 403 and WHERE in words(answer)
    assert "set-cookie" not in answer.headers and "ESP32-0001" not in answer.text


def test_without_the_token_nothing_is_ordered(backend, stranger):
    form = Pilot(backend).form()
    cookies = {f"flyve_page_{backend.web.port}": "x" * 32}
    for kept in ({}, cookies):
        stranger.client.cookies.update(kept)
        answer = stranger.client.post("/page/device/17/lock", data={"form": form})
        assert answer.status_code == 403 and not commands(backend)


@pytest.mark.parametrize("form", [{}, {"form": ""}, {"form": "x" * 32}, {"form": "\u017c"}])
def test_a_form_of_another_site_or_start_is_refused(backend, stranger, form):
    stranger.client.get(backend.page)
    answer = stranger.client.post("/page/device/17/lock", data={"a": "b", **form})
    assert answer.status_code == 403 and "another start of the backend" in words(answer)
    assert not commands(backend)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example.org", 403), ("127.0.0.1.evil.example.org", 403), ("[", 403), ("", 403),
        ("127.0.0.1", 200), ("LocalHost:1", 200), ("[::1]:80", 200), ("lab.example.org", 200),
    ],
)  # fmt: skip
def test_a_name_that_was_made_to_lead_here_is_refused(start, host, status):
    backend = start(host="lab.example.org", bind="127.0.0.1")
    pilot = Pilot(backend, inside=False)
    pilot.client.base_url = f"http://127.0.0.1:{backend.web.port}"
    pilot.client.get(backend.page)
    for cookie in pilot.client.cookies.jar:
        token = f"{cookie.name}={cookie.value}"
    answer = pilot.get(headers={"Host": host, "Cookie": token})
    assert answer.status_code == status
    assert (status == 200) != ("by the address that `flyve backend` printed" in answer.text)


@pytest.mark.parametrize(("bind", "status"), [(None, 403), ("0.0.0.0", 200)])
def test_other_machines_see_it_only_if_the_command_says_so(start, bind, status):
    backend = start(bind=bind)
    away = httpx.ASGITransport(backend.web._app, client=("192.0.2.7", 49152))

    async def get():
        async with httpx.AsyncClient(transport=away) as client:
            return await client.get(backend.page)

    answer = asyncio.run(get())
    assert answer.status_code == status
    assert (status == 403) == ("--bind opens it to others" in words(answer))


def test_a_browser_is_told_to_keep_nothing_and_to_run_nothing(stranger):
    for path in ("/", "/page/style.css"):
        headers = stranger.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy


def test_agents_and_tests_of_them_notice_nothing_of_it(backend, stranger):
    before = len(backend.requests)
    Pilot(backend).get("/page/device/17")
    assert len(backend.requests) == before
    answer = stranger.get("/apirest.php")
    assert answer.text.count("GLPI REST API") and len(backend.requests) == before + 1


def test_no_token_of_a_page_is_that_of_another_start(start):
    assert start()._guard.token != start()._guard.token
