"""The browser that stands for a phone: it goes where it is led, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flyve_mdm.patience import stretched

_START = """
import os, sys
from flyve_mdm.browser import Browser
made = Browser(0)
made.driver.get("data:text/html,hello")
print(*made.pids, made.folder, flush=True)
{end}
"""


def _gone(pids, folder):
    return not folder.exists() and not any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids)


@pytest.mark.browser
@pytest.mark.parametrize("end", ["made.close()", f"os.kill(os.getpid(), {signal.SIGKILL:d})"])
def test_it_leaves_neither_a_process_nor_a_folder(end):
    tools = Path(__file__).parents[2] / "tools"
    environment = {**os.environ, "PYTHONPATH": str(tools)}
    argv = [sys.executable, "-c", _START.format(end=end)]
    done = subprocess.run(
        argv, env=environment, capture_output=True, text=True, check=False, timeout=stretched(60)
    )
    *pids, folder = done.stdout.split()
    assert len(pids) == 2, done.stderr
    deadline = time.monotonic() + stretched(20)
    while not _gone(pids, Path(folder)):
        assert time.monotonic() < deadline, (pids, folder)
        time.sleep(0.05)
