"""Files and ranges, as the real code serves them and as RFC 9110 has them."""

import pytest

from host_tests.tools.enrollee import query, raw

BYTES = "Accept: application/octet-stream"
DATA = bytes(i * 7 % 251 for i in range(50_000))


@pytest.fixture(scope="module")
def site():
    from flyve_mdm.backend.server import Backend
    from host_tests.tools.enrollee import Enrollee

    with Backend() as backend:
        one = Enrollee(backend)
        one.log_in()
        ids = {}

        def get(size, asked=None, strict=False):
            backend.options.range = "strict" if strict else "quirky"
            if size not in ids:
                ids[size] = backend.tasks.add_file(DATA[:size], "data.bin").id
            path = query(f"/PluginFlyvemdmFile/{ids[size]}", session_token=one.session)
            headers = [BYTES] + ([f"Range: {asked}"] if asked else [])
            return raw(backend, path, headers, version="1.1")

        get.backend, get.device = backend, one
        yield get
        one.close()


WHOLE = [None, "bytes=0-", "bytes=-0", "bytes=0-0", "bytes=0-99999", "lines=1-2", "garbage",
         "bytes=5 - 9"]  # fmt: skip


@pytest.mark.parametrize("asked", WHOLE)
def test_quirky_whole(site, asked):
    status, headers, body = site(1000, asked)
    assert (status, headers["content-length"], body) == (200, "1000", DATA[:1000])
    assert headers["content-range"] == "bytes 0-999/1000"


@pytest.mark.parametrize(
    ("size", "asked", "status", "length", "content_range", "sent"),
    [
        (1000, "bytes=10-100", 206, 91, "10-100/1000", DATA[10:101]),
        (1000, "bytes=-100", 206, 101, "0-100/1000", DATA[:101]),
        (1000, "bytes=500-99999", 206, 500, "500-999/1000", DATA[500:1000]),
        (1000, "bytes=0-9,20-29", 206, 10, "0-9/1000", DATA[:10]),
        (1000, "bytes=1000-", 206, 0, "1000-999/1000", b""),
        (1000, "bytes=1001-", 206, -1, "1001-999/1000", b""),
        (1000, "bytes=2000-3000", 206, -1000, "2000-999/1000", b""),
        (1000, "bytes=100-50", 206, -49, "100-50/1000", b""),
        (1000, "bytes=5-5", 206, 1, "5-5/1000", b""),
        (1000, "bytes=999-", 206, 1, "999-999/1000", b""),
        (1000, "bytes=0-00", 206, 1, "0-0/1000", b""),
        (16385, None, 200, 16385, "0-16384/16385", DATA[:16384]),
        (32769, None, 200, 32769, "0-32768/32769", DATA[:32768]),
        (1, None, 200, 1, "0-0/1", b""),
        (50000, "bytes=0-16384", 206, 16385, "0-16384/50000", DATA[:16384]),
        (50000, "bytes=0-16383", 206, 16384, "0-16383/50000", DATA[:16384]),
        (0, None, 200, 0, "0--1/0", b""),
    ],
)
def test_quirky_part(site, size, asked, status, length, content_range, sent):
    answer = site(size, asked)
    assert answer[0] == status
    assert answer[1]["content-length"] == str(length)
    assert answer[1]["content-range"] == f"bytes {content_range}"
    assert answer[2] == sent


@pytest.mark.parametrize(
    ("size", "asked", "status", "content_range", "sent"),
    [
        (1000, None, 200, None, DATA[:1000]),
        (1000, "bytes=0-0", 206, "bytes 0-0/1000", DATA[:1]),
        (1000, "bytes=-100", 206, "bytes 900-999/1000", DATA[900:1000]),
        (1000, "bytes=10-", 206, "bytes 10-999/1000", DATA[10:1000]),
        (1000, "bytes=1000-", 416, "bytes */1000", b""),
        (1000, "bytes=100-50", 200, None, DATA[:1000]),
        (16385, None, 200, None, DATA[:16385]),
        (1, None, 200, None, DATA[:1]),
        (0, None, 200, None, b""),
    ],
)
def test_strict(site, size, asked, status, content_range, sent):
    answer = site(size, asked, strict=True)
    assert (answer[0], answer[1].get("content-range"), answer[2]) == (status, content_range, sent)
    assert answer[1]["content-length"] == str(len(sent))


def test_headers_of_bytes(site):
    _, headers, _ = site(1000)
    assert headers["connection"] == "close"
    assert headers["content-disposition"] == 'attachment; filename="data.bin"'
    assert headers["accept-ranges"] == "bytes"
    assert headers["last-modified"]
    assert "etag" not in headers


def test_json_form_and_absence(site):
    backend, one = site.backend, site.device
    file = backend.tasks.add_file(b"x" * 10, "a.txt")
    app = backend.tasks.add_package(b"y" * 20, "org.example.app", "app.tar")
    shown = one.call(
        "GET",
        f"/PluginFlyvemdmFile/{file.id}",
        headers={"Accept": "application/octet-stream, */*"},
    ).json()
    assert (shown["name"], shown["filesize"], shown["version"]) == ("a.txt", 10, 1)
    shown = one.call("GET", f"/PluginFlyvemdmPackage/{app.id}").json()
    assert (shown["package_name"], shown["dl_filename"]) == ("org.example.app", "app.tar")
    media = one.call("GET", f"/PluginFlyvemdmFile/{file.id}", params={"alt": "media"})
    assert media.content == b"x" * 10
    assert one.call("GET", "/PluginFlyvemdmFile/999").status_code == 404
    file.data = None
    lost = one.call("GET", f"/PluginFlyvemdmFile/{file.id}", params={"alt": "media"})
    assert (lost.status_code, lost.content) == (404, b"")
