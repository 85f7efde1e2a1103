"""What the JSON form does not tell or GLPI has altered: sizes, names, and how headers are read."""

import re

import pytest

from host_tests.firmware.downloads import PATH
from host_tests.kit.sample import content

DATA = content(70_000)
FOLDER = "/files/"
BEGIN = "Mon, 02 Nov 2026 08:00:00 GMT"


def silent(site, **options):
    """The site's backend tells no file's size, as all of generation A."""
    site.backend.options.file_size = False
    for name, value in options.items():
        setattr(site.backend.options, name, value)
    return site


# A35
@pytest.mark.parametrize("mode", ["quirky", "strict"])
def test_sizes_that_the_form_leaves_out_come_from_the_first_answer(make_site, mode):
    site = silent(make_site(range=mode))
    sizes = [0, 2, 4096, 16384, 16385, 16386, 32769, 70_000] + [1] * (mode == "strict")
    site.fetch_all([site.offer(content(size)) for size in sizes])
    assert site.leftovers() == []


# A35
def test_generation_a_and_its_documentation_tell_no_size():
    from flyve_mdm.backend.options import Options

    assert not Options(generation="A").tells_size and not Options(documented=True).tells_size
    assert Options(generation="B").tells_size and Options().tells_size
    assert not Options(generation="B", file_size=False).tells_size
    assert Options(generation="A", file_size=True).tells_size


# A35
@pytest.mark.parametrize("size", [b'""', b"false", b"null"])
def test_a_size_that_php_does_not_know_is_had_from_the_answer(site, size):
    site.offer(DATA)

    def edit(request, answer):
        if not request.bytes_wanted:
            answer.body = answer.body.replace(b'"filesize":70000', b'"filesize":' + size)

    site.front.edit = edit
    assert site.fetch() == DATA


# A35
def test_without_a_content_range_the_length_of_a_whole_answer_is_the_size(site):
    silent(site).offer(DATA)
    site.board.write(PATH, b"old")

    def change(_, answer):
        answer.status, answer.body = "200 OK", DATA
        answer.headers.pop("content-range")
        answer.headers["content-length"] = "70000"

    site.edit_parts(change)
    assert site.fetch(chunk=16384) == DATA
    assert len(site.front.parts) == 1


# A35
def test_an_untold_total_of_a_part_is_had_from_a_request_for_all(site):
    silent(site).offer(DATA)

    def change(request, answer):
        if request.end:
            answer.headers["content-range"] = f"bytes {request.begin}-{request.end - 1}/*"
        else:
            answer.headers.pop("content-range")

    site.edit_parts(change)
    assert site.fetch(chunk=16384) == DATA
    assert [(part.begin, part.end) for part in site.front.parts] == [(0, 16384), (0, None)]


# A35
def test_a_size_that_nothing_tells_fails_by_name(site):
    silent(site).offer(DATA)

    def change(_, answer):
        answer.status = "200 OK"
        for name in ("content-range", "content-length"):
            answer.headers.pop(name)

    site.edit_parts(change)
    assert site.fetch() is None
    assert "the server does not tell the size of PluginFlyvemdmFile/1" in site.failure()
    assert len(site.front.parts) == 4


# A35
def test_a_download_without_a_told_size_goes_on_after_a_power_cut(site):
    silent(site).offer(DATA)
    site.prepare(count=True)
    site.finish(cut_after=220)
    assert site.leftovers()
    site.front.requests.clear()
    assert site.fetch() == DATA
    assert site.front.parts[0].begin > 0
    assert any(re.search(r"goes on at byte \d+ of 70000", line) for line in site.log)
    assert site.leftovers() == []


# A35
def test_no_space_for_an_untold_size_is_told_before_a_byte_is_kept(site):
    silent(site).offer(content(2_200_000))
    assert site.fetch(count=True) is None
    assert "no space: 2200000 bytes to come" in site.failure()
    assert site.leftovers() == [] and site.received() == 0


# A35
@pytest.mark.parametrize("same_size", [True, False])
def test_a_file_of_untold_size_that_changes_is_never_mixed(site, same_size):
    silent(site).offer(DATA)
    other = content(70_000 if same_size else 71_000, 1)

    def change(request, answer):
        if request.begin == 49_152 and site.file.version == 1:
            before = site.file.modified
            site.backend.tasks.update_file(site.file, other)
            site.file.modified = before

    site.edit_parts(change)
    assert site.fetch(chunk=16384) == other


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
def test_a_name_that_looks_like_a_number_is_kept(site, name, sent):
    site.offer(DATA[:100], name)
    if sent:
        site.edit_parts(lambda _, answer: answer.headers.update({"content-disposition": sent}))
    site.fetch(path=FOLDER)
    assert site.stored(FOLDER + name) == DATA[:100], site.log
    assert site.leftovers() == []


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
def test_a_name_of_the_answer_is_confined_as_any(site, sent, why):
    site.offer(DATA[:100], "007")
    before = site.board.files()

    def change(_, answer):
        answer.headers.pop("content-disposition")
        if sent:
            answer.headers["content-disposition"] = sent

    site.edit_parts(change)
    site.fetch(path=FOLDER)
    assert f"Failed {why}" in site.failure()
    assert [path for path, _ in site.board.files()] == [path for path, _ in before] + [
        "/params.json"
    ] * ("/params.json" not in dict(before))


# A26
def test_a_numeric_name_outlives_a_power_cut_at_any_write(site):
    site.offer(DATA[:9000], "007")
    site.save()
    for after in (60, 120, 180, 240):
        site.restore()
        site.prepare(path=FOLDER)
        site.finish(cut_after=after)
        site.fetch(path=FOLDER)
        found = {path for path, _ in site.board.files() if path.startswith(("/files", "/part"))}
        assert (found, site.stored(FOLDER + "007")) == ({FOLDER + "007"}, DATA[:9000]), after


# A26
def test_a_name_in_another_encoding_does_not_hinder_a_file_whose_name_is_known(site):
    site.offer(DATA[:100])
    name = 'attachment; filename="Gr\xfc\xdfe"'
    site.edit_parts(lambda _, answer: answer.headers.update({"content-disposition": name}))
    assert site.fetch() == DATA[:100]


# A17
@pytest.mark.parametrize(
    "other",
    [
        "Mon, 02 Nov 2026 09:00:00 +0100",
        "Mon Nov  2 08:00:00 2026",
    ],
)
def test_the_same_instant_in_another_form_is_the_same_file(site, other):
    site.offer(DATA)
    times = iter([BEGIN])
    site.edit_parts(lambda _, answer: answer.headers.update({"last-modified": next(times, other)}))
    assert site.fetch(chunk=32768) == DATA
    assert not any("changed on the server" in line for line in site.log), site.log


# A17
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (BEGIN, "Mon, 02 Nov 2026 08:00:00 +0100"),
        ("yesterday", "today"),
    ],
)
def test_other_instants_and_unknown_texts_are_another_file(site, one, other):
    site.offer(DATA)
    times = iter([one])
    site.edit_parts(lambda _, answer: answer.headers.update({"last-modified": next(times, other)}))
    assert site.fetch(chunk=32768) == DATA
    assert sum("changed on the server" in line for line in site.log) == 1


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
def test_values_of_headers_are_read_as_they_are_meant(site, name, value):
    site.offer(DATA)
    site.edit_parts(lambda _, answer: answer.headers.update({name: value}))
    assert site.fetch() == DATA


# A17
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("content-type", "Application/Octet-Stream-Not"),
        ("content-encoding", "identity, gzip"),
    ],
)
def test_another_kind_of_data_is_refused_in_any_case(site, name, value):
    site.offer(DATA)
    site.edit_parts(lambda _, answer: answer.headers.update({name: value}))
    assert site.fetch() is None
    assert re.search(r"the server sends .* instead of the file", site.failure())
