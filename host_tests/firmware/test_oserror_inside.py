# Errors of the operating system by name.

import errno

from flyve import log
from flyve.jobs import oserror
from flyve.transport import NetError

BOARD = True
lines = []
log.sink = lines.append


def test_a_number_has_its_name():
    for number, name in ((2, "ENOENT"), (20, "ENOTDIR"), (28, "ENOSPC"), (32, "EPIPE")):
        assert oserror.text(OSError(number)) == "%s (%d)" % (name, number)
    assert oserror.text(OSError(errno.ECONNRESET)).startswith("ECONNRESET (")
    assert oserror.text(OSError(999)) == "error 999"


def test_what_has_words_keeps_them():
    assert oserror.text(OSError("Wifi Internal Error")) == "Wifi Internal Error"
    text = "ESP_ERR_NVS_NOT_ENOUGH_SPACE"
    assert oserror.text(OSError(-4357, text)) == text + " (-4357)"
    assert oserror.text(OSError()) == ""


def test_a_line_of_the_log_names_the_number():
    log.warn("x", "no room (%s), %s", OSError(28), NetError("dns", "no address"))
    assert lines[-1].endswith("WARN x: no room (ENOSPC (28)), no address")


def test_a_real_error_of_the_flash_has_its_name():
    with open("/aa", "w") as f:
        f.write("x")
    try:
        open("/aa/b", "w")
    except OSError as e:
        assert log.reason(e) == "ENOTDIR (20)", log.reason(e)
