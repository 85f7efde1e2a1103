"""Peers, certificates, depots to download from, and boards whose agent is a script of the test."""

import contextlib
import shutil
import socket

import pytest

from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.build import probes
from host_tests.firmware.depot import Depot, blank_board
from host_tests.firmware.recording import record
from host_tests.firmware.scripted import Scripted
from host_tests.kit.peers import Datagrams, Full, Peer
from host_tests.kit.peers.identities import issue

FLASH = 1 << 20
# Bytes of a filesystem that has room for the firmware, and little more.
SMALL = probes.flash(256 << 10)


@pytest.fixture
def serve():
    """Starts a Peer with the script and the options given; all are closed at the end."""
    with contextlib.ExitStack() as stack:

        def start(script, **options):
            peer = Peer(script, **options)
            stack.callback(peer.close)
            return peer

        yield start


@pytest.fixture
def datagrams():
    """Starts a Datagrams server with the function that answers."""
    with contextlib.ExitStack() as stack:

        def start(function):
            server = Datagrams(function)
            stack.callback(server.close)
            return server

        yield start


@pytest.fixture
def full():
    """A port that accepts no connection."""
    server = Full()
    yield server
    server.close()


@pytest.fixture
def closed_port():
    """A port that refuses connections, and that nobody else gets meanwhile."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@pytest.fixture(scope="session")
def identity():
    """A server that is called HOST, with ECDSA keys."""
    return issue()


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """(answers of the backend by request, all that the broker sent) to one enrolling board."""
    return record(tmp_path_factory.mktemp("recording"))


@pytest.fixture(scope="session")
def downloader(tmp_path_factory):
    """The folder of a board that does nothing but download, to be copied."""
    return blank_board(tmp_path_factory.mktemp("downloader") / "board")


@pytest.fixture(scope="session")
def updater(tmp_path_factory):
    """The same with OTA slots, and a filesystem that has no room for a firmware image."""
    return blank_board(tmp_path_factory.mktemp("updater") / "board", SMALL, ota=True)


@pytest.fixture
def make_depot(request, tmp_path):
    """Makes depots, by the name of the fixture with their board; all are closed at the end."""
    made = []

    def make(board="downloader", **options):
        template = request.getfixturevalue(board)
        depot = Depot(tmp_path / str(len(made)), template, **options)
        made.append(depot)
        return depot

    yield make
    for depot in made:
        depot.close()


@pytest.fixture
def depot(make_depot):
    """A depot whose backend has the real one's quirks."""
    return make_depot()


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """A folder with two boards that have the firmware: one of a stock table, one with slots."""
    folder = tmp_path_factory.mktemp("installed")
    for name, ota in (("stock", False), ("ota", True)):
        VirtualBoard.create(folder / name, flash_size=FLASH, ota=ota).deploy()
    return folder


@pytest.fixture
def bench(installed, tmp_path):
    """Makes boards, and switches off what a test leaves running."""
    made = Scripted(installed, tmp_path)
    yield made
    made.close()
    shutil.rmtree(tmp_path, ignore_errors=True)
