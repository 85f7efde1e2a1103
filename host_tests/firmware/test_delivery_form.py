"""What the JSON form does not tell or GLPI has altered: sizes, names, and how headers are read."""

import re

import pytest

from host_tests.firmware.depot import PATH
from host_tests.kit.sample import content

DATA = content(70_000)
FOLDER = "/files/"
BEGIN = "Mon, 02 Nov 2026 08:00:00 GMT"


def silent(depot, **options):
    """The depot's backend tells no file's size, as all of generation A."""
    depot.backend.options.file_size = False
    for name, value in options.items():
        setattr(depot.backend.options, name, value)
    return depot


# A35
@pytest.mark.parametrize("mode", ["quirky", "strict"])
def test_sizes_that_the_form_leaves_out_come_from_the_first_answer(make_depot, mode):
    depot = silent(make_depot(range=mode))
    sizes = [0, 2, 4096, 16384, 16385, 16386, 32769, 70_000] + [1] * (mode == "strict")
    depot.fetch_all([depot.offer(content(size)) for size in sizes])
    assert depot.leftovers() == []


# A35
def test_generation_a_and_its_documentation_tell_no_size():
    from flyve_mdm.backend.options import Options

    assert not Options(generation="A").tells_size and not Options(documented=True).tells_size
    assert Options(generation="B").tells_size and Options().tells_size
    assert not Options(generation="B", file_size=False).tells_size
    assert Options(generation="A", file_size=True).tells_size


# A35
@pytest.mark.parametrize("size", [b'""', b"false", b"null"])
def test_a_size_that_php_does_not_know_is_had_from_the_answer(depot, size):
    depot.offer(DATA)

    def edit(request, answer):
        if not request.bytes_wanted:
            answer.body = answer.body.replace(b'"filesize":70000', b'"filesize":' + size)

    depot.front.edit = edit
    assert depot.fetch() == DATA


# A35
def test_without_a_content_range_the_length_of_a_whole_answer_is_the_size(depot):
    silent(depot).offer(DATA)
    depot.board.write(PATH, b"old")

    def change(_, answer):
        answer.status, answer.body = "200 OK", DATA
        answer.headers.pop("content-range")
        answer.headers["content-length"] = "70000"

    depot.edit_parts(change)
    assert depot.fetch(chunk=16384) == DATA
    assert len(depot.front.parts) == 1


# A35
def test_an_untold_total_of_a_part_is_had_from_a_request_for_all(depot):
    silent(depot).offer(DATA)

    def change(request, answer):
        if request.end:
            answer.headers["content-range"] = f"bytes {request.begin}-{request.end - 1}/*"
        else:
            answer.headers.pop("content-range")

    depot.edit_parts(change)
    assert depot.fetch(chunk=16384) == DATA
    assert [(part.begin, part.end) for part in depot.front.parts] == [(0, 16384), (0, None)]


def test_after_a_part_without_a_place_the_next_request_is_for_all(depot):
    silent(depot).offer(DATA)

    def change(request, answer):
        answer.headers.pop("content-range", None)
        if request.end:
            answer.headers.pop("content-length")
        else:
            answer.status = "200 OK"

    depot.edit_parts(change)
    assert depot.fetch(chunk=16384) == DATA
    assert [(part.begin, part.end) for part in depot.front.parts] == [(0, 16384), (0, None)]


# A35
def test_a_size_that_nothing_tells_fails_by_name(depot):
    silent(depot).offer(DATA)

    def change(_, answer):
        answer.status = "200 OK"
        for name in ("content-range", "content-length"):
            answer.headers.pop(name)

    depot.edit_parts(change)
    assert depot.fetch() is None
    assert "the server does not tell the size of PluginFlyvemdmFile/1" in depot.failure()
    assert len(depot.front.parts) == 4


# A35
def test_a_download_without_a_told_size_goes_on_after_a_power_cut(depot):
    silent(depot).offer(DATA)
    depot.prepare(count=True)
    depot.finish(cut_after=220)
    assert depot.leftovers()
    depot.front.requests.clear()
    assert depot.fetch() == DATA
    assert depot.front.parts[0].begin > 0
    assert any(re.search(r"goes on at byte \d+ of 70000", line) for line in depot.log)
    assert depot.leftovers() == []


# A35
def test_no_space_for_an_untold_size_is_told_before_a_byte_is_kept(depot):
    silent(depot).offer(content(2_200_000))
    assert depot.fetch(count=True) is None
    assert "no space: 2200000 bytes to come" in depot.failure()
    assert depot.leftovers() == [] and depot.received() == 0


# A35
@pytest.mark.parametrize("same_size", [True, False])
def test_a_file_of_untold_size_that_changes_is_never_mixed(depot, same_size):
    silent(depot).offer(DATA)
    other = content(70_000 if same_size else 71_000, 1)

    def change(request, answer):
        if request.begin == 49_152 and depot.file.version == 1:
            before = depot.file.modified
            depot.backend.tasks.update_file(depot.file, other)
            depot.file.modified = before

    depot.edit_parts(change)
    assert depot.fetch(chunk=16384) == other


# A26
@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("007", None),
        ("1.10", None),
        ("1e3", None),
        (" 7", None),
        ("007", "attachment; filename*=utf-8'en'%30%307; filename=\"7\""),
    ],
)
def test_a_name_that_looks_like_a_number_is_kept(depot, name, sent):
    depot.offer(DATA[:100], name)
    if sent:
        depot.edit_parts(lambda _, answer: answer.headers.update({"content-disposition": sent}))
    depot.fetch(path=FOLDER)
    assert depot.stored(FOLDER + name) == DATA[:100], depot.log
    assert depot.leftovers() == []


# A26
@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ('attachment; filename="../../flyve/7"', "refused file name"),
        ("attachment; filename*=UTF-8''a%2Fb", "refused file name"),
        ('attachment; filename="%s"' % ("7" * 400), "refused file name"),
        (None, "the server does not tell the file's name"),
    ],
)
def test_a_name_of_the_answer_is_confined_as_any(depot, sent, why):
    depot.offer(DATA[:100], "007")
    before = depot.board.files()

    def change(_, answer):
        answer.headers.pop("content-disposition")
        if sent:
            answer.headers["content-disposition"] = sent

    depot.edit_parts(change)
    depot.fetch(path=FOLDER)
    assert f"Failed {why}" in depot.failure()
    assert [path for path, _ in depot.board.files()] == [path for path, _ in before] + [
        "/params.json"
    ] * ("/params.json" not in dict(before))


# A26
def test_a_name_that_is_another_in_the_next_part_is_that_of_another_file(depot):
    depot.offer(DATA[:9000], "007")
    names = iter(["007"])

    def change(_, answer):
        name = next(names, "008")
        answer.headers["content-disposition"] = f'attachment; filename="{name}"'

    depot.edit_parts(change)
    depot.fetch(path=FOLDER, chunk=4096)
    assert any("changed on the server: its name is another" in line for line in depot.log)
    assert depot.stored(FOLDER + "008") == DATA[:9000]
    assert depot.stored(FOLDER + "007") is None


# A26
def test_a_numeric_name_outlives_a_power_cut_at_any_write(depot):
    depot.offer(DATA[:9000], "007")
    depot.save()
    for after in (60, 120, 180, 240):
        depot.restore()
        depot.prepare(path=FOLDER)
        depot.finish(cut_after=after)
        depot.fetch(path=FOLDER)
        found = {path for path, _ in depot.board.files() if path.startswith(("/files", "/part"))}
        assert (found, depot.stored(FOLDER + "007")) == ({FOLDER + "007"}, DATA[:9000]), after


# A26
def test_a_name_in_another_encoding_does_not_hinder_a_file_whose_name_is_known(depot):
    depot.offer(DATA[:100])
    name = 'attachment; filename="Gr\xfc\xdfe"'
    depot.edit_parts(lambda _, answer: answer.headers.update({"content-disposition": name}))
    assert depot.fetch() == DATA[:100]


# A17
@pytest.mark.parametrize(
    "other",
    [
        "Mon, 02 Nov 2026 09:00:00 +0100",
        "Mon Nov  2 08:00:00 2026",
    ],
)
def test_the_same_instant_in_another_form_is_the_same_file(depot, other):
    depot.offer(DATA)
    times = iter([BEGIN])
    depot.edit_parts(
        lambda _, answer: answer.headers.update({"last-modified": next(times, other)})
    )
    assert depot.fetch(chunk=32768) == DATA
    assert not any("changed on the server" in line for line in depot.log), depot.log


# A17
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (BEGIN, "Mon, 02 Nov 2026 08:00:00 +0100"),
        ("yesterday", "today"),
    ],
)
def test_other_instants_and_unknown_texts_are_another_file(depot, one, other):
    depot.offer(DATA)
    times = iter([one])
    depot.edit_parts(
        lambda _, answer: answer.headers.update({"last-modified": next(times, other)})
    )
    assert depot.fetch(chunk=32768) == DATA
    assert sum("changed on the server" in line for line in depot.log) == 1


# A17
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("content-type", "Application/Octet-Stream"),
        ("content-type", ""),
        ("content-encoding", ""),
        ("transfer-encoding", "IDENTITY ;q=1"),
        ("content-range", "Bytes  0 - 69999 / 70000"),
    ],
)
def test_values_of_headers_are_read_as_they_are_meant(depot, name, value):
    depot.offer(DATA)
    depot.edit_parts(lambda _, answer: answer.headers.update({name: value}))
    assert depot.fetch() == DATA


# A17
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("content-type", "Application/Octet-Stream-Not"),
        ("content-encoding", "identity, gzip"),
    ],
)
def test_another_kind_of_data_is_refused_in_any_case(depot, name, value):
    depot.offer(DATA)
    depot.edit_parts(lambda _, answer: answer.headers.update({name: value}))
    assert depot.fetch() is None
    assert re.search(r"the server sends .* instead of the file", depot.failure())
