"""/config.json: defaults, types by name, and that a bad file never stops the agent."""

import os

from flyve.jobs.config import KEYS, LIMIT, check, load

PATH = "config.test"


def loaded(text):
    with open(PATH, "w") as f:
        f.write(text)
    try:
        return load(PATH)
    finally:
        os.remove(PATH)


def refused(name, value):
    try:
        check(name, value)
    except ValueError as e:
        assert str(e).startswith(name), str(e)
        return str(e)
    raise AssertionError("accepted %s=%r" % (name, value))


def test_without_a_file_all_defaults_hold():
    settings, problems = load("absent.json")
    assert problems == [] and settings["keepalive"] == 60 and settings["type"] == "android"
    assert settings == {name: KEYS[name][0] for name in KEYS if KEYS[name][0] is not None}


def test_every_default_passes_its_own_check():
    for name in KEYS:
        check(name, KEYS[name][0])


def test_a_given_value_wins():
    settings, problems = loaded('{"keepalive": 20, "email": "a@b.c", "tls_verify": false}')
    assert problems == []
    assert settings["keepalive"] == 20 and settings["email"] == "a@b.c"
    assert settings["tls_verify"] is False


def test_an_unknown_key_is_reported_by_name_and_the_rest_holds():
    settings, problems = loaded('{"keepaliv": 20, "email": "a@b.c"}')
    assert len(problems) == 1 and "keepaliv" in problems[0]
    assert settings["email"] == "a@b.c"


def test_a_wrong_type_is_reported_by_name_and_the_default_holds():
    settings, problems = loaded('{"keepalive": "60", "tls_verify": 1}')
    assert len(problems) == 2
    assert settings["keepalive"] == 60 and settings["tls_verify"] is True


def test_numbers_have_bounds():
    for name, value in (("keepalive", 4), ("port", 0), ("port", 65536), ("latitude", 90.5)):
        assert ".." in refused(name, value)
    assert check("latitude", -48) == -48


def test_true_is_no_number():
    refused("port", True)


def test_a_choice_names_the_choices():
    assert "string" in refused("online_payload", "maybe")


def test_a_serial_must_fit_into_a_topic_and_into_xml():
    for serial in ("a/b", "a+", "#", "a&b", ""):
        refused("serial", serial)
    assert check("serial", "ESP32-A0B1") == "ESP32-A0B1"


# A10
def test_a_serial_may_have_any_letters_but_nothing_that_one_cannot_see():
    for serial in ("Prüfstand-3", "検査台 3", "№3", "a b"):
        assert check("serial", serial) == serial
    for serial in ("a\tb", "a\n", "\r", "\x00", "a\x7f", "a\x85b"):
        assert "control characters" in refused("serial", serial), repr(serial)
    for serial in (" ", "   ", " a", "a "):
        assert "begin or end with a blank" in refused("serial", serial), repr(serial)
    for serial in ("\u00a0", "a\u200b", "\u3000", "\ufeffa", "a\u2028b", "a\ufffe", "\u202ea"):
        assert "invisible" in refused("serial", serial), repr(serial)
    assert "half a character" in refused("serial", "\ud83d")


# A10
def test_no_text_has_control_characters():
    for name in ("email", "firstname", "ca", "app_token", "version"):
        assert "control characters" in refused(name, "a@b.c\n/x"), name
    for name, value in (("email", "    "), ("uuid", "a "), ("ntp", ["a "])):
        assert "begin or end with a blank" in refused(name, value), name
    assert "control characters" in refused("ntp", ["pool.ntp.org\n"])
    assert check("email", "jürgen@example.org") and check("firstname", "Jürgen")


# Texts
def test_a_broker_is_a_host_alone():
    for value in ("mqtt.example.org", "10.0.0.1", "Broker_1"):
        assert check("broker", value) == value
    for value in ("mqtt://host", "host:1883", "host ", " host", "[::1]", "a@b", "host/"):
        assert "a host's name alone" in refused("broker", value), value


def test_a_root_is_a_folder_and_not_one_of_the_agents_own():
    for path in ("", "/", "files", "/flyve", "/flyve.a/x", "/lib", "/main.py", "/boot.py"):
        assert "folders" in refused("roots", {"X": path}), path
    for path in ("/files", "/data/logs", "/maintenance", "/library"):
        assert check("roots", {"X": path}) == {"X": path}


# A32
def test_a_root_may_end_in_a_slash():
    assert check("roots", {"X": "/files/", "Y": "/a/b//"}) == {"X": "/files", "Y": "/a/b"}


# A32
def test_a_root_that_no_destination_could_be_below_is_refused_by_name():
    for path in (
        "/a//b",
        "/a/../b",
        "/a/.",
        "/a%b",
        "/a\\b",
        "/a\n",
        "/" + "a" * 65,
        "/" + "\U0001f600" * 64,
    ):
        assert "paths that can be folders" in refused("roots", {"X": path}), path
    for name in ("", "A%B", "a/b"):
        assert "names" in refused("roots", {name: "/files"}), name


# A32
def test_a_root_hides_no_module_and_no_file_of_the_agents():
    for path in (
        "/umqtt",
        "/urequests.py",
        "/time",
        "/json/x",
        "/config.json",
        "/apps",
        "/part.json",
        "/failures.json",
    ):
        assert "none of the agent's" in refused("roots", {"X": path}), path
    assert check("roots", {"X": "/config", "Y": "/parts", "Z": "/timeline"})


def test_time_servers_and_roots_are_texts():
    for name, value in (("ntp", ["a", 5]), ("ntp", [None]), ("roots", {"SDCARD": 5})):
        assert "texts" in refused(name, value)
    assert check("roots", {"SDCARD": "/files"})


def test_null_is_the_default():
    assert loaded('{"keepalive": null}') == load("absent.json")


def test_a_file_that_is_no_json_object_is_reported():
    for text in ("{", "[1]", "nonsense", '"x"'):
        settings, problems = loaded(text)
        assert problems and settings["keepalive"] == 60, text


def test_an_empty_file_is_as_good_as_none():
    assert loaded(" \n")[1] == []
    assert loaded("\ufeff\n")[1] == []


def test_a_byte_order_mark_is_passed_over():
    settings, problems = loaded('\ufeff{"keepalive": 20}')
    assert problems == [] and settings["keepalive"] == 20


def test_too_long_a_file_is_reported_and_not_read_whole():
    settings, problems = loaded('{"email": "' + "x" * LIMIT + '"}')
    assert "longer than" in problems[0]


# A15
def test_escaped_pairs_are_joined():
    settings, problems = loaded(r'{"firstname":"\ud83d\ude00","roots":{"A":"/\ud83d"}}')
    assert problems == [] and settings["firstname"] == "\U0001f600"
    assert settings["roots"] == {"A": "/\ufffd"}
