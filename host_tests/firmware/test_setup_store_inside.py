"""What a person has set up, and what of it is written."""

import json
import os

from flyve.jobs import nvs, setup_store

BOARD = True

SETTINGS = "/config.json"
DEEPLINK = "/deeplink"
LINK = b"http://flyve.org/deeplink/?data=abc"
KNOWN = [["attic", "attic-psk"], ["cellar", "cellar-psk"]]


def blank(settings=None):
    for path in (SETTINGS, DEEPLINK):
        try:
            os.remove(path)
        except OSError:
            pass
    for key in ("wifi", "net"):
        nvs.erase(key)
    if settings is not None:
        with open(SETTINGS, "wb") as f:
            f.write(settings)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def there(path):
    return path[1:] in os.listdir("/")


def networks():
    return json.loads(nvs.get("wifi"))


def test_the_network_that_was_chosen_comes_first():
    blank()
    setup_store.store("yard", "yard-psk", "", None, KNOWN)
    assert networks() == [["yard", "yard-psk"]] + KNOWN


def test_a_network_that_was_known_is_there_once():
    blank()
    setup_store.store("cellar", "anew-psk", "", None, KNOWN)
    assert networks() == [["cellar", "anew-psk"], ["attic", "attic-psk"]]


def test_the_oldest_networks_go_when_there_are_too_many():
    known = [["%031d" % n, "p" * 63] for n in range(60)]
    blank()
    setup_store.store("yard", "yard-psk", "", None, known)
    kept = networks()
    assert kept[0] == ["yard", "yard-psk"] and kept[1:] == known[: len(kept) - 1]
    assert len(json.dumps(kept)) <= 4096 < len(json.dumps(kept + [known[len(kept) - 1]]))


def test_networks_may_fill_4_kib():
    known = [["%031d" % n, "p" * 63] for n in range(38)]
    known.append(["last", "p" * (4096 - len(json.dumps([["yard", ""]] + known + [["last", ""]])))])
    blank()
    setup_store.store("yard", "", "", None, known)
    assert len(nvs.get("wifi")) == 4096 and networks()[1:] == known


def test_the_new_network_is_the_one_to_be_joined():
    blank()
    nvs.put_int("net", 1)
    setup_store.store("yard", "yard-psk", "", None, KNOWN)
    assert nvs.get_int("net") == 0


def test_an_address_joins_the_settings_that_are_there():
    blank(b'{"keepalive": 20, "email": "old@example.org"}')
    setup_store.store("yard", "", "new@example.org", None, [])
    assert json.loads(read(SETTINGS)) == {"keepalive": 20, "email": "new@example.org"}


def test_settings_that_cannot_be_used_make_room_for_the_address():
    for settings in (None, b"", b"{", b"[]", b"\xff"):
        blank(settings)
        setup_store.store("yard", "", "new@example.org", None, [])
        assert json.loads(read(SETTINGS)) == {"email": "new@example.org"}, settings


def test_settings_that_would_outgrow_4_kib_stay_as_they_are():
    room = 4096 - len(json.dumps({"a": "", "email": "e@x.org"}))
    blank(json.dumps({"a": "x" * room}).encode())
    setup_store.store("yard", "", "e@x.org", None, [])
    assert len(read(SETTINGS)) == 4096
    before = json.dumps({"a": "x" * (room + 1)}).encode()
    blank(before)
    try:
        setup_store.store("yard", "", "e@x.org", LINK, [])
    except ValueError as e:
        assert str(e) == "the settings are full"
    else:
        raise AssertionError("accepted")
    assert read(SETTINGS) == before and not there(DEEPLINK)


def test_an_invitation_is_written_as_it_came():
    blank()
    setup_store.store("yard", "", "", LINK, [])
    assert read(DEEPLINK) == LINK and not there(SETTINGS)


def test_what_was_not_sent_stays_as_it_was():
    blank(b'{"email": "old@example.org"}')
    with open(DEEPLINK, "wb") as f:
        f.write(LINK)
    for link in (None, b""):
        setup_store.store("yard", "", "", link, [])
    assert read(SETTINGS) == b'{"email": "old@example.org"}' and read(DEEPLINK) == LINK


def test_what_is_there_already_is_not_written_again():
    blank()
    setup_store.store("yard", "yard-psk", "e@x.org", None, KNOWN)
    refused = ValueError("written")

    def refuse(*what):
        raise refused

    put, put_int = nvs.put, nvs.put_int
    nvs.put = nvs.put_int = setup_store.open = refuse
    try:
        setup_store.store("yard", "yard-psk", "e@x.org", None, KNOWN)
    finally:
        nvs.put, nvs.put_int = put, put_int
        del setup_store.open
