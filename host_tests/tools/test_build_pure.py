"""The firmware's pure modules on CPython."""

import subprocess
import sys

# Other threads of the process are at the same modules, as those of `flyve provision --batch`.
THREADS = """
import sys, threading
from flyve_mdm.build import pure
sys.setswitchinterval(1e-6)
names = ["jobs.config", "jobs.deeplink"] * 8
start, failed = threading.Barrier(len(names)), []

def work(name):
    start.wait()
    try:
        module = pure.load(name)
        if name == "jobs.deeplink":
            module.parse("http://flyve.org/?data=aHR0cDovL2gvOzEyMzs0NTY7Ozs7")
    except BaseException as error:
        failed.append(repr(error))

threads = [threading.Thread(target=work, args=[name]) for name in names]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit("; ".join(failed) or [name for name in sys.modules if name.startswith("flyve.")] or 0)
"""


def test_threads_load_them_at_a_time():
    for _ in range(3):
        subprocess.run([sys.executable, "-c", THREADS], check=True, timeout=60)
