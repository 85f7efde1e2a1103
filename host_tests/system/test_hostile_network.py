"""A network that cuts, delays, freezes, trickles and doubles between the agent and its servers:
never a hang, never a watchdog reset, and in the end the board is online."""

from __future__ import annotations

import time

import pytest

from host_tests.kit.backend import Proxied
from host_tests.kit.boards.device import Device
from host_tests.kit.boards.virtual import VirtualBoards
from host_tests.kit.damage import packets
from host_tests.kit.proxy import DOWN, UP, Fault
from host_tests.kit.sample import chance
from host_tests.system.mains import fast

pytestmark = pytest.mark.virtual

SPEED = 20  # 2 minutes, the longest deadline, take 6 seconds
DOG = 5  # the watchdog's minute takes 12
LATE = 60  # seconds of ours that a board may take to come online after a fault
KINDS = ("cut", "reset", "freeze", "delay", "trickle", "double")

# What enrollment asks, in its order, and the length of each request and answer is about.
STEPS = ("initSession", "getFullSession", "changeActiveProfile", "POST", "GET", "killSession")
PLACES = ("before", "in the request", "after the request", "in the head", "in the body", "end")


@pytest.fixture
def make(make_device):
    """Makes a device whose backend is reached through proxies."""
    return lambda tls=False: make_device(kind=Proxied, default_profile=4, tls=tls)


def _provision(device, **settings):
    main = fast(SPEED, DOG)
    device.provision(main=main, reconnect_spread=0, stable=300, **settings)


@pytest.fixture(scope="session")
def lengths(tmp_path_factory):
    """(request, head and whole answer) of each step, and the broker's and the board's packets, in
    bytes, of an enrollment that nothing disturbs."""
    boards = VirtualBoards(tmp_path_factory.mktemp("lengths"))
    with Proxied(default_profile=4) as backend:
        device = Device(boards.make(), backend, boards.wifi)
        _provision(device)
        with device.start() as run:
            run.wait_log("link: online", LATE)
            steps = []
            for passage in backend.rest.passages[: len(STEPS)]:
                head = bytes(passage.down).index(b"\r\n\r\n") + 4
                steps.append((len(passage.up), head, len(passage.down)))
            broker = backend.mqtt.passages[0]
            return steps, _ends(bytes(broker.up)), _ends(bytes(broker.down))


def _ends(stream):
    ends = [0]
    for one in packets(stream):
        ends.append(ends[-1] + len(one))
    return ends


def _rest_fault(lengths, step, place, kind):
    request, head, whole = lengths[0][STEPS.index(step)]
    at = {
        "before": (UP, 0),
        "in the request": (UP, request // 2),
        "after the request": (UP, request),
        "in the head": (DOWN, head // 2),
        "in the body": (DOWN, (head + whole) // 2),
        "end": (DOWN, whole - 1),
    }[place]
    # A byte each second; of a whole request that is more than any deadline.
    return Fault(kind, *at, seconds=1 / SPEED if kind == "trickle" else 10 / SPEED)


def _survives(device, rest=None, mqtt=None, late=LATE):
    """The first connection of that number gets the fault, all others none."""
    _provision(device)
    backend = device.backend
    backend.rest.plan = lambda number: rest and rest.get(number)
    backend.mqtt.plan = lambda number: mqtt and mqtt.get(number)
    run = device.start()
    run.wait_log(r"link: online|enrollment: refused", late)
    assert run.resets == []
    assert not any("Traceback" in line for line in run.log)
    struck = [passage for proxy in (backend.rest, backend.mqtt) for passage in proxy.passages]
    struck = [passage for passage in struck if passage.fault and passage.struck]
    assert struck or not (rest or mqtt), "the fault's place was never reached"
    return run


def _outcome(device, run, kind, posted):
    """Online, with one agent; or refused, where the answer to the POST may have been lost."""
    if kind == "double":
        return  # the server got another request, and may rightly refuse it
    assert len(device.backend.agents) == 1
    if any("enrollment: refused" in line for line in run.log):
        assert posted, run.log[-5:]
        assert any("an earlier attempt lost" in line for line in run.log), "\n".join(run.log)
        return
    assert device.backend.wait_for(lambda: device.agent.online, 10)


REST = [(step, place, kind) for step in STEPS for place in PLACES for kind in KINDS]
MQTT = [(direction, n, kind) for direction in (UP, DOWN) for n in range(5) for kind in KINDS]


def _cases(name, cases, count):
    """A sample, and all of them in the soak."""
    chosen = chance(name).sample(cases, count)
    rest = [pytest.param(*case, marks=pytest.mark.soak) for case in cases if case not in chosen]
    return chosen + rest


@pytest.mark.parametrize(("step", "place", "kind"), _cases("rest", REST, 3))
def test_a_fault_in_enrollment_is_survived(make, lengths, step, place, kind):
    one = make()
    fault = _rest_fault(lengths, step, place, kind)
    run = _survives(one, rest={STEPS.index(step): fault})
    _outcome(one, run, kind, step == "POST" and place != "before")


@pytest.mark.parametrize(("direction", "n", "kind"), _cases("mqtt", MQTT, 2))
def test_a_fault_at_a_packet_of_mqtt_is_survived(make, lengths, direction, n, kind):
    one = make()
    ends = lengths[1 if direction == UP else 2]
    seconds = 1 / SPEED if kind == "trickle" else 10 / SPEED
    fault = Fault(kind, direction, ends[min(n, len(ends) - 1)], seconds)
    run = _survives(one, mqtt={0: fault})
    _outcome(one, run, kind, False)


def _random_fault(random):
    if random.random() < 0.4:
        return None
    kind = random.choice((*(kind for kind in KINDS if kind != "double"), "refuse"))
    seconds = random.choice((0.1, 1, 10, 40)) / SPEED
    return Fault(kind, random.choice((UP, DOWN)), random.choice((0, 1, 50, 200, 300)), seconds)


@pytest.mark.parametrize(
    "number", [0, *(pytest.param(n, marks=pytest.mark.soak) for n in range(1, 25))]
)
def test_any_faults_for_a_while_are_survived(make, number):
    """Faults for some seconds while it enrolls, and again while a file comes. Then the file has
    arrived, and no status that the broker has acknowledged is lost."""
    one = make(tls=number % 3 == 2)
    random = chance(f"network {number}")
    seconds = 2 if number == 0 else 15
    bad = [time.monotonic() + seconds]

    def plan(_):
        return _random_fault(random) if time.monotonic() < bad[0] else None

    one.backend.rest.plan = one.backend.mqtt.plan = plan
    _provision(one, keepalive=30)
    run = one.start()
    run.wait_log(r"link: online|enrollment: refused", 2 * LATE)
    assert run.resets == []
    if any("enrollment: refused" in line for line in run.log):
        assert any("an earlier attempt lost" in line for line in run.log), "\n".join(run.log)
        return
    (agent,) = one.backend.agents
    bad[0] = time.monotonic() + seconds
    data = random.randbytes(30_000)
    task = one.backend.tasks.deploy_file(agent.id, data, "%SDCARD%/", name="a.bin")
    # What is open already gets its share, too.
    for passage in (one.backend.rest.passages + one.backend.mqtt.passages)[-2:]:
        random.choice((passage.cut, passage.freeze, int))()
    assert one.backend.tasks.wait_task(task, 2 * LATE) == "done", "\n".join(run.log)
    assert one.backend.wait_for(lambda: agent.online, LATE)
    assert run.resets == []
    run.kill()
    assert one.board.read("/files/a.bin") == data
