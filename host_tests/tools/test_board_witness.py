"""What is heard of a board while it is waited for, or shown of it."""

import os
import time
import tty

from flyve_mdm.board import monitor, witness
from flyve_mdm.patience import stretched


def test_a_line_without_end_is_kept_up_to_a_bound_and_what_follows_is_heard(monkeypatch):
    heard = []
    hear = witness.Witness._hear
    monkeypatch.setattr(witness.Witness, "_hear", lambda self, t: (heard.append(t), hear(self, t)))
    master, slave = os.openpty()
    tty.setraw(slave)
    try:
        with witness.Witness(os.ttyname(slave)) as seen:
            _until(lambda: heard, lambda: os.write(master, b"\n"))  # opening it drops what came
            for _ in range(40):
                os.write(master, b"x" * 500)
            os.write(master, b"\n1 WARN wifi: lab: wrong passphrase (202)\n")
            _until(seen.why)
            assert seen.why() == "wifi: lab: wrong passphrase (202)"
    finally:
        os.close(master)
        os.close(slave)
    heard = [text for text in heard if text]
    assert len(heard) == 2 and len(heard[0]) < 10_000


def _until(there, again=lambda: None):
    deadline = time.monotonic() + stretched(10)
    while not there() and time.monotonic() < deadline:
        again()
        time.sleep(0.01)


def test_what_has_no_line_end_is_shown_as_a_line_at_last():
    shown = []
    stamps = monitor.Stamps(shown.append, lambda: "now")
    for _ in range(9):
        stamps.feed(b"x" * 500)
    assert len(shown) == 1 and shown[0].startswith("now xxx")
    assert stamps.partial == b""
