"""NVS partitions: Espressif's generator writes them, a reader of our own reads them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyve_mdm.board import espnvs

SIZE = 0x6000
NAMES = st.text("abcdefghij._", min_size=1, max_size=15)
VALUES = st.integers(-(1 << 31), (1 << 31) - 1) | st.binary(max_size=600)


@given(st.dictionaries(st.tuples(NAMES, NAMES), VALUES, max_size=12))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read(entries):
    data = espnvs.build(entries, SIZE)
    assert len(data) == SIZE
    assert espnvs.read(data) == entries


def test_a_blob_may_go_over_several_pages():
    entries = {("flyve", "wifi"): bytes(range(256)) * 40, ("flyve", "net"): 1}
    assert espnvs.read(espnvs.build(entries, SIZE)) == entries


def test_the_last_page_stays_free_as_the_library_on_the_chip_needs_it():
    data = espnvs.build({("flyve", "wifi"): bytes(6000)}, SIZE)
    assert set(data[-espnvs.PAGE :]) == {0xFF}


@pytest.mark.parametrize(
    "entries",
    [{("flyve", "a"): bytes(30_000)}, {("flyve", f"k{n}"): n for n in range(900)}],
    ids=["a long one", "many"],
)
def test_too_much_is_said(entries):
    with pytest.raises(ValueError, match="do not fit an NVS partition of 24576 bytes"):
        espnvs.build(entries, SIZE)


def test_a_partition_that_is_too_small_is_said():
    with pytest.raises(ValueError, match="too small: it needs 12288"):
        espnvs.build({}, 0x2000)


def test_an_entry_that_a_cut_has_left_half_done_is_passed_over():
    entries = {("flyve", "a"): 1, ("flyve", "b"): 2, ("flyve", "c"): b"three"}
    data = bytearray(espnvs.build(entries, SIZE))
    at = data.index(b"b\0")
    data[at + 16] ^= 1  # its value, under the checksum of another one
    assert espnvs.read(bytes(data)) == {k: v for k, v in entries.items() if k[1] != "b"}
    data = bytearray(espnvs.build(entries, SIZE))
    data[data.index(b"three")] ^= 1
    assert espnvs.read(bytes(data)) == {k: v for k, v in entries.items() if k[1] != "c"}


def test_what_is_blank_or_no_nvs_has_no_entries():
    assert espnvs.read(b"\xff" * SIZE) == {}
    assert espnvs.read(bytes(SIZE)) == {}
