"""Names with emoji and control characters, as PHP escapes them, from the backend to the flash."""

import pytest

SMILE = "\N{GRINNING FACE}"
SSID, PSK = f"Z\u00fcrich {SMILE}", f"p\u00e4ss{SMILE}word"


# A15 A16
@pytest.mark.virtual
@pytest.mark.parametrize("generation", ["A", "C"])
def test_emoji_and_control_characters_arrive_as_they_are(make_device, generation):
    device = make_device(aps={SSID: PSK}, generation=generation)
    device.wifi = SSID, PSK  # provisioned with escapes
    device.go_online(firstname=SMILE)
    device.run.wait_log(f"wifi: connecting to {SSID}")
    backend = device.backend
    fleet = backend.admin.fleet(17, f"{SMILE}\x1b[31m\x9b")
    task = backend.tasks.deploy_file(
        fleet, b"data", f"%SDCARD%/{SMILE}/", name=f"{SMILE}\x1b[31m.txt"
    )
    device.ends(task, "done")
    published = [e.detail["payload"] for e in backend.events.of("published")]
    assert any(r"%SDCARD%\/\ud83d\ude00\/" in payload for payload in published)
    assert device.board.read(f"/files/{SMILE}/{SMILE}\x1b[31m.txt") == b"data"
    device.run.wait_log(f"download: done path=/files/{SMILE}/{SMILE}\ufffd\\[31m.txt")
    assert not any(c < " " or "\x7f" <= c < "\xa0" for line in device.run.log for c in line)


# A15
@pytest.mark.virtual
def test_a_helpdesk_of_emoji_fits_into_the_record(make_device):
    device = make_device()
    link = device.backend.invite("user@example.org", name=SMILE * 250)
    device.provision(deeplink=link)
    device.start()
    device.online()
    assert not device.said("the record would take")
    kept = max((value for _, key, _, value in device.board.nvs() if key[:3] == "rec"), key=len)
    assert 60 <= kept.decode("utf-8", "replace").count(SMILE) <= 80
