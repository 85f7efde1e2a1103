"""Names and values that are no plain text: in the air, on the flash, in NVS and on the console."""

import io
import json
import subprocess
import sys
from base64 import b64encode

import pytest
from click.testing import CliRunner

from flyve_mdm import text
from flyve_mdm.board import cli, folder
from flyve_mdm.board.monitor import Stamps
from flyve_mdm.deeplink import deeplink
from flyve_mdm.provision import provision as provision_command

SMILE = "\N{GRINNING FACE}"
ODD = b"a\xed\xa0\xbd\xffb\x1b[31m"  # half of a pair, no UTF-8 at all, an escape sequence
ODD_NAME = ODD.decode("utf-8", "surrogateescape")
CONTROLS = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))


def invoke(command, *args, code=0):
    result = CliRunner().invoke(command, [str(arg) for arg in args])
    assert result.exit_code == code, (result.output, result.exception)
    return result


JOINS = """
import network, time
w = network.WLAN()
w.active(True)
w.config(reconnects=0)
w.connect("Z\u00fcrich \U0001f600", "p\u00e4ss\U0001f600word")
for _ in range(400):
    if w.isconnected(): print("joined")
    if w.isconnected() or w.status() > 1010: break
    time.sleep_ms(20)
print(w.status(), w.scan()[0][0])
"""


# A15
@pytest.mark.parametrize("escaped", [False, True])
def test_an_access_point_has_the_name_that_it_was_given(bench, escaped):
    air = {f"Z\u00fcrich {SMILE}": f"p\u00e4ss{SMILE}word"}
    board = bench.board(JOINS, aps=air)
    if escaped:  # as older folders have it, or a person writes it
        written = json.dumps({"aps": air, "connect_ms": 5}).encode()
        (board.path / "inputs.json").write_bytes(written.ljust(folder.INPUTS_SIZE))
    else:
        board.set_air(air, connect_ms=5)
        assert b"\\u" not in (board.path / "inputs.json").read_bytes()
    run = bench.start(board)
    run.wait_log("joined")
    assert run.wait() == 0
    assert f"1010 {list(air)[0].encode()!r}" in run.log


# A15
def test_a_board_gets_its_networks_and_settings_without_escapes(bench):
    board = bench.board()
    ssid, psk = f"Z\u00fcrich {SMILE}", f"{SMILE}-passphrase"
    given = ["--wifi", ssid, "--psk", psk, "--set", f"firstname={SMILE}"]
    invoke(provision_command, board.path, *given)
    (wifi,) = (value for _, key, _, value in board.nvs() if key == "wifi")
    assert wifi == f'[["{ssid}","{psk}"]]'.encode()
    assert board.read("/config.json") == f'{{"firstname":"{SMILE}"}}'.encode()


# A15
@pytest.mark.parametrize(
    "given", [("--wifi", "a\udcff", "--psk", "password"), ("--set", r'firstname="\ud83d"')]
)
def test_what_is_no_text_is_refused_by_name(bench, given):
    result = invoke(provision_command, bench.board().path, *given, code=1)
    assert "no text in UTF-8" in result.output


# A15
def test_ls_cat_and_nvs_take_any_name_and_value(bench):
    board = bench.board()
    board.write(f"/{SMILE}/{ODD_NAME}", b"odd")
    board.nvs_set("flyve", f"{SMILE}\x1b", ODD)
    result = invoke(cli.ls, board.path)
    shown = f"/{SMILE}/a\ufffd\ufffd\ufffd\ufffdb\ufffd[31m"
    assert result.output == f"       3 {shown}\n"
    for path in (f"/{SMILE}/{ODD_NAME}", shown):
        assert invoke(cli.cat, board.path, path).output == "odd"
    assert invoke(cli.nvs, board.path).output == f"flyve\t{SMILE}\ufffd\tblob\t{ODD.hex()}\n"
    board.remove(f"/{SMILE}/{ODD_NAME}")
    assert invoke(cli.ls, board.path).output == ""


# A15
def test_what_a_board_names_in_other_bytes_is_listed(bench):
    board = bench.board(
        r"""
        open("/\ud83d\ude00 \ud800.txt", "w").close()
        open("/\x1b]0;x\x07", "w").close()
        """
    )
    assert bench.start(board).wait() == 0
    assert len(invoke(cli.ls, board.path).output.splitlines()) == 3


# A16
def test_no_control_character_is_printed():
    for c in CONTROLS + "\u2028\u2029\u202e\u2066\ud800\udfff":
        assert text.printable(f"a{c}b") in ("a b", "a\ufffdb"), hex(ord(c))
    kept = f"Z\u00fcrich \u4e2d\u6587 {SMILE} \U0001f468\u200d\U0001f469 ~"
    assert text.printable(kept) == kept


# A16
def test_the_monitor_prints_no_escape_sequence():
    written = []
    stamps = Stamps(written.append, lambda: "now")
    stamps.feed(b"\x1b[2J 1 WARN a: \xc2\x9b31m\ttext \xed\xa0\xbd\r\n\x1b]0;t\x07")
    stamps.end()
    assert written[0] == "now \ufffd[2J 1 WARN a: \ufffd31m text \ufffd\ufffd\ufffd"
    assert written[1] == "now \ufffd]0;t\ufffd"


# A16
def test_board_run_prints_no_escape_sequence(bench):
    board = bench.board("print('\\x1b[31mred\\x9b \U0001f600\\ttab')")
    code = "from flyve_mdm.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "board", "run", str(board.path), "--once"],
        capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.stdout.decode().splitlines()[0] == f"\ufffd[31mred\ufffd {SMILE} tab"


# A16
def test_a_console_in_pieces_loses_no_character():
    console, out = text.Console(), io.BytesIO()
    for byte in f"one\r\n{SMILE}\rtwo\n".encode():
        out.write(console.feed(bytes([byte])))
    assert out.getvalue().decode() == f"one\n{SMILE} two\n"


# A16
def test_a_deeplink_is_decoded_without_its_escape_sequences():
    link = (
        "http://x/?data="
        + b64encode(
            b"http://h/api\\;user_token_1\\;invitation_1\\;\x1b[31mHelp\xc2\x9b\\;\\;\\;"
        ).decode()
    )
    output = invoke(deeplink, "decode", link).output
    assert "name: \ufffd[31mHelp\ufffd\n" in output


def test_json_is_as_php_writes_it():
    value = {"deployFile": f"%SDCARD%/{SMILE}\u00e9\u2028\x1b\n", "taskId": 1}
    escaped = r'{"deployFile":"%SDCARD%\/\ud83d\ude00\u00e9\u2028\u001b\n","taskId":1}'
    assert text.php(value) == escaped
    raw = f'{{"deployFile":"%SDCARD%/{SMILE}\u00e9\\u2028\\u001b\\n","taskId":1}}'
    assert text.php(value, unescaped=True) == raw
