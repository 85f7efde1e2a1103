"""Starts a virtual board inside MicroPython's unix port.

The supervisor passes a JSON text in sys.argv[1]: the board's settings and the descriptors of its
flash, NVS, state and inputs files, of the control pipe and of the leash. After this module
has run the firmware sees an ESP32: littlefs2 at the root, the modules of the chip, `heap`
bytes free; it starts with /boot.py and /main.py, in `__main__`, as the real start-up code does.
Then it comes to its prompt, if it is on a wire.
"""

import gc
import json
import os
import sys

import vfs
from uctypes import addressof

if os.getenv("COVERAGE"):
    import probes  # noqa: F401


_OWN = ("launch", "flash", "inputs", "nvs_store", "ota", "console", "collector", "probes",
        "interface", "access_point", "pwm")  # fmt: skip


def _open(fd):
    return open(fd, "r+b")


def _assemble(board):
    import time

    import bluetooth  # noqa: F401  # found in sys.modules once the host's files are gone
    import collector
    import esp32
    import machine
    import network
    from flash import Nor, Power, Running
    from inputs import Inputs
    from nvs_store import Store

    fds = board["fds"]
    state = _open(fds["state"])
    leash = open(fds["leash"], "rb")
    control = open(fds["control"], "wb")
    power = Power(state, control, leash, board["cut_after"], board["torn"], board["read_us"])
    inputs = Inputs(_open(fds["inputs"]))
    table = [tuple(row) for row in board["partitions"]]
    devices = {}
    for row in table:
        label = row[4]
        if label in fds:
            kind = Running if label == board["slot"] else Nor
            devices[label] = kind(_open(fds[label]), row[3], power, label != "nvs")
    machine.attach(power, state, inputs, board)
    network.attach(inputs, machine.unique_id(), power.tell, board.get("ports", (0, 0)))
    esp32.attach(Store(devices["nvs"], board["lazy"]), devices, table, board["slot"])
    if board.get("image") == "virtual:crash":
        power.halt(b"R 2\n")
    if board.get("image") == "virtual:deaf":
        inputs.get = lambda: {"aps": {}}
    sys.modules["utime"] = time
    sys.modules["umachine"] = machine
    collector.attach(board["heap"])
    sys.modules["gc"] = collector
    if "isig" in board:
        import console

        console.attach(board["isig"])
        sys.modules["micropython"] = console
    return power, devices["vfs"]


def _mount(device, power):
    vfs.umount("/")
    try:
        vfs.mount(vfs.VfsLfs2(device), "/")
    except OSError:
        # What stock firmware does: it formats a blank chip, and nothing else.
        first = bytearray(4096)
        device.readblocks(0, first)
        if first != b"\xff" * 4096:
            print("The filesystem appears to be corrupted.")
            power.halt(b"E 1\n")
        vfs.VfsLfs2.mkfs(device)
        vfs.mount(vfs.VfsLfs2(device), "/")
    os.chdir("/")


def _forget():
    for name in _OWN:
        sys.modules.pop(name, None)
    sys.argv.clear()
    sys.path[:] = ["", ".frozen", "/lib"]


def _ballast(heap):
    # Takes what is free beyond `heap`, holes first: the firmware gets that much in one piece.
    gc.collect()
    size = gc.mem_free() // 2
    while True:
        try:
            top = addressof(bytearray(size))
            break
        except MemoryError:  # of a small heap no piece is that long
            size //= 2
    gc.collect()
    # A chain, for a list would leave holes of its own when it grows.
    chain = None
    for size in (1024, 256, 64, 16):
        while gc.mem_free() > heap + 2 * size:
            part = bytearray(size)
            if addressof(part) >= top:
                break
            chain = (chain, part)
    part = None
    gc.collect()
    while gc.mem_free() > heap + 128:
        chain = (chain, bytearray(max(gc.mem_free() - heap - 128, 1)))
        gc.collect()
    if gc.mem_free() < heap - 1024:
        print("board: only %d bytes of heap are left" % gc.mem_free())
    return chain


def _exists(path):
    try:
        return os.stat(path)[0] & 0x8000
    except OSError:
        return False


def _run(path, scope):
    # False when the script ended with an exception, as pyexec does. SystemExit passes.
    if not _exists(path):
        return True
    try:
        execfile(path, scope)  # noqa: F821
        return True
    except SystemExit:
        raise
    except BaseException as error:
        sys.print_exception(error)
        return False


def run():
    board = json.loads(sys.argv[1])
    power, device = _assemble(board)
    _mount(device, power)
    _forget()
    import __main__

    scope = __main__.__dict__
    for name in list(scope):
        if not name.startswith("__"):
            del scope[name]
    heap, wire, raw = board["heap"], "isig" in board, board.get("raw")
    for name in ("fds", "partitions", "heap"):
        board.pop(name)
    ballast = _ballast(heap)
    if wire:
        sys.modules["micropython"].kbd_intr(3)
        power.tell(b"C\n")
    try:
        # A board does not run main.py after an exception in boot.py, nor after a soft reset
        # out of the raw REPL.
        done = _run("/boot.py", scope) and (raw or _run("/main.py", scope))
    except SystemExit:
        power.halt(b"R 5\n")
    if not wire:
        power.halt(b"E 0\n" if done else b"E 1\n")
    sys.modules["machine"]._ballast = ballast
    power.tell(b"P\n")  # and the interpreter comes to its prompt


run()
