"""flyve.jobs.rest: what is sent, and what it makes of every kind of answer."""

import json

import pytest

from host_tests.kit.peers import answer, says, silence
from host_tests.kit.peers.identities import HOST

BOARD = True

OTHER = "other.example.org"
SESSION = "83af7e620c83a50a18d3eac2f6ed05a3ca0bea62"
USER = "45erjbudklq5865sdkjhjks"


@pytest.fixture
def api(upy, serve):
    """Starts a server with that answer and a client of it."""

    def start(data=None, token_in="both", app_token=None, session=SESSION, script=None, base=""):
        peer = serve(script or says(answer(b"{}") if data is None else data))
        upy.call(
            "rest_calls", "start", f"http://{HOST}:{peer.port}{base}", token_in, app_token, session
        )
        return peer

    return start


def _sent(peer):
    """The request line and the headers of the first request."""
    head, _, body = peer.received.partition(b"\r\n\r\n")
    line, *headers = head.decode().split("\r\n")
    found = dict(header.split(": ", 1) for header in headers)
    assert len(found) == len(headers), "a header is sent twice"
    return line, found, body


def test_every_request_carries_the_documented_headers(upy, api):
    peer = api(app_token="app1")
    upy.call("rest_calls", "call", "GET", "getFullSession")
    line, headers, body = _sent(peer)
    assert line == f"GET /getFullSession?session_token={SESSION} HTTP/1.0"
    assert headers == {
        "Host": f"{HOST}:{peer.port}",
        "Content-Type": "application/json",
        "Session-Token": SESSION,
        "App-Token": "app1",
        "Connection": "close",
    }
    assert body == b""


def test_the_path_of_the_base_is_kept(upy, api):
    peer = api(base="/glpi/apirest.php", token_in="header")
    upy.call("rest_calls", "call", "GET", "initSession")
    assert _sent(peer)[0] == "GET /glpi/apirest.php/initSession HTTP/1.0"


def test_in_header_mode_no_token_is_in_the_request_line(upy, api):
    peer = api(answer(b'{"session_token": "s1"}'), token_in="header", session=None)
    assert upy.call("rest_calls", "open_session", USER)["value"] == "s1"
    line, headers, _ = _sent(peer)
    assert line == "GET /initSession HTTP/1.0"
    assert headers["Authorization"] == f"user_token {USER}"


def test_in_both_mode_the_user_token_is_in_query_and_header(upy, api):
    peer = api(answer(b'{"session_token": "s1"}'), session=None)
    upy.call("rest_calls", "open_session", USER)
    line, headers, _ = _sent(peer)
    assert line == f"GET /initSession?user_token={USER} HTTP/1.0"
    assert headers["Authorization"] == f"user_token {USER}"
    assert "Session-Token" not in headers


def test_the_session_token_follows_a_query(upy, api):
    peer = api()
    upy.call("rest_calls", "get", "changeActiveProfile", "profiles_id=9", None, "POST")
    expected = f"POST /changeActiveProfile?profiles_id=9&session_token={SESSION} HTTP/1.0"
    assert _sent(peer)[0] == expected


def test_given_headers_win(upy, api):
    peer = api()
    upy.call("rest_calls", "get", "f", "", {"Accept": "application/octet-stream"})
    assert _sent(peer)[1]["Accept"] == "application/octet-stream"


def test_a_body_has_its_length_and_arrives_whole(upy, api):
    peer = api()
    upy.call("rest_calls", "call", "PUT", "x", b'{"input": 1}')
    _, headers, body = _sent(peer)
    assert (headers["Content-Length"], body) == ("12", b'{"input": 1}')


def test_a_text_body_is_counted_in_bytes(upy, api):
    peer = api()
    upy.call("rest_calls", "call", "PUT", "x", '{"name": "Zoë"}')
    _, headers, body = _sent(peer)
    assert json.loads(body) == {"name": "Zoë"}
    assert headers["Content-Length"] == str(len(body))


@pytest.mark.parametrize("size", [0, 1, 255, 256, 511, 512, 513, 5000, 100_000])
def test_a_body_in_pieces_has_its_length_and_arrives_whole(upy, api, size):
    peer = api()
    found = upy.call("rest_calls", "pieces", "POST", "x", size)
    assert found.get("value", 1) is None, found
    _, headers, body = _sent(peer)
    assert int(headers.get("Content-Length", 0)) == len(body) == size
    assert body == b"0123456789abcdef" * (size // 256 * 16) + b"z" * (size % 256)


def test_the_headers_that_matter_are_kept_in_any_case(upy, api):
    kept = b"CONTENT-RANGE: bytes 0-1/2\r\nX-Other: 1\r\nlast-modified:x\r\n\r\n"
    api(b"HTTP/1.1 206 Partial\r\n" + kept)
    status, headers, body = upy.call("rest_calls", "get", "f")["value"]
    assert (status, body) == (206, b"")
    assert headers == {"content-range": "bytes 0-1/2", "last-modified": "x"}


def _refusal(upy, method="pick"):
    if method == "call":
        return upy.call("rest_calls", "call", "GET", "x")
    return upy.call("rest_calls", "pick", "x", ["id"])


def _error(code, message, status="400 Bad Request"):
    return answer(json.dumps([code, message]).encode(), status)


def test_glpi_s_error_pair_is_told(upy, api):
    api(_error("ERROR_GLPI_ADD", "wrong email address"))
    found = upy.call("rest_calls", "call", "POST", "PluginFlyvemdmAgent", b"{}")
    assert (found["status"], found["code"]) == (400, "ERROR_GLPI_ADD")
    assert found["message"] == "wrong email address"


def test_the_pointer_to_the_documentation_is_left_out(upy, api):
    tail = "; view documentation in your browser at http://glpi/apirest.php/#ERROR"
    api(_error("ERROR", "Bad Request" + tail))
    assert _refusal(upy)["message"] == "Bad Request"


@pytest.mark.parametrize("status", [401, 404, 500])
def test_the_status_of_an_error_is_kept(upy, api, status):
    api(_error("ERROR_X", "text", f"{status} Text"))
    assert _refusal(upy)["status"] == status


# A14
@pytest.mark.parametrize(
    "body",
    [b'{"message": "x"}', b'["ERROR_ALONE"]', b'{"0": "ERROR_X", "1": "y"}', b'["error", "x"]',
     b'["ERROR_X", "y", "z"]', b'[["ERROR_X", "y"]]', b"{}", b'["ERRORS", "x"]',
     b'["ERROR_X", {"reason": "y"}]', b'["ERROR_X", 3]', b'[0]', b'[{"ERROR_X": 1}, "y"]'],
)  # fmt: skip
@pytest.mark.parametrize("status", [401, 403, 404, 429, 503])
def test_only_glpi_s_pair_is_its_verdict(upy, api, body, status):
    api(answer(body, f"{status} Text"))
    found = _refusal(upy)
    assert (found["status"], found["code"], found["verdict"]) == (status, "NOT_GLPI", False)


# A14
def test_an_error_without_a_name_is_no_verdict(upy, api):
    api(_error("ERROR", "Bad Request"))
    found = _refusal(upy)
    assert (found["code"], found["message"], found["verdict"]) == ("ERROR", "Bad Request", False)


# A14
@pytest.mark.parametrize(("status", "verdict"), [(400, True), (404, True), (500, False)])
def test_glpi_s_pair_is_its_verdict_unless_the_server_failed(upy, api, status, verdict):
    api(_error("ERROR_ITEM_NOT_FOUND", "Item not found", f"{status} Text"))
    found = _refusal(upy)
    assert (found["code"], found["verdict"]) == ("ERROR_ITEM_NOT_FOUND", verdict)


# A14
@pytest.mark.parametrize(
    ("header", "ms"),
    [("Retry-After: 120", 120_000), ("Retry-After: 0", 1000),
     ("Retry-After: 90.5", 90_000), ("retry-after:99999999", 900_000),
     ("Retry-After: Fri, 27 Nov 2026 10:01:30 GMT\r\nDate: Fri, 27 Nov 2026 10:00:00 GMT", 90_000),
     ("Date: Fri, 31 Dec 2027 23:59:59 GMT\r\nRetry-After: Sat, 01 Jan 2028 00:00:09 GMT", 10_000),
     ("Retry-After: Fri, 27 Nov 1998 10:01:30 GMT", 1000), ("Retry-After: soon", 0),
     ("Retry-After: -5", 0), ("Retry-After: Fri, 99 Foo 2026 xx GMT", 0), ("X: y", 0)],
)  # fmt: skip
def test_the_server_may_say_how_long_to_wait(upy, api, header, ms):
    api(answer(b"<html>", "503 Service Unavailable", header))
    assert _refusal(upy)["after"] == ms


# A19
@pytest.mark.parametrize(
    "before",
    [b"\xef\xbb\xbf", b"<br />\n<b>Notice</b>: {main} in <b>x</b> on line <b>1</b>\n", b"[0] ",
     b"\xef\xbb\xbf\nNotice: [a] in x\n"],
)  # fmt: skip
@pytest.mark.parametrize("behind", [b"<br />\n", b"\nNotice: array[0], int[] in x on line 1 ]\n"])
def test_what_php_puts_around_an_error_is_passed_over(upy, api, before, behind):
    api(answer(before + b'["ERROR_GLPI_ADD", "no"]' + behind, "400 Bad Request"))
    found = _refusal(upy)
    assert (found["code"], found["message"]) == ("ERROR_GLPI_ADD", "no")


# A19
def test_what_php_puts_before_an_answer_is_passed_over_and_named(upy, api):
    api(
        answer(
            b"\nNotice: Undefined index: x in /hook.php on line 9\n" + b'{"session_token":"s1"}'
        )
    )
    found = upy.call("rest_calls", "open_session", USER)
    assert found["value"] == "s1"
    assert any("before the JSON: Notice: Undefined index: x" in x for x in found["lines"])


@pytest.mark.parametrize(("brackets", "code"), [(7, "ERROR_GLPI_ADD"), (8, "NOT_JSON")])
def test_the_json_may_begin_with_the_eighth_bracket(upy, api, brackets, code):
    api(answer(b"[x " * brackets + b'["ERROR_GLPI_ADD", "no"]', "400 Bad Request"))
    assert _refusal(upy)["code"] == ("BAD_JSON" if code == "NOT_JSON" else code)


@pytest.mark.parametrize("head", [b"<?xml version='1.0'?>", b"<!DOCTYPE html>", b"\n<HTML>"])
def test_json_inside_a_page_is_not_glpi_s(upy, api, head):
    api(answer(head + b'["ERROR_GLPI_ADD", "no"]', "400 Bad Request"))
    assert _refusal(upy)["code"] == "NOT_JSON"


# A15
@pytest.mark.parametrize("token", [b"", b"a\xff\xfe", b"\xc3\xa4", b"a b", b"a\r\nX: y", b"a\0"])
def test_a_session_token_that_fits_no_header_is_none(upy, api, token):
    api(answer(b'{"session_token":"' + token + b'"}'))
    assert upy.call("rest_calls", "open_session", USER)["code"] == "NO_SESSION"


MEANINGS = [
    ("413 Request Entity Too Large", "no body that long"), ("502 Bad Gateway", "is down"),
    ("504 Gateway Time-out", "in time"), ("503 X", "maintenance"), ("429 X", "no more requests"),
    ("426 Upgrade Required", "HTTP/1.0"), ("505 X", "HTTP/1.0"), ("401 X", "login of its own"),
    ("403 X", "firewall"), ("408 X", "did not wait"), ("431 X", "token_in"),
    ("507 X", "disk is full"), ("508 X", "error log"), ("511 X", "login of its own"),
    ("451 X", "firewall"), ("425 X", "firewall"), ("521 X", "is down"), ("524 X", "in time"),
    ("530 X", "is down"), ("405 X", "check the API's URL"), ("404 X", "check the API's URL"),
    ("200 OK", "under maintenance"),
]  # fmt: skip


# Texts
@pytest.mark.parametrize(("status", "part"), MEANINGS)
@pytest.mark.parametrize("body", [b"<html><body>Sorry", b""])
def test_a_status_that_is_not_glpi_s_says_where_to_look(upy, api, status, part, body):
    api(answer(body, status, "Content-Type: text/html"))
    found = _refusal(upy)
    assert part in found["message"] and found["status"] == int(status[:3])
    assert status[0] == "2" or found["code"] == ("NOT_JSON" if body else "NO_BODY")


# A14
def test_a_web_page_is_no_success_where_no_value_is_wanted(upy, api):
    api(answer(b"<!DOCTYPE html><title>Back soon", "200 OK", "Content-Type: text/html"))
    assert _refusal(upy, "call")["code"] == "NOT_JSON"


def test_a_notice_of_php_is_success_where_no_value_is_wanted(upy, api):
    text = b"<br />\n<b>Notice</b>: x on line <b>9</b>"
    peer = api(answer(text, "200 OK", "Content-Type: text/html"))
    assert "value" in _refusal(upy, "call") and peer.accepted == 1


# Texts
@pytest.mark.parametrize(
    ("header", "part"),
    [("Content-Encoding: gzip", "as gzip"), ("content-encoding: BR", "as br"),
     ("Transfer-Encoding: chunked", "in chunks"), ("transfer-encoding: Chunked", "in chunks")],
)  # fmt: skip
@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
def test_a_coding_that_nobody_asked_for_is_named(upy, api, header, part, status):
    api(answer(b"2\r\n{}\r\n0\r\n\r\n", status, header))
    found = _refusal(upy)
    assert found["code"] == "NOT_PLAIN" and part in found["message"]


@pytest.mark.parametrize("header", ["Content-Encoding:", "Content-Encoding: Identity"])
def test_no_coding_is_one(upy, api, header):
    api(answer(b'{"id": 3}', "200 OK", header))
    assert _refusal(upy)["value"] == {"id": 3}


# A20
def test_cookies_go_back_as_long_as_the_session(upy, serve):
    seen = []

    def script(connection):
        head = connection.request().decode()
        seen.append([x[8:] for x in head.split("\r\n") if x.startswith("Cookie: ")])
        more = ("Set-Cookie: SRV=b; Path=/; HttpOnly", "set-cookie: glpi_1=x y")
        if len(seen) == 2:
            more = ("Set-Cookie: SRV=c", "Set-Cookie: glpi_1=deleted; Max-Age=0", "Set-Cookie: =1")
        connection.send(answer(b'{"session_token": "s1"}', "200 OK", *more))

    peer = serve(script)
    upy.call("rest_calls", "start", f"http://{HOST}:{peer.port}", "both", None, None)
    found = upy.call("rest_calls", "several", USER)
    jars = [["SRV=b; glpi_1=x y"], ["SRV=c"]]
    assert [sorted(jar[0].split("; ")) if jar else [] for jar in seen] == [
        [], ["SRV=b", "glpi_1=x y"], jars[1], []
    ]  # fmt: skip
    assert not any("SRV" in line or "glpi_1" in line for line in found["lines"])


# A20
@pytest.mark.parametrize(
    ("how", "kept"),
    [("Max-Age=0", 0), ("max-age = 00", 0), ("Max-Age=-1", 0), ("Max-Age=06", 1),
     ("Expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/", 0), ("Path=/a/1970/19; Secure", 1),
     ("Expires=Tue, 01 Dec 1994 16:00:00 GMT", 0), ("Expires=Thu, 19 Nov 2026 19:19:19 GMT", 1),
     ("Expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=60", 1), ("expires", 1), (";;=;", 1)],
)  # fmt: skip
def test_a_cookie_goes_back_unless_it_is_over(upy, serve, how, kept):
    seen = []

    def script(connection):
        seen.append(b"Cookie: a=1" in connection.request())
        connection.send(answer(b'{"session_token": "s1"}', "200 OK", "Set-Cookie: a=1; " + how))

    peer = serve(script)
    upy.call("rest_calls", "start", f"http://{HOST}:{peer.port}", "both", None, None)
    upy.call("rest_calls", "several", USER)
    assert seen[1] is bool(kept)


# A20
def test_cookies_are_bounded_in_number_and_size(upy, serve):
    def script(connection):
        seen.append(connection.request())
        more = [f"Set-Cookie: n{i}=" + "v" * 20 for i in range(30)]
        more += ["Set-Cookie: long=" + "v" * 300, "Set-Cookie: big=" + "w" * 300 + "; Path=/"]
        connection.send(answer(b'{"session_token": "s1"}', "200 OK", *more))

    seen = []
    peer = serve(script)
    upy.call("rest_calls", "start", f"http://{HOST}:{peer.port}", "both", None, None)
    found = upy.call("rest_calls", "several", USER)
    assert "value" in found
    assert seen[1].count(b"=vvvv") == 8 and b"long=" not in seen[1] and b"big=" not in seen[1]
    assert any("too long to go back" in line for line in found["lines"])


# A13
@pytest.mark.parametrize(
    ("url", "told"),
    [("http://x", None), ("http://x/a/b", None), ("http://x:80/a", None), ("https://x/a", None),
     ("https://x:443/a", None), ("http://x:8080/a", "x:8080"), ("http://x:443", "x:443"),
     ("https://x:80", "x:80")],
)  # fmt: skip
def test_the_host_is_told_with_its_port_unless_that_is_the_default(upy, url, told):
    assert upy.call("rest_calls", "place", url) == told


@pytest.mark.parametrize(
    "body",
    [b"[" * 2000, b'["ERROR_X", "' + b"x" * 3000 + b'"]', b'["ERROR_X", ', b'{"a": [}'],
    ids=["deep", "long", "cut", "wrong"],
)
def test_an_error_that_cannot_be_read_keeps_its_status(upy, api, body):
    api(answer(body, "500 Oops"))
    found = _refusal(upy)
    assert (found["status"], found["code"]) == (500, "BAD_JSON")


@pytest.mark.parametrize(
    "body", [b"[" * 2000, b"[]", b'"text"', b"12", b'{"session_token": ["x"]}']
)
def test_an_answer_without_a_session_opens_none(upy, api, body):
    api(answer(body), session=None)
    assert upy.call("rest_calls", "open_session", USER)["code"] in (
        "BAD_JSON",
        "NOT_JSON",
        "NO_SESSION",
    )


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
def test_html_instead_of_json_names_the_url(upy, api, status):
    api(answer(b"<html><body>Hello", status, "Content-Type: text/html"))
    found = _refusal(upy)
    assert (found["status"], found["code"]) == (int(status[:3]), "NOT_JSON")
    assert "URL" in found["message"]


def test_an_error_with_an_empty_body_keeps_its_status(upy, api):
    api(answer(b"", "404 Not Found"))
    assert _refusal(upy)["status"] == 404


@pytest.mark.parametrize(
    "data",
    [b"", b"\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x15\x03\x01\x00\x02\x02P", b"HTTP/1.1 abc\r\n",
     b"220 mail.example.org ESMTP\r\n\r\n", b"HTTP/1.1\r\n\r\n", b"\xff\xfe" * 300],
    ids=["nothing", "blank", "ssh", "tls alert", "status", "smtp", "no status", "binary"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["pick", "call"])
def test_what_is_not_http_is_named(upy, api, data, method):
    api(data)
    found = _refusal(upy, method)
    assert "value" not in found
    assert found.get("code") == "NO_HTTP" or found["status"] == 0 or found["code"] == "NOT_JSON"


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "299 X"])
def test_an_empty_answer_is_fine_where_no_value_is_wanted(upy, api, status):
    api(answer(b"", status))
    assert upy.call("rest_calls", "call", "POST", "changeActiveProfile")["value"] is None


def test_an_empty_answer_is_named_where_a_value_is_wanted(upy, api):
    api(answer(b""))
    assert _refusal(upy)["status"] == 200


# Texts
@pytest.mark.parametrize("interim", [b"100 Continue", b"103 Early Hints\r\nLink: </x>; a=b"])
def test_an_interim_answer_is_passed_over(upy, api, interim):
    api(b"HTTP/1.1 " + interim + b'\r\n\r\nHTTP/1.1 200 OK\r\nX: y\r\n\r\n{"id": 5}')
    assert _refusal(upy)["value"] == {"id": 5}


def test_interim_answers_without_end_are_an_error(upy, api):
    api(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50)
    assert _refusal(upy)["status"] == 103


def test_a_body_shorter_than_announced_is_an_error(upy, api):
    api(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"id": 1')
    assert "value" not in _refusal(upy)


def test_what_follows_the_document_does_no_harm(upy, api):
    api(b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{"id": 17}')
    assert _refusal(upy)["value"] == {"id": 17}


def test_a_status_without_a_reason_is_read(upy, api):
    api(b'HTTP/1.1 200\r\n\r\n{"id": 1}')
    assert _refusal(upy)["value"] == {"id": 1}


def _redirect(upy, api, serve, place, method="GET", header="Location", status="301 Moved"):
    target = serve(silence)
    place = place.format(port=target.port)
    api(answer(b"", status, f"{header}: {place}"))
    body = b"{}" if method == "POST" else None
    found = upy.call("rest_calls", "call", method, "x", body)
    assert target.accepted == 0
    assert found["kind"] == "moved"
    assert "secret" not in found["text"]
    return found["text"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("header", ["Location", "location", "LOCATION"])
def test_a_redirect_is_told_and_not_followed(upy, api, serve, method, header):
    place = f"http://{OTHER}:{{port}}/glpi/?session_token=secret"
    text = _redirect(upy, api, serve, place, method, header)
    assert f"sends us on to http://{OTHER}:" in text
    assert text.endswith("/glpi/: correct the URL in GLPI")


def test_a_redirect_to_the_same_host_is_not_followed(upy, api, serve):
    _redirect(upy, api, serve, f"http://{HOST}:{{port}}/x?a=secret", status="308 Permanent")


def test_a_redirect_to_a_path_is_told(upy, api, serve):
    assert "sends us on to /glpi/:" in _redirect(upy, api, serve, "/glpi/?a=secret")


def test_a_redirect_from_https_to_http_is_not_followed(upy, serve, identity):
    target = serve(silence)
    place = f"Location: http://{HOST}:{target.port}/?session_token=secret"
    peer = serve(says(answer(b"", "302 Found", place)), tls=identity.context())
    upy.call("rest_calls", "start", f"https://{HOST}:{peer.port}", "both", None, SESSION)
    upy.call("transport_calls", "start", identity.der)
    found = upy.call("rest_calls", "call", "POST", "x", b"{}")
    assert found["kind"] == "moved"
    assert f"http://{HOST}:{target.port}/:" in found["text"]
    assert target.accepted == 0


@pytest.mark.parametrize("status", ["302 Found", "300 X", "399 X"])
def test_a_redirect_without_a_place_is_named(upy, api, status):
    api(answer(b"", status))
    assert _refusal(upy)["kind"] == "moved"


def test_the_place_of_a_new_item_is_no_redirect(upy, api):
    api(answer(b'{"id": 17}', "201 Created", "location: http://glpi/PluginFlyvemdmAgent/17"))
    assert _refusal(upy)["value"] == {"id": 17}


def test_an_unknown_session_answer_is_named(upy, api):
    api(answer(b'{"session_token": 12}'), session=None)
    assert upy.call("rest_calls", "open_session", USER)["code"] == "NO_SESSION"


@pytest.mark.parametrize(
    "data",
    [b"", b"garbage", answer(b"<html>", "500 Oops"), _error("ERROR_X", "y", "401 Unauthorized"),
     answer(b"", "301 Moved", "Location: http://other.example.org/")],
    ids=["nothing", "garbage", "html", "401", "redirect"],
)  # fmt: skip
def test_close_never_raises_and_forgets_the_session(upy, api, data):
    api(data)
    assert upy.call("rest_calls", "close_session")["value"] == [None, None]


def test_close_without_a_server_never_raises(upy, closed_port):
    upy.call("rest_calls", "start", f"http://{HOST}:{closed_port}", "both", None, SESSION)
    assert upy.call("rest_calls", "close_session")["value"] == [None, None]


def test_no_token_is_in_any_line_of_the_log(upy, api):
    api(answer(b'{"session_token": "%s"}' % SESSION.encode()), session=None)
    upy.call("rest_calls", "open_session", USER)
    api(_error("ERROR_X", f"session {SESSION} of user_token={USER} is bad"))
    lines = upy.call("rest_calls", "close_session")["lines"]
    assert lines
    assert not any(SESSION in line or USER in line for line in lines), lines


def test_a_stream_outlives_its_exchange(upy, api):
    data = bytes(range(256)) * 9
    peer = api(answer(data))
    wanted = {"Accept": "application/octet-stream"}
    assert upy.call("rest_calls", "get", "PluginFlyvemdmFile/1", "", wanted)["value"][2] == data
    assert _sent(peer)[1]["Accept"] == "application/octet-stream"


def test_a_session_that_is_refused_right_after_it_was_opened_is_an_error(upy, serve):
    seen = []

    def script(connection):
        seen.append(connection.request().split(b" ")[1].split(b"?")[0])
        if seen[-1] == b"/initSession":
            connection.send(answer(b'{"session_token": "new"}'))
        else:
            connection.send(_error("ERROR_SESSION_TOKEN_INVALID", "x", "401 Unauthorized"))

    peer = serve(script)
    upy.call("rest_calls", "start", f"http://{HOST}:{peer.port}", "both", None, "old", USER)
    assert upy.call("rest_calls", "get", "f")["code"] == "ERROR_SESSION_TOKEN_INVALID"
    assert seen == [b"/f", b"/initSession", b"/f"]


def test_a_stream_renews_an_expired_session_once(upy, serve):
    seen = []

    def script(connection):
        line = connection.request().split(b"\r\n")[0].decode().split(" ")[1]
        seen.append(line)
        if line.startswith("/initSession"):
            connection.send(answer(b'{"session_token": "new%d"}' % len(seen)))
        elif "new" in line:
            connection.send(answer(b"data"))
        else:
            connection.send(_error("ERROR_SESSION_TOKEN_INVALID", "x", "401 Unauthorized"))

    peer = serve(script)
    upy.call("rest_calls", "start", f"http://{HOST}:{peer.port}", "both", None, "old", USER)
    assert upy.call("rest_calls", "get", "f")["value"][2] == b"data"
    assert [line.split("?")[0] for line in seen] == ["/f", "/initSession", "/f"]


def test_base64_is_binascii_s_for_every_length(upy):
    assert upy.call("rest_calls", "base64_differs") == []
