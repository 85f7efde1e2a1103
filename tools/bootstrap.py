"""`make setup`: fills a folder with all that the other targets need.

The one module that runs before anything is installed, by whatever Python the user has: so it
needs the standard library alone, and says what is wrong in one line.
"""

from __future__ import print_function

import os
import subprocess
import sys

OLDEST = (3, 10)
NEWEST = (3, 14)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def fail(reason):
    sys.exit("setup: " + reason)


def check_python():
    """Exits when this Python cannot make the environment."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        fail(
            "Python %d.%d is not supported, 3.10 to 3.14 are: make setup PYTHON=python3.x"
            % sys.version_info[:2]
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        fail(
            "%s has no venv module: install it (Debian: apt-get install python3-venv)"
            % sys.executable
        )


def usable(python):
    """Whether there is an environment already, one that still runs and has a fit Python."""
    code = "import sys, pip; sys.exit(not %r <= sys.version_info[:2] <= %r)" % (OLDEST, NEWEST)
    try:
        with open(os.devnull, "w") as nowhere:
            return subprocess.call([python, "-c", code], stdout=nowhere, stderr=nowhere) == 0
    except OSError:
        return False


def run(argv, trouble):
    """Runs a step quietly; its output matters only when it fails."""
    try:
        process = subprocess.Popen(
            argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        output = process.communicate()[0].decode("utf-8", "replace")
    except OSError as error:
        fail("%s: %s" % (trouble, error))
    if process.returncode:
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        # pip says first, indented, what a package's build said: "ERROR: No matching ...".
        errors = [line for line in lines if line.lower().startswith("error: ")]
        reasons = [line for line in errors if not line.endswith("-exited-with-error")]
        reason = (reasons or errors or lines or ["error: no reason given"])[0]
        fail("%s: %s" % (trouble, reason[7:] if reason in errors else reason))


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else ".venv"
    python = os.path.join(ROOT, folder, "bin", "python")
    if not usable(python):
        check_python()
        print("setup: creating " + folder)
        run([sys.executable, "-m", "venv", "--clear", folder], "cannot create " + folder)
    print("setup: installing packages into " + folder)
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "-q"]
    run(pip + ["-e", ".[test,dev]"], "cannot install the packages")
    print("setup: fetching the MicroPython libraries and building the firmware")
    run([python, "-m", "tools.libraries"], "cannot set up")
    run([python, "-m", "tools.build"], "cannot build the firmware")


if __name__ == "__main__":
    main()
