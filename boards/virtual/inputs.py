"""What the host does to the board from outside: Wi-Fi that is in the air, a pressed button, time
that passes."""

import json
import time

_SIZE = 2048


def _joined(data):
    # json makes two characters of an escaped pair of halves; what is in the air is UTF-8.
    at = data.find(b"\xed")
    while at >= 0:
        high, low = data[at : at + 3], data[at + 3 : at + 6]
        if b"\xed\xa0" <= high < b"\xed\xb0" and b"\xed\xb0" <= low < b"\xee":
            code = (high[1] & 15) << 16 | (high[2] & 63) << 10 | (low[1] & 15) << 6 | low[2] & 63
            data = data[:at] + chr(0x10000 + code).encode() + data[at + 6 :]
        at = data.find(b"\xed", at + 1)
    return data


class Inputs:
    """The board folder's inputs.json, read again whenever it is asked for.

    The host may rewrite the file at any time. An unchanged one costs no memory; one that is
    caught in the middle of a change is read again at the next call.
    """

    def __init__(self, file):
        self._file = file
        self._now, self._last = bytearray(_SIZE), bytearray(_SIZE)
        self._values = {"aps": {}}

    def get(self):
        """The file's contents: `aps`, `boot_until`, and what network.py tells of."""
        self._file.seek(0)
        size = self._file.readinto(self._now)
        if size < _SIZE:
            self._now[size:] = b" " * (_SIZE - size)
        if self._now != self._last:
            try:
                values = json.loads(self._now)
                if b"\\u" in self._now:
                    values["aps"] = json.loads(_joined(json.dumps(values["aps"]).encode()))
                self._values = values
                self._now, self._last = self._last, self._now
            except ValueError:
                pass
        time.pass_on(self._values.get("ahead_ms", 0))
        return self._values
