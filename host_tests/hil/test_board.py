"""The agent's life on one board, and what it costs there."""

import hashlib
import time

import pytest

from flyve_mdm.board import doctor, heap, provision
from host_tests.kit.sample import content

CHUNK = 200_000
# Runs the agent as main.py does, and says what its heap holds: after each wait, when it is more
# than ever before. What is garbage does not count.
PROBE = (
    heap.SCRIPT
    + """
import gc
def _live():
    gc.collect()
    return gc.mem_alloc()
print("probe: boot", _live())
from flyve import board
from flyve.agent import main
print("probe: import", _live())
class _Peak:
    feed = board.feed
    used = 0
def _feed():
    _Peak.feed()
    if gc.mem_alloc() > _Peak.used:
        used = _live()
        if used > _Peak.used:
            _Peak.used = used
            print("probe: peak", used)
            heap_as_it_stands()
board.feed = _feed
main()
"""
)


def stamp(line):
    """The milliseconds since boot of a log line."""
    return int(line.split(" ", 1)[0])


@pytest.fixture
def device(make_device):
    made = make_device()
    made.provision(keepalive=10)
    return made


def test_the_board_is_fit(wired, report):
    board = wired.make()
    with board.at_its_prompt() as visit:
        found = list(doctor.examine(visit, visit.tree()))
    bad = [finding for finding in found if finding.level == doctor.BAD]
    assert not bad
    facts = {finding.about: finding.text for finding in found}
    kind = "virtual, on a pseudo-terminal" if board.lines.air else f"real, on {board.lines.port}"
    names = ("MicroPython", "chip", "heap", "TLS memory", "filesystem", "flash", "OTA slots")
    report.add("board", target=kind, machine=facts["board"])
    report.add("board", **{name: facts[name] for name in names})
    report.add("timing", deploy_s=round(wired.installed, 1))


def test_enrollment_and_online(device, report):
    started = time.monotonic()
    device.start()
    device.enrolled(90)
    device.online(90)
    taken = time.monotonic() - started
    lines = {
        name: stamp(line)
        for line in device.run.log
        for name in ("enrolled", "online topic")
        if name in line and line[:1].isdigit()
    }
    report.add("timing", power_on_to_online_s=round(taken, 1), enrolled_ms=lines["enrolled"])
    report.add("timing", enrolled_to_online_ms=lines["online topic"] - lines["enrolled"])
    assert device.posts() == [201]


def test_a_start_when_enrolled(device, report):
    device.start()
    device.online(90)
    device.run.kill()
    device.start()
    device.online(90)
    line = next(line for line in device.run.log if "online topic" in line)
    report.add("timing", boot_to_online_ms=stamp(line))


def test_the_broker_sends_the_will_of_a_board_that_is_reset(device, report):
    device.start()
    device.online(90)
    device.run.kill()
    started = time.monotonic()
    assert device.backend.wait_for(lambda: not any(a.online for a in device.backend.agents), 30)
    report.add("timing", will_after_reset_s=round(time.monotonic() - started, 1))
    device.start()
    device.online(90)


def test_pings_are_answered(device, report):
    device.start()
    device.online(90)
    times = []
    for _ in range(5):
        started = time.monotonic()
        assert device.backend.admin.ping(17, wait=10)
        times.append(time.monotonic() - started)
    report.add("timing", ping_ms=round(1000 * sorted(times)[2]))


def test_a_download_goes_on_after_a_hard_reset(device, report):
    device.start()
    device.online(90)
    data = content(CHUNK)
    device.backend.fault("PluginFlyvemdmFile", "trickle", step=4096, seconds=0.05)
    task = device.backend.tasks.deploy_file(17, data, name="f.bin")
    device.run.wait_log(rf"policies: task {task.id} waiting", 30)
    assert device.backend.wait_for(lambda: len(device.gets("PluginFlyvemdmFile")) > 1, 30)
    time.sleep(1)
    device.run.kill()
    device.backend.options.faults.clear()
    device.start()
    device.run.wait_log(r"download: goes on at byte \d+", 90)
    done = device.run.wait_log(r"download: done path=/files/f.bin bytes=(\d+) sha256=(\w+)", 90)
    assert int(done[1]) == CHUNK and done[2] == hashlib.sha256(data).hexdigest()
    device.ends(task, "done", timeout=30)


def test_a_download_of_200_kb(device, report):
    device.start()
    device.online(90)
    data = content(CHUNK)
    started = time.monotonic()
    task = device.backend.tasks.deploy_file(17, data, name="g.bin")
    device.run.wait_log(r"download: done path=/files/g.bin", 120)
    report.add("timing", download_kb_per_s=round(CHUNK / 1000 / (time.monotonic() - started)))
    device.ends(task, "done", timeout=30)


def test_memory_over_a_life(device, report):
    device.board.write("/main.py", PROBE.encode())
    try:
        device.start()
        device.enrolled(90)
        device.online(90)
        online = peaks(device.run.log)
        device.backend.tasks.deploy_file(17, content(CHUNK), name="h.bin")
        device.run.wait_log(r"download: done path=/files/h.bin", 120)
    finally:
        device.run.kill()
        device.board.deploy()
    log = device.run.log
    firsts = {
        name: int(line.split()[2])
        for line in log
        for name in ("boot", "import")
        if line.startswith(f"probe: {name}")
    }
    boot, highest = firsts["boot"], peaks(log)[-1]
    report.add("memory", imported=firsts["import"] - boot)
    report.add("memory", highest_until_online=online[-1] - boot, highest=highest - boot)
    # An ESP32 starts with 56,000 bytes, and takes more for good when that does not do.
    heaps = list(heap.read("\n".join(log)))
    report.add("memory", heap=heaps[-1].total, heap_grew_by=heaps[-1].total - heaps[0].total)
    report.add("memory", largest_free_piece_at_least=min(found.piece for found in heaps))
    report.add("memory", ESP_IDF_free_at_least=min(found.idf_free for found in heaps))
    report.add("memory", ESP_IDF_largest_block_at_least=min(h.idf_largest for h in heaps))
    assert boot < firsts["import"] < highest < heaps[-1].total


def peaks(log):
    """What the probe said: the most live bytes, again and again."""
    return [int(line.split()[2]) for line in log if line.startswith("probe: peak")]


def test_a_visit_of_mpremote_leaves_the_agent_online(device):
    device.start()
    device.online(90)
    since = len(device.run.log)
    assert "/flyve/agent.mpy" in dict(device.board.files())
    device.run.wait_log("link: online topic=", 90, since)
    assert device.backend.admin.ping(17, wait=10)


def test_the_board_is_blank_again_after_a_reset(device):
    device.start()
    device.enrolled(90)
    device.run.kill()
    with device.board.at_its_prompt() as board:
        provision.forget(board)
    device.start()
    device.run.wait_log("agent: waiting for a deeplink", 90)
