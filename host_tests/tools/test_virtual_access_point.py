"""The board's own network: what the driver lets one set, who joins, and its servers."""

import socket

import pytest

from flyve_mdm.board.phone import Phone

PSK = "sesame-open"
PRELUDE = """
PSK = "sesame-open"
import network, select, socket, time
ap, sta = network.WLAN(network.AP_IF), network.WLAN(network.STA_IF)
def attempt(what, *args, **more):
    try: print(what(*args, **more))
    except (OSError, ValueError, RuntimeError, TypeError) as e: print(type(e).__name__, e)
def up(**more):
    ap.active(True)
    ap.config(ssid="Flyve-0001", key=PSK, security=3, **more)
def server(kind, port):
    s = socket.socket(socket.AF_INET, kind)
    s.bind(socket.getaddrinfo("0.0.0.0", port)[0][-1])
    if kind == socket.SOCK_STREAM:
        s.listen(2)
    s.setblocking(False)
    return s
def servers():
    return server(socket.SOCK_STREAM, 80), server(socket.SOCK_DGRAM, 53)
def serve(until, *polled):
    poll = select.poll()
    for s in polled:
        poll.register(s, select.POLLIN)
    while not until():
        for s, _ in poll.ipoll(5):
            if s is polled[0]:
                c, _ = s.accept()
                while c.readline() != b"\\r\\n": pass
                c.write(b"HTTP/1.0 200 OK\\r\\n\\r\\nhello")
                c.close()
            else:
                data, who = s.recvfrom(512)
                s.sendto(data[:-4] + bytes((192, 168, 4, 1)), who)
        ap.isconnected()
"""


def started(bench, main, **air):
    board = bench.board(PRELUDE + main)
    board.set_air({"flyve": {"psk": "flyve-demo", "channel": 6}}, 20, scan_ms=20, **air)
    return board, bench.start(board)


def said(bench, main, **air):
    _, run = started(bench, main, **air)
    assert run.wait() == 0, run.log
    return run.log[: run.log.index("board: main.py has ended: the board sits at its prompt")]


def test_it_is_set_up_after_it_is_switched_on(bench):
    assert said(
        bench,
        """
attempt(ap.config, ssid="Flyve-0001")
attempt(ap.status, "stations")
ap.active(True)
print(ap.config("ssid")[:4], ap.config("security"), ap.config("max_clients"))
attempt(ap.config, ssid="Flyve-0001", key="short", security=3)
attempt(ap.config, ssid="Flyve-0001", key="sesame-open", security=1)
print(ap.config("ssid")[:4])
up(channel=11, hidden=True, max_clients=2)
print(ap.config("essid"), ap.config("authmode"), ap.config("channel"), ap.config("hidden"))
attempt(ap.config, "key")
attempt(ap.config, "reconnects")
attempt(sta.config, ssid="flyve")
print(ap.status("stations"), ap.isconnected(), ap.ifconfig()[0], ap.status())
""",
    ) == [
        "OSError Wifi Invalid Mode",
        "OSError Wifi Invalid Mode",
        "ESP_ 0 4",
        "OSError Wifi Invalid Password",
        "RuntimeError Wifi Unknown Error 0x0102",
        "ESP_",
        "Flyve-0001 3 11 True",
        "ValueError unknown config param",
        "OSError STA required",
        "OSError AP required",
        "[] False 192.168.4.1 None",
    ]


def test_who_has_the_passphrase_joins_until_it_is_full(bench):
    stations = [
        {"mac": "da:00:00:00:00:01", "psk": "wrong-one"},
        {"mac": "da:00:00:00:00:02", "psk": PSK},
        {"mac": "da:00:00:00:00:03", "psk": PSK},
    ]
    log = said(bench, 'up(max_clients=1)\nprint(ap.status("stations"))', stations=stations)
    assert "[(b'\\xda\\x00\\x00\\x00\\x00\\x02',)]" in log
    assert sorted(line for line in log if line.startswith("setup: da")) == [
        "setup: da:00:00:00:00:01 refused: wrong passphrase",
        "setup: da:00:00:00:00:02 joined",
        "setup: da:00:00:00:00:03 refused: no more clients",
    ]


def test_an_open_one_takes_anybody(bench):
    log = said(
        bench,
        'ap.active(True)\nap.config(ssid="Flyve-0001", key=PSK)\nprint(ap.isconnected())',
        stations=[{"mac": "da:00:00:00:00:01", "psk": ""}],
    )
    assert "True" in log


def test_phones_come_and_go_and_reach_its_servers(bench):
    board, run = started(
        bench,
        """
up()
page, dns = servers()
def left():
    return seen and not ap.status("stations")
seen = False
serve(ap.isconnected, page, dns)
seen = True
serve(left, page, dns)
""",
    )
    phone, other = Phone(board, run), Phone(board, run, "da:00:00:00:00:02")
    assert other.join("not-that-one") == "refused: wrong passphrase"
    assert phone.join(PSK) == "joined"
    status, _, body = phone.request(host="flyve.org")
    assert (status, body) == (200, b"hello")
    assert phone.lookup("flyve.org") == "192.168.4.1"
    phone.leave()
    assert run.wait() == 0, run.log
    assert "setup: closed" in run.log


def test_it_follows_the_station_to_its_channel(bench):
    log = said(
        bench,
        """
up(channel=11)
print(ap.config("channel"), len(ap.status("stations")))
sta.active(True)
print(len(sta.scan()), ap.active())
sta.connect("flyve", "flyve-demo")
print(len(sta.scan()))
while not sta.isconnected(): time.sleep_ms(5)
print(ap.config("channel"), len(ap.status("stations")), ap.active())
""",
        stations=[
            {"mac": "da:00:00:00:00:01", "psk": PSK},
            {"mac": "da:00:00:00:00:02", "psk": PSK, "deaf": True},
        ],
    )
    assert [line for line in log if not line.startswith("setup")] == [
        "11 2",
        "1 True",
        "0",
        "6 1 True",
    ]
    assert "setup: da:00:00:00:00:02 lost" in log


def test_its_servers_keep_their_ports_from_run_to_run(bench):
    main = "up()\npage, dns = servers()\nprint('there')\nserve(lambda: False, page, dns)"
    board, run = started(bench, main)
    phone = Phone(board, run)
    page, dns = phone.ports()
    assert f"setup: page http://127.0.0.1:{page}, dns 127.0.0.1:{dns}" in run.log
    run.reset()
    run.wait_log("setup: closed")
    run.wait_log("setup: page", since=len(run.log) - 1)
    assert run.setup == (page, dns)
    run.kill()
    assert run.log.count("setup: closed") == 2 and run.setup is None
    # One that another program has got meanwhile is not fought for.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", dns))
        again = bench.start(board)
        other = Phone(board, again).ports()
    assert other[0] == page and other[1] != dns


def test_its_servers_close_with_it(bench):
    log = said(
        bench,
        """
up()
page, dns = servers()
ap.active(False)
page.close()
dns.close()
up()
page, dns = servers()
dns.close()
""",
    )
    assert [line.split(",")[0][:12] for line in log] == ["setup: page ", "setup: close"] * 2


@pytest.mark.parametrize("up", [False, True])
def test_other_sockets_are_the_interpreters(bench, up):
    with socket.create_server(("127.0.0.1", 0)) as there:
        log = said(
            bench,
            f"""
if {up}: up()
s = socket.socket()
s.connect(socket.getaddrinfo("127.0.0.1", {there.getsockname()[1]})[0][-1])
s.write(b"sent")
print("_socket" in repr(s) and "_Socket" not in repr(s))
""",
        )
        accepted, _ = there.accept()
        with accepted:
            assert accepted.recv(4) == b"sent"
    assert log == [str(not up)]
