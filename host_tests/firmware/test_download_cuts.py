"""Connections and power that fail in the middle: byte-exact in the end, and little fetched twice.

What was fetched twice is counted where it is sent or, when the power fails, by what the board had
read and where the next request begins."""

import pytest

from flyve_mdm.board.life import EXIT_CUT
from host_tests.firmware.downloads import PATH, SIZES, received, sha256, until
from host_tests.kit.sample import content, sample

TWICE = 16384 + 1  # bytes that one cut may cost
MODES = ("quirky", "strict")
BODIES = [size for size in SIZES if size > 1]
# Of sizes next to each other the soak has one: it takes each byte, or each write, of a file.
BY_BYTE = (2, 4097, 16385)
BY_WRITE = (0, 2, 4096, 4097, 16385, 32769, 65537)


def cut_at(*places):
    """An edit that lets the connection end at each of these bytes of the file, once."""
    due = sorted(places)

    def edit(request, answer):
        if request.bytes_wanted:
            here = [place for place in due if request.begin <= place < (request.end or 0)]
            if here:
                due.remove(here[0])
                answer.cut_body(here[0] - request.begin)

    edit.due = due
    return edit


def ignore(request, answer):
    """An edit that changes nothing."""


@pytest.mark.parametrize("mode", MODES)
def test_a_connection_cut_after_a_byte_of_the_body(make_site, mode):
    site = make_site(range=mode)
    for size in sample("body sizes " + mode, BODIES, 5):
        data = content(size)
        site.offer(data)
        edges = {1, size - 1, size - 2, 4095, 4096, 16383, 16384, 16385} & set(range(size))
        places = sample(f"{mode} body {size}", range(size), 1) + sample(mode + str(size), edges, 1)
        for place in places:
            _one_cut(site, data, place)


def _one_cut(site, data, *places):
    site.front.requests.clear()
    site.front.edit = edit = cut_at(*places)
    assert site.fetch(fresh=True) == data, (len(data), places)
    assert edit.due == []
    sent = sum(part.sent for part in site.front.parts)
    assert sent - len(data) <= len(places), (len(data), places)


def test_a_connection_cut_in_the_headers(site):
    data = content(40000)
    site.offer(data)
    heads = []
    site.front.edit = lambda request, answer: heads.append(len(answer.head))
    assert site.fetch() == data
    for place in [0, 8, 11, 12, *sample("headers", range(min(heads)), 3)]:
        cuts = [place]

        def edit(request, answer, cuts=cuts):
            if request.bytes_wanted and request.begin and cuts:
                answer.limit = cuts.pop()

        site.front.edit = edit
        site.front.requests.clear()
        assert site.fetch(fresh=True, chunk=16384) == data, place
        assert cuts == []
        assert sum(part.sent for part in site.front.parts) == len(data)


def test_a_connection_cut_in_the_json_form_is_worth_another_try(site):
    data = content(5000)
    site.offer(data)
    for place in [0, 12, *sample("form", range(400), 3)]:
        cuts = [place]

        def edit(request, answer, cuts=cuts):
            if b"PluginFlyvemdmFile" in request.raw and cuts:
                answer.limit = cuts.pop()

        site.front.edit = edit
        assert site.fetch(fresh=True, attempts=2) == data, (place, site.log)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", BY_BYTE)
def test_a_connection_cut_after_any_byte_of_the_body(make_site, mode, size):
    """Each byte of the file is the last before a cut, in a download of at most 16 cuts."""
    site = make_site(range=mode)
    data = content(size)
    stride = max(1, size // 16) if size > 4097 else size
    groups = [list(range(place, size, stride)) for place in range(stride)]
    for begin in range(0, len(groups), 100):
        some = groups[begin : begin + 100]
        edits = [cut_at(*group) for group in some]
        site.front.requests.clear()
        files = [site.offer(data) for _ in some]
        of = {file.id: edit for file, edit in zip(files, edits, strict=True)}
        site.front.edit = lambda r, answer, of=of: of.get(r.item, ignore)(r, answer)
        site.fetch_all(files, 600)
        assert all(e.due == [] for e in edits)
        sent = sum(part.sent for part in site.front.parts)
        cuts = sum(len(group) for group in some)
        assert sent - size * len(some) <= cuts


@pytest.mark.parametrize("mode", MODES)
def test_the_power_fails_after_a_byte_of_the_body(make_site, mode):
    site = make_site(range=mode)
    for size in (4097, 16385, 32769, 65537):
        data = content(size)
        site.offer(data)
        site.save()
        for place in sample(f"{mode} power {size}", range(1, size - 1), 1):
            _power_cut_after(site, data, place)
            site.restore()


def _power_cut_after(site, data, place):
    def edit(request, answer):
        if request.bytes_wanted and request.begin <= place < request.end:
            answer.cut_body(place - request.begin)
            answer.hold = True

    site.front.edit = edit
    site.front.requests.clear()
    site.prepare(count=True)
    run = site.start()
    until(lambda: received(run.log) == place)
    run.kill()
    assert site.stored() is None
    before = len(site.front.parts)
    site.front.edit = None
    assert site.fetch() == data
    begin = site.front.parts[before].begin if len(site.front.parts) > before else len(data)
    assert place - begin <= TWICE, (len(data), place)
    again = sum(part.sent for part in site.front.parts) - len(data)
    assert again <= TWICE, (len(data), place)


def power_cuts(site, size, torn, places=None, salt=0):
    """Cuts the power at writes of one download, each of a fresh one; `places` chooses them."""
    data, old = content(size, salt), content(300, 99)
    site.offer(data)
    site.board.write(PATH, old)
    site.prepare(count=True)
    site.save()
    site.finish()
    assert site.stored() == data
    assert site.received() <= size
    writes = site.run.flash_ops
    for place in places(writes) if places else range(1, writes + 1):
        where = f"size {size}, write {place} of {writes}, torn {torn}"
        site.restore()
        site.front.requests.clear()
        site.finish(cut_after=place, torn=torn)
        assert site.code == EXIT_CUT, where
        assert site.stored() in (old, data), where
        read = site.received()
        before = len(site.front.parts)
        site.finish()
        assert site.code == 0, where
        assert site.stored() == data, where
        assert site.done()[-1][2] == sha256(data), where
        assert site.leftovers() == [], where
        assert read + site.received() - size <= TWICE, where
        parts = site.front.parts[before:]
        assert read - (parts[0].begin if parts else size) <= TWICE, where


@pytest.mark.parametrize("torn", [None, 7], ids=["whole", "torn"])
def test_the_power_fails_at_a_write(site, torn):
    for size in sample(f"sizes {torn}", (size for size in SIZES if size != 1), 4):

        def places(writes, name=f"write {size} {torn}"):
            # The last dozen is where files and journal change places.
            last = range(max(1, writes - 12), writes + 1)
            return [*sample(name, range(1, writes + 1), 1), *sample(name, last, 1)]

        power_cuts(site, size, torn, places)


@pytest.mark.soak
@pytest.mark.timeout(7200)
# What of a torn write is left does not depend on the server.
@pytest.mark.parametrize(
    ("mode", "torn"), [("quirky", None), ("strict", None), ("strict", 7)], ids=str
)
@pytest.mark.parametrize("size", BY_WRITE)
def test_the_power_fails_at_any_write(make_site, size, torn, mode):
    power_cuts(make_site(range=mode), size, torn)


def test_the_power_fails_again_and_again(site):
    """Every life of the board ends some writes later than the one before; each gets further."""
    data = content(200_000)
    site.offer(data)
    site.prepare(count=True)
    read = cuts = 0
    for place in range(150, 600, 25):
        site.finish(cut_after=place)
        read += site.received()
        if site.code != EXIT_CUT:
            break
        cuts += 1
    assert site.stored() == data
    assert cuts >= 5
    assert read - len(data) <= cuts * TWICE
