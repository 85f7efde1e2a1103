"""What is in the air, as the set-up page lists it."""

from flyve.jobs import wifi_scan

BOARD = True


class Station:
    def __init__(self, *heard):
        self._heard = heard
        self.calls = []

    def scan(self):
        self.calls.append("scan")
        return [(name, b"", 1, dbm, mode, False) for name, dbm, mode in self._heard]

    def isconnected(self):
        return False

    def disconnect(self):
        self.calls.append("disconnect")


def test_the_strongest_come_first_and_each_name_once():
    heard = Station((b"yard", -90, 0), (b"attic", -70, 3), (b"attic", -50, 3), (b"", -40, 3))
    assert wifi_scan.scan(heard) == [("attic", 4, True), ("yard", 0, False)]


def test_a_network_is_locked_when_any_by_its_name_is():
    heard = Station((b"attic", -40, 0), (b"attic", -70, 3), (b"yard", -50, 0))
    assert wifi_scan.scan(heard) == [("attic", 4, True), ("yard", 4, False)]


def test_no_more_than_sixteen_are_listed():
    heard = Station(*[(b"%d" % i, -50 - i, 3) for i in range(40)])
    assert [one[0] for one in wifi_scan.scan(heard)] == [str(i) for i in range(16)]


def test_a_station_that_hears_nothing_is_asked_again_at_rest():
    station = Station()
    assert wifi_scan.scan(station) == []
    assert station.calls == ["scan", "disconnect", "scan"]
