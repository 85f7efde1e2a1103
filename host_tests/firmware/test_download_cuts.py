"""Connections and power that fail in the middle: byte-exact in the end, and little fetched twice.

What was fetched twice is counted where it is sent or, when the power fails, by what the board had
read and where the next request begins."""

import pytest

from flyve_mdm.board.life import EXIT_CUT
from host_tests.firmware.depot import PATH, SIZES, received, sha256, until
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
def test_a_connection_cut_after_a_byte_of_the_body(make_depot, mode):
    depot = make_depot(range=mode)
    for size in sample("body sizes " + mode, BODIES, 5):
        data = content(size)
        depot.offer(data)
        edges = {1, size - 1, size - 2, 4095, 4096, 16383, 16384, 16385} & set(range(size))
        places = sample(f"{mode} body {size}", range(size), 1) + sample(mode + str(size), edges, 1)
        for place in places:
            _one_cut(depot, data, place)


def _one_cut(depot, data, *places):
    depot.front.requests.clear()
    depot.front.edit = edit = cut_at(*places)
    assert depot.fetch(fresh=True) == data, (len(data), places)
    assert edit.due == []
    sent = sum(part.sent for part in depot.front.parts)
    assert sent - len(data) <= len(places), (len(data), places)


def test_a_connection_cut_in_the_headers(depot):
    data = content(40000)
    depot.offer(data)
    heads = []
    depot.front.edit = lambda request, answer: heads.append(len(answer.head))
    assert depot.fetch() == data
    for place in [0, 8, 11, 12, *sample("headers", range(min(heads)), 3)]:
        cuts = [place]

        def edit(request, answer, cuts=cuts):
            if request.bytes_wanted and request.begin and cuts:
                answer.limit = cuts.pop()

        depot.front.edit = edit
        depot.front.requests.clear()
        assert depot.fetch(fresh=True, chunk=16384) == data, place
        assert cuts == []
        assert sum(part.sent for part in depot.front.parts) == len(data)


def test_a_connection_cut_in_the_json_form_is_worth_another_try(depot):
    data = content(5000)
    depot.offer(data)
    for place in [0, 12, *sample("form", range(400), 3)]:
        cuts = [place]

        def edit(request, answer, cuts=cuts):
            if b"PluginFlyvemdmFile" in request.raw and cuts:
                answer.limit = cuts.pop()

        depot.front.edit = edit
        assert depot.fetch(fresh=True, attempts=2) == data, (place, depot.log)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", BY_BYTE)
def test_a_connection_cut_after_any_byte_of_the_body(make_depot, mode, size):
    """Each byte of the file is the last before a cut, in a download of at most 16 cuts."""
    depot = make_depot(range=mode)
    data = content(size)
    stride = max(1, size // 16) if size > 4097 else size
    groups = [list(range(place, size, stride)) for place in range(stride)]
    for begin in range(0, len(groups), 100):
        some = groups[begin : begin + 100]
        edits = [cut_at(*group) for group in some]
        depot.front.requests.clear()
        files = [depot.offer(data) for _ in some]
        of = {file.id: edit for file, edit in zip(files, edits, strict=True)}
        depot.front.edit = lambda r, answer, of=of: of.get(r.item, ignore)(r, answer)
        depot.fetch_all(files, 600)
        assert all(e.due == [] for e in edits)
        sent = sum(part.sent for part in depot.front.parts)
        cuts = sum(len(group) for group in some)
        assert sent - size * len(some) <= cuts


@pytest.mark.parametrize("mode", MODES)
def test_the_power_fails_after_a_byte_of_the_body(make_depot, mode):
    depot = make_depot(range=mode)
    for size in (4097, 16385, 32769, 65537):
        data = content(size)
        depot.offer(data)
        depot.save()
        for place in sample(f"{mode} power {size}", range(1, size - 1), 1):
            _power_cut_after(depot, data, place)
            depot.restore()


def _power_cut_after(depot, data, place):
    def edit(request, answer):
        if request.bytes_wanted and request.begin <= place < request.end:
            answer.cut_body(place - request.begin)
            answer.hold = True

    depot.front.edit = edit
    depot.front.requests.clear()
    depot.prepare(count=True)
    run = depot.start()
    until(lambda: received(run.log) == place)
    run.kill()
    assert depot.stored() is None
    before = len(depot.front.parts)
    depot.front.edit = None
    assert depot.fetch() == data
    begin = depot.front.parts[before].begin if len(depot.front.parts) > before else len(data)
    assert place - begin <= TWICE, (len(data), place)
    again = sum(part.sent for part in depot.front.parts) - len(data)
    assert again <= TWICE, (len(data), place)


def power_cuts(depot, size, torn, places=None, salt=0):
    """Cuts the power at writes of one download, each of a fresh one; `places` chooses them."""
    data, old = content(size, salt), content(300, 99)
    depot.offer(data)
    depot.board.write(PATH, old)
    depot.prepare(count=True)
    depot.save()
    depot.finish()
    assert depot.stored() == data
    assert depot.received() <= size
    writes = depot.run.flash_ops
    for place in places(writes) if places else range(1, writes + 1):
        where = f"size {size}, write {place} of {writes}, torn {torn}"
        depot.restore()
        depot.front.requests.clear()
        depot.finish(cut_after=place, torn=torn)
        assert depot.code == EXIT_CUT, where
        assert depot.stored() in (old, data), where
        read = depot.received()
        before = len(depot.front.parts)
        depot.finish()
        assert depot.code == 0, where
        assert depot.stored() == data, where
        assert depot.done()[-1][2] == sha256(data), where
        assert depot.leftovers() == [], where
        assert read + depot.received() - size <= TWICE, where
        parts = depot.front.parts[before:]
        assert read - (parts[0].begin if parts else size) <= TWICE, where


@pytest.mark.parametrize("torn", [None, 7], ids=["whole", "torn"])
def test_the_power_fails_at_a_write(depot, torn):
    for size in sample(f"sizes {torn}", (size for size in SIZES if size != 1), 4):

        def places(writes, name=f"write {size} {torn}"):
            # The last dozen is where files and journal change places.
            last = range(max(1, writes - 12), writes + 1)
            return [*sample(name, range(1, writes + 1), 1), *sample(name, last, 1)]

        power_cuts(depot, size, torn, places)


# A41
def test_the_power_fails_while_a_file_takes_its_place_and_no_other_file_is_hidden(depot):
    """littlefs moves a file to another folder in two writes. Between them it hides what comes
    after that file, up to the next write, and the agent reads before it writes."""
    data = content(300)
    depot.offer(data)
    others = {path: path.encode() for path in ("/part.zz", "/tasks.json", "/zz", "/files/a/c.bin")}
    depot.board.change(others)
    depot.prepare()
    depot.save()
    depot.finish()
    assert depot.stored() == data
    writes = depot.run.flash_ops
    for place in range(max(1, writes - 8), writes + 1):
        depot.restore()
        depot.finish(cut_after=place)
        assert depot.code == EXIT_CUT, place
        # As they are found by their names, and in the listing.
        assert {path: depot.stored(path) for path in others} == others, place
        assert others.keys() <= {path for path, _ in depot.board.files()}, place
        depot.finish()
        assert depot.stored() == data, place
        assert depot.leftovers() == [], place


@pytest.mark.soak
@pytest.mark.timeout(7200)
# What of a torn write is left does not depend on the server.
@pytest.mark.parametrize(
    ("mode", "torn"), [("quirky", None), ("strict", None), ("strict", 7)], ids=str
)
@pytest.mark.parametrize("size", BY_WRITE)
def test_the_power_fails_at_any_write(make_depot, size, torn, mode):
    power_cuts(make_depot(range=mode), size, torn)


def test_the_power_fails_again_and_again(depot):
    """Every life of the board ends some writes later than the one before; each gets further."""
    data = content(200_000)
    depot.offer(data)
    depot.prepare(count=True)
    read = cuts = 0
    for place in range(150, 600, 25):
        depot.finish(cut_after=place)
        read += depot.received()
        if depot.code != EXIT_CUT:
            break
        cuts += 1
    assert depot.stored() == data
    assert cuts >= 5
    assert read - len(data) <= cuts * TWICE
