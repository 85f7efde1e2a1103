"""`micropython` of a virtual board on a wire: kbd_intr() as on a chip, where a terminal's mode
decides what becomes of Ctrl-C."""

import termios

from micropython import *  # noqa: F403

_mode = None
_isig = 0


def attach(isig):
    """Prepares kbd_intr(); isig is the terminal's flag for it. Ctrl-C is a character so far."""
    global _mode, _isig
    _mode, _isig = termios.tcgetattr(0), isig


def kbd_intr(char):
    """3: Ctrl-C interrupts what runs; -1: it is a character."""
    if char == 3:
        _mode[3] |= _isig
    else:
        _mode[3] &= ~_isig
    termios.tcsetattr(0, termios.TCSANOW, _mode)
