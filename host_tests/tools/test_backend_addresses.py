"""Where the backend listens, and what it tells agents of that."""

import json
import os
import socket
import ssl
import subprocess
import sys
import threading

import pytest
from click.testing import CliRunner

from flyve_mdm import cli
from flyve_mdm.backend.server import Backend
from host_tests.kit import administrator

FLYVE = [sys.executable, "-c", "from flyve_mdm.cli import main; main()"]
LAB = "lab.example.org"


def greeting(context, address, port, name):
    """The names of the certificate that a server there shows for that name."""
    with (
        socket.create_connection((address, port), 5) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        return [value for _, value in secure.getpeercert()["subjectAltName"]]


def test_agents_are_told_the_host_and_all_servers_listen_on_the_other_address(start):
    backend = start(tls=True, host=LAB, bind="127.0.0.2")
    assert backend.url.startswith(f"https://{LAB}:")
    assert backend.ntp == f"{LAB}:{backend.ntp_server.port}"
    trust = ssl.create_default_context(cafile=str(backend.ca_pem))
    for port in (backend.web.port, backend.broker.port):
        assert LAB in greeting(trust, "127.0.0.2", port, LAB)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(b"\x1b" + bytes(47), ("127.0.0.2", backend.ntp_server.port))
        assert client.recv(48)


def test_the_administrator_comes_by_the_address_that_it_listens_on(start):
    backend = start(host=LAB, bind="127.0.0.2")
    assert backend.admin_url == f"http://127.0.0.2:{backend.web.port}/apirest.php"
    assert "id" in administrator.flyve(backend, "admin", "list", FLYVE_URL=backend.admin_url)
    other = start(host="127.0.0.2", tls=True)
    assert other.admin_url == other.url
    assert "id" in administrator.flyve(other, "admin", "list")


def test_no_thread_is_left_of_a_backend_that_listened_elsewhere():
    before = set(threading.enumerate())
    with Backend(host="127.0.0.2"):
        pass
    left = [thread for thread in set(threading.enumerate()) - before if thread.name == "ntp"]
    assert not left


@pytest.mark.parametrize("kind", ["mosquitto", "amqtt"])
@pytest.mark.mosquitto
def test_both_brokers_listen_there(start, kind):
    backend = start(host=LAB, bind="127.0.0.2", broker_kind=kind)
    socket.create_connection(("127.0.0.2", backend.broker.port), 5).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", backend.broker.port), 5)


def test_the_command_takes_both():
    command = [*FLYVE, "backend", "--host", LAB, "--bind", "127.0.0.2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        ready = json.loads(process.stdout.readline())
        process.terminate()
    assert ready["url"].startswith(f"http://{LAB}:") and ready["mqtt"]["host"] == LAB
    assert ready["ntp"].startswith(f"{LAB}:") and ready["admin_url"].startswith(
        "http://127.0.0.2:"
    )


def test_the_command_tells_the_administrators_token_unless_it_was_given():
    for given in (None, "pilots"):
        environment = {**os.environ, **({"FLYVE_USER_TOKEN": given} if given else {})}
        command = [*FLYVE, "backend"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            ready = json.loads(process.stdout.readline())
            token = given or ready["admin_token"]
            known = {"FLYVE_URL": ready["url"], "FLYVE_USER_TOKEN": token}
            listed = CliRunner().invoke(cli.cli, ["admin", "list"], env=known)
            process.terminate()
        assert listed.exit_code == 0, listed.output
        assert (ready["admin_token"] is None) == bool(given)


@pytest.mark.parametrize("args", [["--host", "203.0.113.1"], ["--bind", "203.0.113.1"]])
def test_an_address_of_another_machine_is_refused_in_one_line(args):
    done = subprocess.run(
        [*FLYVE, "backend", *args], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "--bind" in done.stderr and done.stderr.count("\n") == 1
