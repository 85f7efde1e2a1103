"""`flyve label`: what a phone reads off a sheet is what the board has."""

import re
import stat

import pytest
import segno
from click.testing import CliRunner
from PIL import Image

from flyve_mdm.board import csv_file, label_canvas, label_sheet, labels
from flyve_mdm.board.cli_label import label
from flyve_mdm.board.labels import Label

LINK = "http://flyve.org/deeplink/?data=" + "aHR0cHM6Ly9nbHBpLmV4YW1wbGUub3Jn" * 9
LABELS = [
    Label("02aabbccdd01", "attic-1", "ESP32-02AABBCCDD01", "abcdefghjk", LINK),
    Label("02aabbccdd02", "Zürich <Жар> & a very long name of a board", "", "bcdefghjkm"),
    Label("02aabbccdd03", "", "ESP32-02AABBCCDD03"),
]


@pytest.fixture
def sheet(tmp_path):
    """sheet(name, options ...): the output, the files."""

    def sheet(name, *options, code=0, given=LABELS):
        table = tmp_path / "labels.csv"
        labels.add(table, given)
        arguments = [str(table), "-o", str(tmp_path / name), *options]
        result = CliRunner().invoke(label, arguments)
        assert result.exit_code == code, result.output
        return result.output, sorted(tmp_path.glob(name.replace(".", "*.")))

    return sheet


def test_what_is_written_is_read_and_the_newest_of_a_board_counts(tmp_path):
    labels.add(tmp_path / "labels.csv", LABELS)
    newer = Label(LABELS[0].mac, "attic-9", "x", "zzzzzzzzzz")
    labels.add(tmp_path / "labels.csv", [newer])
    assert labels.read(tmp_path / "labels.csv") == [newer, *LABELS[1:]]
    assert stat.S_IMODE((tmp_path / "labels.csv").stat().st_mode) == 0o600
    labels.add(tmp_path / "labels.csv", [], [LABELS[2].mac, LABELS[1].mac])
    assert labels.read(tmp_path / "labels.csv") == [newer, LABELS[2], LABELS[1]]


def test_labels_that_a_spreadsheet_has_saved_are_read(tmp_path):
    path = tmp_path / "labels.csv"
    text = "\ufeffmac;name;passphrase\r\n02:aa:bb:cc:dd:01;Zürich;abcdefghjk\r\n"
    path.write_bytes(text.encode())
    assert labels.read(path) == [Label("02aabbccdd01", "Zürich", "", "abcdefghjk")]


def test_codes_of_invitations_need_one(sheet):
    said, files = sheet("x.pdf", "--invitation", code=1, given=LABELS[2:])
    assert "no board in it has an invitation" in said and not files
    assert "1 label on" in sheet("x.pdf", given=LABELS[2:])[0]


def test_a_file_that_cannot_be_read_keeps_its_passphrases(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_bytes("mac,name,passphrase\n02aabbccdd09,Zürich,abcdefghjk\n".encode("latin-1"))
    before = path.read_bytes()
    with pytest.raises(csv_file.TableError, match="no table in CSV and UTF-8"):
        labels.add(path, LABELS)
    assert path.read_bytes() == before


@pytest.mark.parametrize("paper", label_sheet.PAPERS)
def test_each_paper_holds_its_labels_within_its_sheet(paper):
    size = label_sheet.PAPERS[paper]
    for axis in (0, 1):
        last = size.corner[axis] + (size.grid[axis] - 1) * size.pitch[axis] + size.label[axis]
        assert last <= size.sheet[axis] + 0.5
        assert size.label[axis] <= size.pitch[axis]


@pytest.mark.parametrize("paper", label_sheet.PAPERS)
def test_nothing_is_drawn_outside_its_label(paper):
    size = label_sheet.PAPERS[paper]
    marks = []

    class Canvas(label_canvas.Svg):
        def text(self, x, y, points, words, bold=False):
            marks.append((x, y - points * 0.26, self.width(points, words, bold), points * 0.26))

        def box(self, x, y, width, height):
            marks.append((x, y, width, height))

    for given in LABELS:
        marks.clear()
        label_sheet.draw(Canvas(size.sheet), size, [given], 0, False)
        for x, y, width, height in marks:
            assert size.corner[0] <= x and x + width <= size.corner[0] + size.label[0] + 0.3
            assert size.corner[1] <= y and y + height <= size.corner[1] + size.label[1]


@pytest.mark.parametrize("paper", label_sheet.PAPERS)
def test_around_a_code_there_is_the_white_that_scanners_need(paper):
    size, boxes, texts = label_sheet.PAPERS[paper], [], []

    class Canvas(label_canvas.Svg):
        def text(self, x, y, points, words, bold=False):
            high = points * label_canvas.POINT
            texts.append((x, y - 0.8 * high, x + self.width(points, words, bold), y))

        def box(self, x, y, width, height):
            boxes.append((x, y, x + width, y + height))

    label_sheet.draw(Canvas(size.sheet), size, [LABELS[0]], 0, False)
    left, top, right, bottom = (
        pick(box[n] for box in boxes) for n, pick in enumerate((min, min, max, max))
    )
    quiet = 4 * (right - left) / len(list(segno.make(LABELS[0].code, micro=False).matrix)) - 0.01
    assert left - size.corner[0] >= quiet and top - size.corner[1] >= quiet
    assert size.corner[0] + size.label[0] - right >= quiet
    assert texts
    for x0, y0, x1, y1 in texts:
        apart = x1 <= left - quiet or x0 >= right + quiet
        assert apart or y1 <= top - quiet or y0 >= bottom + quiet


def test_letters_that_the_font_lacks_are_told(sheet):
    given = [Label("02aabbccdd01", "温度計 Küche", "", "abcdefghjk")]
    said, _ = sheet("sheet.pdf", given=given)
    assert "Warning: the font has no letters for 度温計" in said and said.count("\n") == 2
    said, (path,) = sheet("sheet.svg", given=given)
    assert "Warning" not in said and "温度計" in path.read_text()


def test_a_picture_has_the_names_as_text_and_the_codes_as_shapes(sheet):
    _, (path,) = sheet("sheet.svg")
    text = path.read_text()
    assert "attic-1" in text and "Flyve-DD01" in text and "abcdefghjk" in text
    assert "&lt;Жар&gt;" in text, "no markup of a name"
    assert len(re.findall("<path", text)) == 1


def test_a_pdf_has_a_page_for_each_sheet(sheet):
    many = [Label(f"02aabbccdd{n:02}", f"board {n}", "", "abcdefghjk") for n in range(22)]
    said, (path,) = sheet("sheet.pdf", given=many)
    assert "22 labels on L7160" in said
    assert len(re.findall(rb"/Type /Page\b", path.read_bytes())) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_pictures_of_several_sheets_are_numbered(sheet):
    _, paths = sheet("tape.png", "--paper", "62x29")
    assert [path.name for path in paths] == ["tape-1.png", "tape-2.png", "tape-3.png"]
    with Image.open(paths[0]) as picture:
        assert picture.size == (732, 343)  # at 300 dots an inch
        assert 0 < picture.histogram()[0] < 0.6 * 732 * 343


def test_the_code_on_paper_is_the_network_to_the_dot(sheet):
    _, paths = sheet("tape.png", "--paper", "62x29")
    with Image.open(paths[0]) as picture:
        dark = picture.crop((470, 0, 732, 258)).point(lambda dot: 255 * (dot < 128)).getbbox()
        code = picture.crop((470 + dark[0], dark[1], 470 + dark[2], dark[3]))
        wanted = [list(row) for row in segno.make(LABELS[0].code, error="m", micro=False).matrix]
        step = code.width / len(wanted)
        seen = [
            [
                code.getpixel((int((x + 0.5) * step), int((y + 0.5) * step))) < 128
                for x in range(len(wanted))
            ]
            for y in range(len(wanted))
        ]
    assert seen == [[bool(dot) for dot in row] for row in wanted]


def test_used_labels_of_a_sheet_are_left_out(sheet):
    _, (first, second) = sheet("sheet.svg", "--skip", "20")
    assert "attic-1" in first.read_text() and "Flyve-DD02" not in first.read_text()
    assert "Flyve-DD02" in second.read_text()


def test_an_invitation_needs_a_larger_label(sheet):
    said, paths = sheet("sheet.pdf", "--invitation", code=1)
    assert "does not fit: take a larger label" in said and not paths
    sheet("sheet.pdf", "--invitation", "--paper", "L7165")


@pytest.mark.parametrize(
    "text, problem",
    [
        ("", "no column mac"),
        ("mac\n", "there is no label"),
        ("mac\nnonsense\n", "line 2: nonsense is no MAC"),
        ("x\n1\n", "no column mac: give the .labels.csv"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_line(tmp_path, text, problem):
    (tmp_path / "labels.csv").write_text(text)
    result = CliRunner().invoke(
        label, [str(tmp_path / "labels.csv"), "-o", str(tmp_path / "x.pdf")]
    )
    assert result.exit_code == 1
    assert problem in result.output and result.output.count("\n") == 1


def test_wrong_usage_is_said(sheet):
    assert "its name must end in" in sheet("sheet.doc", code=1)[0]
    assert "a sheet of L7160 has 21" in sheet("sheet.pdf", "--skip", "21", code=2)[0]
