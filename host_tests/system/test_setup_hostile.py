"""What hostile or hasty phones do to the set-up page."""

import contextlib
import socket
import time
import urllib.parse

import pytest

from flyve_mdm.board.phone import Phone
from flyve_mdm.patience import stretched
from host_tests.kit.boards.virtual import PSK, SETUP_PSK, SSID
from host_tests.system.setting_up import Setting

pytestmark = pytest.mark.virtual
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def setting(make_device):
    return Setting(make_device(debug=True)).prepare()


def raw(setting, data):
    """A connection to the page, on which this much was sent."""
    sock = socket.create_connection(("127.0.0.1", setting.phone.ports()[0]), stretched(20))
    sock.sendall(data)
    return sock


def test_who_is_not_in_the_boards_own_network_gets_neither_page_nor_name(setting):
    """The station is in a network, too, and in that one may be anybody."""
    setting.prepare(wifi=[[SSID, PSK]]).start()
    setting.device.run.wait_log("wifi: connected")
    page, names = setting.phone.ports()
    stranger = socket.create_connection(("127.0.0.1", page), stretched(20), ("127.0.0.2", 0))
    with stranger, contextlib.suppress(ConnectionError):
        stranger.sendall(b"GET / HTTP/1.1\r\nHost: 192.168.4.1\r\n\r\n")
        assert stranger.recv(100) == b""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asks:
        asks.bind(("127.0.0.2", 0))
        asks.sendto(bytes(12), ("127.0.0.1", names))
        assert setting.phone.lookup("flyve.org") == "192.168.4.1", "the next one has its answer"
        asks.setblocking(False)
        with pytest.raises(BlockingIOError):
            asks.recv(100)
    assert setting.phone.request()[0] == 200


def test_two_phones_at_once_see_the_same_and_one_enrolls_the_board(setting):
    setting.start()
    other = Phone(setting.device.board, setting.device.run, "da:00:00:00:00:02")
    assert other.join(SETUP_PSK) == "joined"
    setting.tap(setting.invite())
    assert b"Help desk" in other.request()[2]
    token = setting.token()
    assert setting.send(psk="wrong-passphrase")[0] == 303
    assert setting.send(form=token)[0] == 303, "it is sent again while the board joins"
    assert b"Joining flyve" in other.request()[2]
    setting.shows("wrong passphrase")
    assert setting.send()[0] == 303
    setting.arrives()
    assert setting.device.posts() == [201]


def test_a_phone_that_leaves_in_the_middle_leaves_a_page_for_the_next(setting):
    setting.start()
    half = raw(setting, b"POST / HTTP/1.1\r\nHost: 192.168.4.1\r\nContent-Length: 500\r\n\r\nssid")
    setting.phone.leave()
    half.close()
    other = Phone(setting.device.board, setting.device.run, "da:00:00:00:00:02")
    assert other.join(SETUP_PSK) == "joined"
    assert other.request()[0] == 200


def test_a_phone_that_leaves_after_the_button_does_not_stop_the_board(setting):
    setting.start()
    setting.tap(setting.invite())
    setting.send()
    setting.phone.leave()
    setting.device.run.wait_log("setup: joined")
    setting.device.later("agent: set up: restarting", 31)
    setting.device.online(30)


def test_connections_that_say_nothing_do_not_keep_others_waiting(setting):
    setting.start()
    silent = [raw(setting, b"") for _ in range(4)]
    before = time.monotonic()
    assert setting.phone.request()[0] == 200
    assert time.monotonic() - before < stretched(5)
    for sock in silent:
        sock.close()


def test_requests_that_take_all_the_memory_leave_the_page(setting):
    setting.start(heap="76K")
    token = setting.token()
    for size in (1000, 4000, 8000):
        link = f"http://flyve.org/deeplink/?data={'x' * size}"
        setting.tap(link)
        setting.send(form=token, link=link, psk="short")
        assert "</html>" in setting.page(), size


def test_a_slow_request_is_given_up_after_some_seconds(setting):
    setting.start()
    slow = raw(setting, b"GET / HTTP/1.1\r\n")
    end = time.monotonic() + stretched(20)
    answer = b""
    while not answer and time.monotonic() < end:
        try:
            slow.sendall(b"X")
            slow.settimeout(0.5)
            answer = slow.recv(100)
        except TimeoutError:
            pass
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert setting.phone.request()[0] == 200


def test_a_post_under_another_name_or_with_an_old_token_does_nothing(setting):
    setting.start()
    setting.tap(setting.invite())
    body = urllib.parse.urlencode({"ssid": SSID, "psk": PSK, "form": "0" * 16})
    assert setting.phone.request("/", "POST", body, host="evil.example.org")[0] == 403
    status, _, page = setting.phone.request("/", "POST", body)
    assert status == 403 and b"has started anew since" in page
    assert "Joining" not in setting.page()


def test_an_invitation_that_comes_after_the_page_was_seen_is_not_sent_with_it(setting):
    """Any web page that a phone has open may load an address of the board's."""
    setting.start()
    setting.tap(setting.invite())
    token = setting.token()
    setting.tap(setting.invite("evil@example.org"))
    status, page = setting.send(form=token)
    assert status == 403 and "The invitation is another one" in page
    assert "Joining" not in setting.page()
    assert setting.send()[0] == 303
    setting.arrives()


def test_no_path_leads_to_a_file(setting):
    setting.start()
    for path in ("/config.json", "/../config.json", "/%2e%2e/config.json", "//flyve/agent.mpy",
                 "/secrets.txt", "/..%5cconfig.json", "/apple-touch-icon.png"):  # fmt: skip
        status, _, page = setting.phone.request(path)
        assert status == 404 and page == b"404 Not Found\n", path


def test_no_markup_and_no_header_comes_of_what_others_have_named(setting):
    aps = {SCRIPT: "", f'"><b>{SSID}': PSK, "a\r\nSet-Cookie: x": "", SSID: PSK}
    setting.prepare(aps=aps).start()
    link = setting.invite(
        name=SCRIPT, phone=f'"{SCRIPT}', website=f"https://x/{SCRIPT}", support_email="'><i>"
    )
    setting.tap(link)
    status, page = setting.send(
        ssid="", other=SCRIPT * 2, psk="short", email=f"{SCRIPT}@x", link=SCRIPT
    )
    assert status == 422
    for text in (page, setting.page()):
        assert SCRIPT not in text and "<b>flyve" not in text and "<i>" not in text
        assert "&lt;script&gt;" in text
    assert "Set-Cookie" not in page
    _, headers, _ = setting.phone.request()
    assert "set-cookie" not in headers
    setting.tap("http://flyve.org/deeplink/?data=%0d%0aSet-Cookie:%20x")
    assert (
        "set-cookie"
        not in setting.phone.request(f"/x%0d%0aSet-Cookie:y?{SCRIPT}", host="x.org")[1]
    )


def test_a_refusal_with_markup_in_it_stays_text(setting):
    device = setting.device
    device.backend.options.refuse_post = SCRIPT
    device.provision()
    device.start()
    setting.joined()
    page = setting.shows("Ask the helpdesk for a new invitation.")
    assert SCRIPT not in page and "alert(1)" in page


def test_the_boards_own_work_goes_on_under_a_flood(setting):
    setting.start()
    for _ in range(30):
        raw(setting, b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * 20000).close()
        setting.phone.lookup("flyve.org")
    setting.device.board.press_boot(9)
    setting.device.run.wait_log("agent: reset by its button: restarting", 20)
