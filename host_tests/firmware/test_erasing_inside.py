"""What is left of an enrollment, also where NVS takes nothing more."""

import os

from flyve import log
from flyve.jobs import config, erasing, nvs, record_slots
from flyve.record import Record

BOARD = True
log.sink = lambda line: None

SECRET = "secret-of-the-enrollment"


def enrolled(**more):
    for key in ("rec.a", "rec.b"):
        nvs.erase(key)
    rec = Record(*record_slots.load()[:3])
    rec.save(state="enrolled", mqttpasswd=SECRET, **more)
    rec.save(agent_id="17")
    return rec


def left():
    """The record as it is read from NVS, in which the secret is nowhere."""
    for key in ("rec.a", "rec.b"):
        assert SECRET.encode() not in (nvs.get(key) or b"")
    return record_slots.load()[0]


class Refusing:
    """NVS that takes nothing the first few times."""

    def __init__(self, times):
        self.times = times

    def __enter__(self):
        self.put = put = nvs.put

        def refusing(key, blob):
            self.times -= 1
            if self.times >= 0:
                raise OSError(-0x1105)  # ESP_ERR_NVS_NOT_ENOUGH_SPACE
            put(key, blob)

        nvs.put = refusing

    def __exit__(self, *_):
        nvs.put = self.put


def erase(rec, state=None, refusals=0, **settings):
    with Refusing(refusals):
        erasing.enrollment(rec, dict(config.load()[0], **settings), state)


def test_nothing_but_the_state_is_left():
    for state in (None, "orphaned"):
        rec = enrolled()
        erase(rec, state)
        assert rec.values == left() == ({"state": state} if state else {})


def test_what_another_deeplink_has_created_stays():
    for refusals in (0, 1):
        rec = enrolled(renewed=["mark", "23"])
        erase(rec, None, refusals)
        assert left() == {"state": "created", "link": "mark", "agent_id": "23"}, refusals


def test_no_secret_is_left_where_nvs_takes_nothing_more():
    for refusals in (1, 2, 9):
        rec = enrolled()
        erase(rec, "orphaned", refusals)
        assert left() == ({"state": "orphaned"} if refusals == 1 else {}), refusals
        assert rec.get("mqttpasswd") is None


def test_files_go_only_if_the_settings_say_so():
    os.mkdir("/files")
    for erased in (False, True):
        with open("/files/a", "w") as f:
            f.write("x")
        erase(enrolled(), erase_on_unenroll=erased)
        assert ("files" in os.listdir("/")) is not erased
