"""A table of boards: what is wrong in it is said by line, before anything is written."""

import base64
import os

import pytest

from flyve_mdm.board import boards_table
from flyve_mdm.board.provision import Plan

LINKS = [
    "http://flyve.org/?data="
    + base64.b64encode(f"http://h/;usertoken{n}0123456789;invitation{n};;;;".encode()).decode()
    for n in range(3)
]


@pytest.fixture
def table(tmp_path):
    """table(text): its rows."""

    def table(text, mode=0o600, common=None, **how):
        path = tmp_path / "boards.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        return boards_table.read(path, common or Plan(), **how)

    return table


def test_each_row_is_a_board_with_its_plan(table):
    first, second = table(
        "port,name,email,deeplink,wifi,psk,wifi,psk,set\n"
        f"u0,lab-1,ada@example.org,{LINKS[0]},attic,password1,cellar,,keepalive=30\n"
        "\n"
        f"u1,lab-2,bob@example.org,{LINKS[1]},,,,,\n"
    )
    assert (first.line, first.port, first.name, first.fault) == (2, "u0", "lab-1", "")
    assert first.plan.files["/deeplink"] == LINKS[0].encode()
    assert first.plan.settings == {"email": "ada@example.org", "keepalive": 30}
    assert first.plan.entries["flyve", "wifi"] == b'[["attic","password1"],["cellar",""]]'
    assert second.line == 4 and not second.plan.entries


def test_a_spreadsheets_semicolons_and_mark_are_read(table):
    (row,) = table(b"\xef\xbb\xbfPort;Name\r\nu0;Z\xc3\xbcrich\r\n")
    assert (row.port, row.name) == ("u0", "Zürich")
    (row,) = table('port\tname\r\nu0\t"attic\t1"\r\n')
    assert row.name == "attic\t1"


@pytest.mark.parametrize(
    "text, problem",
    [
        ("", "names no column port"),
        ("name\nx\n", "names no column port"),
        (
            "password1,u0\n",
            "its first line names no column port, in which each board has its own value$",
        ),
        ("port,what\nu0,x\n", "no column is called 'what'"),
        ("port,email,email\n", "the column email is there twice"),
        ("port,wifi\n", "a column psk for each column wifi"),
        ("port\n", "there is no board in it"),
        ('port\n"u0\n', "no table in CSV"),
        (b"port\n\xff\n", "no table in CSV and UTF-8"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_line(table, text, problem):
    with pytest.raises(boards_table.TableError, match=problem) as caught:
        table(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_table_that_others_can_read_is_refused(table, mode):
    with pytest.raises(boards_table.TableError, match="chmod 600"):
        table("port\nu0\n", mode)


@pytest.mark.parametrize(
    "heading, values, fault",
    [
        ("deeplink", "nonsense", "this deeplink cannot be used"),
        ("email", "nobody", "no e-mail address"),
        ("set", "nosuch=1", "nosuch"),
        ("set", "=1", "as key=value"),
        ("chip", "esp8266", "is none of ESP32"),
        ("ca", "nosuch.pem", "No such file"),
        ("wifi,psk", "attic,short", "8 to 63 characters"),
        ("name", "a,b", "3 values for 2 columns"),
    ],
)
def test_a_row_that_cannot_be_used_has_its_fault(table, heading, values, fault):
    good, bad = table(f"port,{heading}\nu0{',' * (heading.count(',') + 1)}\nu1,{values}\n")
    assert not good.fault
    assert fault in bad.fault and bad.line == 3
    assert "short" not in bad.fault and "nonsense" not in bad.fault, "a secret, perhaps"


def test_two_boards_do_not_share_a_port_or_an_invitation(table):
    rows = table(f"port,deeplink\nu0,{LINKS[0]}\nu0,{LINKS[1]}\nu2,{LINKS[0]}\n,{LINKS[2]}\n")
    assert [row.fault for row in rows] == [
        "",
        "port u0 is that of line 2, too",
        "its invitation is that of line 2, and serves once",
        "it has no port",
    ]


def test_two_rows_do_not_name_one_port_in_two_ways(table, tmp_path):
    master, port = os.openpty()
    try:
        link, folder = tmp_path / "link", tmp_path / "board"
        link.symlink_to(os.ttyname(port))
        folder.mkdir()
        names = os.ttyname(port), link, folder, f"{folder}/", tmp_path / "not-there"
        rows = table("port\n" + "".join(f"{name}\n" for name in names))
    finally:
        os.close(master)
        os.close(port)
    assert [row.fault for row in rows] == [
        "",
        f"port {link} is that of line 2, too",
        "",
        f"port {folder}/ is that of line 4, too",
        "",
    ]


@pytest.mark.parametrize(
    "heading, first, second",
    [
        ("serial", "S-1", "s-1"),
        ("set", "serial=S-1", "serial=S-1"),
        ("mac", "02:00:00:00:00:01", "020000000001"),
    ],
)
def test_the_backend_can_tell_the_boards_apart(table, heading, first, second):
    rows = table(f"port,{heading}\nu0,{first}\nu1,{second}\nu2,\nu3,\n")
    assert [bool(row.fault) for row in rows] == [False, True, False, False]
    assert "is that of line 2, too" in rows[1].fault


def test_the_mark_of_a_row_changes_with_it_and_tells_nothing(table):
    text = "port,wifi,psk\nu0,attic,password1\nu1,attic,password1\n"
    marks = [row.mark for row in table(text)]
    assert len(set(marks)) == 2
    assert [row.mark for row in table(text)] == marks
    assert table(text.replace("u0,attic,password1", "u0,attic,password2"))[0].mark != marks[0]
    assert table(text, common=Plan(settings={"keepalive": 30}))[0].mark != marks[0]


def test_what_boards_share_gives_way_to_their_own(table):
    common = Plan(settings={"keepalive": 30, "email": "all@example.org"})
    first, second = table("port,email\nu0,ada@example.org\nu1,\n", common=common)
    assert first.plan.settings == {"keepalive": 30, "email": "ada@example.org"}
    assert second.plan.settings == common.settings
