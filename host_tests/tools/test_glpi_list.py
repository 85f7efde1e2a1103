"""`flyve admin list`: thousands of agents, filters, forms, and as few requests as can be."""

import contextlib
import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from flyve_mdm.backend.messagelog import MessageLog
from flyve_mdm.backend.model import Agent, Computer, Position, Status, Task, timestamp
from host_tests.kit.administrator import flyve

FLYVE = [sys.executable, "-c", "from flyve_mdm.cli import main; main()"]
KEYS = ["id", "serial", "email", "topic", "version", "online", "status", "fleet", "lock", "wipe",
        "last_contact", "position", "tasks"]  # fmt: skip


def add(backend, serial, ago=0, online=0, fleet=None):
    """An agent that was heard of so many seconds ago."""
    state = backend.state
    computer = state.add("computers", Computer, device_id=serial, serial=serial, entity=76)
    return state.add(
        "agents", Agent, name=f"{serial}@example.org", version="2.0.0", computer_id=computer.id,
        user_id=2, owner_id=2, entity=76, serial=serial, topic=f"76/agent/{serial}",
        fleet_id=fleet or state.default_fleet.id, is_online=online,
        last_contact=None if ago is None else timestamp(time.time() - ago),
    )  # fmt: skip


def task(backend, agent, status, symbol="removeApp"):
    made = backend.state.add(
        "tasks", Task, symbol=symbol, value={symbol: "x"}, group="", agent_id=agent.id
    )
    backend.state.add("statuses", Status, agent_id=agent.id, task_id=made.id, status=status)
    return made


def ids(text):
    return [int(line.split()[0]) for line in text.splitlines()[1:]]


def listed(backend, *args, **how):
    return flyve(backend, "admin", "list", *args, **how)


def test_thousands_of_agents_take_a_request_each_500(backend):
    for number in range(2500):
        add(backend, f"S{number}")
    backend.requests.clear()
    rows = json.loads(listed(backend, "--json"))
    assert [row["serial"] for row in rows] == [f"S{number}" for number in range(2500)]
    assert all(list(row) == KEYS for row in rows)
    seen = [one.path.rpartition("/")[2] for one in backend.requests]
    assert seen.count("PluginFlyvemdmAgent") == 5 and seen.count("Computer") == 5 + 1
    assert len(seen) < 20 and seen[-1] == "killSession"


def test_few_agents_among_many_computers_are_asked_for_one_by_one(backend):
    for number in range(2000):
        backend.state.add("computers", Computer, device_id=f"{number}", serial="PC", entity=76)
    add(backend, "S1")
    backend.requests.clear()
    assert json.loads(listed(backend, "--json"))[0]["serial"] == "S1"
    paths = [one.path.rpartition("apirest.php/")[2] for one in backend.requests]
    assert "Computer/2065" in paths and paths.count("Computer") == 1


def test_filters(backend):
    state = backend.state
    lab = state.add("fleets", type(state.default_fleet), name="lab 1", entity=76)
    fresh, late, silent = add(backend, "a"), add(backend, "b", 4000), add(backend, "c", None)
    online = add(backend, "d", 90_000, online=1, fleet=lab.id)
    for agent, status in ((fresh, "failed"), (late, "done"), (online, "incompatible")):
        task(backend, agent, status)
    assert ids(listed(backend)) == [17, 18, 19, 20]
    assert ids(listed(backend, "--offline-for", "1h")) == [late.id, silent.id]
    assert ids(listed(backend, "--offline-for", "2h")) == [silent.id]
    assert ids(listed(backend, "--failed")) == [fresh.id, online.id]
    assert ids(listed(backend, "--failed", "--offline-for", "0s")) == [fresh.id]
    assert ids(listed(backend, "--fleet", "lab 1")) == [online.id]
    assert ids(listed(backend, "--fleet", "lab 1", "--offline-for", "1s")) == []
    assert "there is no fleet lab" in listed(backend, "--fleet", "lab", code=1)
    assert "90s, 30m, 1h or 2d" in listed(backend, "--offline-for", "soon", code=2)


def test_times_are_of_glpis_own_clock_whatever_its_zone(backend, monkeypatch):
    here = os.environ.get("TZ")
    monkeypatch.setenv("TZ", "NPT-5:45")
    time.tzset()
    try:
        add(backend, "a", 4000)
        assert ids(listed(backend, "--offline-for", "1h")) == [17]
        assert ids(listed(backend, "--offline-for", "2h")) == []
    finally:
        monkeypatch.setenv("TZ", here) if here else monkeypatch.delenv("TZ")
        time.tzset()


def test_positions_tasks_and_reasons_are_in_the_json(backend, device):
    one = device(backend)
    one.enroll()
    agent = one.agent
    failed = backend.tasks.deploy_file(agent, b"x")
    backend.tasks.remove_app(agent, "org.example")
    backend.state.status_of(failed, agent).status = "failed"
    for latitude in (1, 2):
        place = {"datetime": 1476345332, "latitude": latitude, "longitude": 3}
        backend.state.add("positions", Position, computer_id=65, place=place)
    log = MessageLog(backend.state)
    section = (
        f"<FAILEDTASKS><TASKID>{failed.id}</TASKID><STATUS>failed</STATUS><REASON>no</REASON>"
    )
    text = f"<REQUEST><CONTENT>{section}</FAILEDTASKS></CONTENT></REQUEST>"
    log.received(f"{agent.topic}/Status/Inventory", text)
    (row,) = json.loads(listed(backend, "--json"))
    assert row["position"] == {"datetime": 1476345332, "latitude": 2, "longitude": 3}
    assert row["tasks"] == [
        {"task": 1, "symbol": "deployFile", "status": "failed", "why": "no"},
        {"task": 2, "symbol": "removeApp", "status": "pending", "why": None},
    ]
    assert row == {
        **backend.admin.describe()[0],
        "position": row["position"],
        "tasks": row["tasks"],
    }


def test_csv_is_for_other_programs(backend):
    agent = add(backend, "a", online=1)
    agent.name = 'x, "\x1b[31m\ny'
    agent.last_contact = None
    task(backend, agent, "done")
    task(backend, agent, "failed", "disableCamera")
    heading, row = csv.reader(io.StringIO(listed(backend, "--csv")))
    assert heading[:4] == ["id", "serial", "e-mail", "online"]
    assert row == ["17", "a", 'x, "\ufffd[31m y', "yes", "enrolled", "not managed", "",
                   "removeApp done, disableCamera failed"]  # fmt: skip
    (heading, why) = csv.reader(io.StringIO(listed(backend, "--csv", "--why")))
    assert heading[-1] == "why" and why[:5] == ["17", "a", "2", "disableCamera", "failed"]
    assert listed(backend, "--csv", "--failed", "--fleet", "not managed").count("\n") == 2


@pytest.mark.parametrize("name", ["=1+1", "+A1", "-A1", "@SUM(A1)"])
def test_what_a_device_calls_itself_is_no_formula_of_a_spreadsheet(backend, name):
    add(backend, name)
    _, row = csv.reader(io.StringIO(listed(backend, "--csv")))
    assert row[1] == f"'{name}"
    assert json.loads(listed(backend, "--json"))[0]["serial"] == name


def test_of_two_forms_one_is_chosen(backend):
    told = listed(backend, "--json", "--csv", code=2)
    assert "choose one" in told
    assert "choose one" in listed(backend, "--watch", "1", "--json", code=2)


def test_no_agent_is_no_trouble(backend):
    assert listed(backend, "--json") == "[]\n"
    assert listed(backend).count("\n") == 1


def test_a_missing_right_for_reasons_or_positions_is_named(backend):
    agent = add(backend, "a")
    task(backend, agent, "failed")
    backend.options.rights = {"flyvemdm:mqttlog": 0}
    assert "left out" not in listed(backend)
    rows = listed(backend, "--json")
    assert "left out: GLPI refuses GET PluginFlyvemdmMqttlog" in rows and '"failed"' in rows
    assert "GLPI refuses GET PluginFlyvemdmMqttlog" in listed(backend, "--why", code=1)


def test_a_list_is_watched_over_faults_until_ctrl_c(backend):
    add(backend, "a")
    known = {"FLYVE_URL": backend.url, "FLYVE_USER_TOKEN": backend.admin_token}
    command = [*FLYVE, "admin", "list", "--watch", "0.2"]
    with subprocess.Popen(
        command,
        env={**os.environ, **known},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        lines = iter(process.stdout.readline, "")
        assert next(line for line in lines if line.startswith("17"))
        backend.fault("PluginFlyvemdmAgent", "html", times=1)
        assert "is not GLPI's REST API" in process.stderr.readline()
        add(backend, "b")
        assert next(line for line in lines if line.startswith("18"))
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    assert not backend.state.sessions and len(backend.events.of("session opened")) == 1


def test_on_a_terminal_the_table_stays_in_its_place_and_goes_on(backend):
    add(backend, "serial-1")
    master, slave = pty.openpty()
    known = {"FLYVE_URL": backend.url, "FLYVE_USER_TOKEN": backend.admin_token,
             "COLUMNS": "150", "LINES": "20", "TERM": "xterm"}  # fmt: skip
    command = [*FLYVE, "admin", "list", "--watch", "0.2"]
    with subprocess.Popen(command, env={**os.environ, **known}, stdout=slave) as process:
        os.close(slave)
        shown = b""
        while b"serial-1" not in shown:
            shown += os.read(master, 65536)
        add(backend, "serial-2")
        while b"serial-2" not in shown:
            shown += os.read(master, 65536)
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):
            while data := os.read(master, 65536):
                shown += data
    os.close(master)
    assert process.returncode == 0 and not backend.state.sessions
    assert "\u2502".encode() in shown and b"\x1b[1A" in shown  # drawn, and drawn over


def test_a_long_list_shows_how_far_it_is_on_a_terminal_only(backend):
    for number in range(1001):
        add(backend, f"S{number}")
    backend.fault("PluginFlyvemdmAgent", "delay", seconds=0.5)
    master, slave = pty.openpty()
    known = {"FLYVE_URL": backend.url, "FLYVE_USER_TOKEN": backend.admin_token, "TERM": "xterm"}
    pipes = {"stdout": subprocess.PIPE, "stderr": slave, "text": True}
    with subprocess.Popen(
        [*FLYVE, "admin", "list", "--csv"], env={**os.environ, **known}, **pipes
    ) as process:
        os.close(slave)
        out, shown = process.stdout.read(), b""
        with contextlib.suppress(OSError):
            while data := os.read(master, 65536):
                shown += data
    os.close(master)
    assert out.count("\n") == 1002 and "agents" not in out
    assert b"agents" in shown and b"%" in shown


@pytest.mark.parametrize("generation", "AB")
def test_older_generations(start, device, generation):
    backend = start(generation)
    one = device(backend)
    one.enroll()
    backend.tasks.remove_app(17, "org.example")
    (row,) = json.loads(listed(backend, "--json"))
    assert row == backend.admin.describe()[0]
