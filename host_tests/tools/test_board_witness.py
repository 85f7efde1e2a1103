"""What is heard of a board while it is waited for, or shown of it."""

import os
import time
import tty

from flyve_mdm.board import monitor, witness


def test_a_line_without_end_is_kept_up_to_a_bound_and_what_follows_is_heard(monkeypatch):
    heard = []
    hear = witness.Witness._hear
    monkeypatch.setattr(witness.Witness, "_hear", lambda self, t: (heard.append(t), hear(self, t)))
    master, slave = os.openpty()
    tty.setraw(slave)
    try:
        with witness.Witness(os.ttyname(slave)) as seen:
            for _ in range(40):
                os.write(master, b"x" * 500)
            os.write(master, b"\n1 WARN wifi: lab: wrong passphrase (202)\n")
            deadline = time.monotonic() + 10
            while not seen.why() and time.monotonic() < deadline:
                time.sleep(0.01)
            assert seen.why() == "wifi: lab: wrong passphrase (202)"
    finally:
        os.close(master)
        os.close(slave)
    assert len(heard) == 2 and len(heard[0]) < 10_000


def test_what_has_no_line_end_is_shown_as_a_line_at_last():
    shown = []
    stamps = monitor.Stamps(shown.append, lambda: "now")
    for _ in range(9):
        stamps.feed(b"x" * 500)
    assert len(shown) == 1 and shown[0].startswith("now xxx")
    assert stamps.partial == b""
