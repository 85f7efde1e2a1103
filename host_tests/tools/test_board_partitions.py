"""Partition tables: ours, as text and as they lie on the flash."""

import pytest

from flyve_mdm import ROOT
from flyve_mdm.board import partitions
from host_tests.tools.chip_images import ROWS, table

OURS = sorted(ROOT.glob("boards/*/partitions*.csv"))


@pytest.mark.parametrize("path", OURS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_our_tables_stay_what_they_are_on_the_flash(path):
    rows = partitions.parse(path.read_text(), path.name)
    assert len(rows) >= 4 and rows[-1].label == "vfs"
    made = partitions.pack(rows)
    assert len(made) == partitions.TABLE_SIZE
    assert partitions.unpack(made, path.name) == rows


def test_a_table_of_esp_idf_is_read_and_made_to_the_byte():
    rows = partitions.unpack(table(), "image.bin")
    assert [(*row[:4], row.label.encode()) for row in rows] == ROWS
    assert partitions.pack(rows).rstrip(b"\xff") == table().rstrip(b"\xff")


def test_a_damaged_table_is_said():
    broken = bytearray(table())
    broken[5] ^= 1
    with pytest.raises(ValueError, match="checksum is wrong"):
        partitions.unpack(bytes(broken), "image.bin")


@pytest.mark.parametrize(
    "text, problem",
    [
        ("nvs, data, nvs, 0x9000", "is no row"),
        ("nvs, what, nvs, 0x9000, 0x6000", "is no row"),
        ("nvs, data, nosuch, 0x9000, 0x6000", "is no row"),
        ("nvs, data, nvs, , 0x6000", "is no row"),
        ("app, app, factory, 0x11000, 0x6000", "edge of a block"),
        ("a, data, nvs, 0x9000, 0x6000\nb, data, phy, 0xe000, 0x1000", "b overlaps with a"),
    ],
)
def test_a_row_that_cannot_be_used_is_said(text, problem):
    with pytest.raises(ValueError, match=problem):
        partitions.parse(text, "partitions.csv")
