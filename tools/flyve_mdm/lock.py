"""Locks between processes: flock has no timeout of its own."""

import fcntl
import time

_PAUSE = 0.02  # seconds between two tries


def take(file, seconds: float) -> bool:
    """Takes the lock of a file, or of a descriptor; False when another has held it so long."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE)
