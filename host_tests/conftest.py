"""All tests: MicroPython files under unit/ are run by the plugin host_tests.upy.

FLYVE_SEED repeats the random samples of a run; the seed is printed at its end.
"""

import os
import random

from host_tests import upy

# In the environment, so that all workers of pytest-xdist draw the same samples.
os.environ["FLYVE_SEED"] = os.environ.get("FLYVE_SEED") or str(random.randrange(1 << 32))


def pytest_configure(config):
    if not config.pluginmanager.has_plugin("flyve-upy"):
        config.pluginmanager.register(upy, "flyve-upy")


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"FLYVE_SEED={os.environ['FLYVE_SEED']} repeats these samples")
