"""Requests of HTTP/1, however they are cut into pieces."""

from flyve.jobs import http_request

POST = b"POST / HTTP/1.1\r\nHost: 192.168.4.1\r\nContent-Length: 7\r\n\r\nssid=ab"


def taken(data, size=None):
    """The request in these bytes, that come in pieces; None when it is not whole."""
    request = http_request.Request()
    size = size or len(data)
    whole = False
    for at in range(0, len(data), size):
        whole = request.take(data[at : at + size])
    return request if whole else None


def refused(data):
    """The status with which the request is refused; 0 when it is not."""
    try:
        taken(data)
    except http_request.Refused as e:
        return e.status
    return 0


def get(target=b"/", *lines):
    return b"\r\n".join((b"GET " + target + b" HTTP/1.1", b"Host: x") + lines) + b"\r\n\r\n"


def test_a_request_is_the_same_in_whatever_pieces_it_comes():
    for size in (1, 2, 3, 7, 100):
        request = taken(POST, size)
        assert (request.method, request.target, request.host) == ("POST", b"/", "192.168.4.1")
        assert request.body == b"ssid=ab"


def test_no_part_of_a_request_is_whole():
    for size in range(1, len(POST)):
        assert taken(POST[:size]) is None, size


def test_a_request_has_begun_with_its_first_byte():
    request = http_request.Request()
    assert not request.begun
    assert not request.take(b"G") and request.begun


def test_a_head_is_whole_without_a_body():
    for method in (b"GET", b"HEAD"):
        request = taken(method + b" / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert request.method.encode() == method and request.body == b""


def test_line_ends_may_be_short_and_stand_before_it():
    request = taken(b"\r\n\nGET /x HTTP/1.0\nHost: Flyve.ORG:80\n\n")
    assert (request.target, request.host) == (b"/x", "flyve.org")
    assert refused(b"\r\n" * 3) == 400


def test_a_host_in_the_request_line_counts():
    request = taken(b"GET http://Flyve.org:80/a?b HTTP/1.1\r\nHost: other\r\n\r\n")
    assert (request.target, request.host) == (b"/a?b", "flyve.org")


def test_a_host_has_the_characters_of_one():
    host = "abcdefghijklmnopqrstuvwxyz-0123456789._"
    assert taken(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % host.encode()).host == host
    for c in b"/;@[`{\x00\x80":
        assert refused(b"GET / HTTP/1.1\r\nHost: a%c\r\n\r\n" % c) == 400, c


def test_a_long_header_is_looked_at_no_further():
    assert taken(get(b"/", b"Cookie: " + b"c" * 9000)).target == b"/"


def test_what_is_no_request_is_refused():
    for data in (
        b"GET /\r\n",
        b"GET  / HTTP/1.1\r\n",
        b"GET x HTTP/1.1\r\n",
        b"GET /\x01 HTTP/1.1\r\n",
        b"GET /\x7f HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: <b>\r\n\r\n",
        get(b"/", b" folded: yes"),
        get(b"/", b"no colon"),
        get(b"/", b"a b: c"),
        get(b"/", b"Content-Length: -1"),
        get(b"/", b"Content-Length: x"),
        get(b"/", b"Content-Length: 1", b"Content-Length: 1"),
    ):
        assert refused(data) == 400, data
    assert refused(b"GET / SMTP/1.1\r\n") == 400
    assert refused(b"GET / HTTP/3\r\n") == 505
    assert refused(b"DELETE / HTTP/1.1\r\n") == 405
    assert refused(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n") == 411
    assert refused(get(b"/", b"Transfer-Encoding: chunked")) == 411


def test_each_part_has_its_bound():
    assert refused(b"GET /" + b"a" * 12300) == 414
    assert refused(get(b"/", b"X: " + b"y" * 16400)) == 431
    assert refused(get(b"/", *[b"a: b"] * 64)) == 431
    assert refused(get(b"/", b"Content-Length: 14337")) == 413
    assert refused(get(b"/", b"Content-Length: 9999999999999")) == 413


def test_what_is_within_its_bounds_is_taken():
    assert taken(b"GET /" + b"a" * (12288 - 15) + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert taken(get(b"/", *[b"a: b"] * 63))
    assert not refused(get(b"/", b"Content-Length: 14336"))


def test_what_comes_behind_the_body_is_left_out():
    assert taken(POST + b"GET / HTTP/1.1\r\n").body == b"ssid=ab"
