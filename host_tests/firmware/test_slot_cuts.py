"""The power fails while a firmware image streams into its slot: the old one runs, or the whole new
one, little comes twice, and what runs is never touched."""

import pytest

from flyve_mdm.board import appimage
from flyve_mdm.board.life import EXIT_CUT
from host_tests.kit.packages import boot_slot
from host_tests.kit.sample import sample

TWICE = 16384  # bytes that one cut may cost
TORN = pytest.mark.parametrize("torn", [None, 7], ids=["whole", "torn"])
IMAGE = appimage.build("new", size=60_000)
FALLBACK = 1 << 18  # of "update": the image in the other slot may be fallen back to


@pytest.fixture
def depot(make_depot):
    """A depot whose board is to update its firmware, and counts what it reads."""
    depot = make_depot("updater")
    (depot.board.path / "ota_1.img").write_bytes(appimage.build("before").ljust(0x180000, b"\x5a"))
    depot.board.change(entries={("flyve", "update"): FALLBACK})
    depot.file = depot.backend.tasks.add_package(IMAGE, "firmware", "firmware.bin")
    depot.prepare(count=True, **depot.firmware)
    depot.save()
    return depot


def whole(depot):
    return depot.slot()[: len(IMAGE)] == IMAGE


def cut_at(depot, place, torn=None):
    """Cuts the power at one write of an update, then lets it end."""
    depot.restore()
    running = depot.slot("ota_0")
    depot.finish(cut_after=place, torn=torn)
    where = f"write {place}, torn {torn}: {depot.log}"
    assert depot.code == EXIT_CUT, where
    assert depot.slot("ota_0") == running, where
    read = depot.received()
    log = list(depot.log)
    before = len(depot.front.parts)
    depot.finish()
    if "update failed" in depot.log:
        # It lost its power between its installation and its first minutes: the old one is back.
        assert "whole" in " ".join(log), where
        assert depot.log[0] == "runs ota_0", where
        depot.finish()
    else:
        assert read + depot.received() - len(IMAGE) <= TWICE, where
        again = depot.front.parts[before:]
        assert read - (again[0].begin if again else len(IMAGE)) <= TWICE, where
    assert "update confirmed" in depot.log, where
    assert boot_slot(depot.board) == "ota_1", where
    assert whole(depot), where
    assert depot.slot("ota_0") == running, where
    assert depot.leftovers() == [], where


def writes(depot):
    """How many writes an update has, up to where the new one keeps itself."""
    depot.finish()
    assert "update confirmed" in depot.log
    assert whole(depot)
    return depot.run.flash_ops


@TORN
def test_the_power_fails_at_a_write_of_an_update(depot, torn):
    count = writes(depot)
    # The last dozen is where the new one becomes the one that starts.
    last = range(count - 12, count + 1)
    for place in {*sample(f"slot {torn}", range(1, count + 1), 4), *sample(f"{torn}", last, 3)}:
        cut_at(depot, place, torn)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@TORN
def test_the_power_fails_at_any_write_of_an_update(depot, torn):
    for place in range(1, writes(depot) + 1):
        cut_at(depot, place, torn)
