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


# How pip says that it got nothing from the index.
UNREACHED = ("from versions: none", "Max retries", "NewConnectionError", "ConnectTimeout")


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


def environment():
    """The user's, without what makes pip install elsewhere than into our folder."""
    kept = dict(os.environ)
    for name in ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_DRY_RUN", "PYTHONHOME"):
        kept.pop(name, None)
    kept["PIP_USER"] = "0"  # also against a configuration file
    return kept


def run(argv, trouble):
    """Runs a step quietly; its output matters only when it fails."""
    try:
        process = subprocess.Popen(
            argv, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
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
        reason = reason[7:] if reason in errors else reason
        fail("%s: %s%s" % (trouble, reason, next_step(output)))


def next_step(output):
    """What a user can do about what pip said."""
    if "No space left" in output:
        return ": make room"
    if any(sign in output for sign in UNREACHED):
        index = os.environ.get("PIP_INDEX_URL", "the package index")
        return ": %s does not answer or lacks it; check the network, or set PIP_INDEX_URL" % index
    return ""


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else ".venv"
    python = os.path.join(ROOT, folder, "bin", "python")
    if not usable(python):
        check_python()
        print("setup: creating " + folder)
        run([sys.executable, "-m", "venv", "--clear", folder], "cannot create " + folder)
    what = sys.argv[2] + " packages" if len(sys.argv) > 2 else "packages"
    print("setup: installing %s into %s" % (what, folder))
    # What comes on top of what the commands need: "test" or "lint", as pyproject.toml has them.
    extra = "[%s]" % sys.argv[2] if len(sys.argv) > 2 else ""
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "-q"]
    run(pip + ["-e", "." + extra], "cannot install the packages")
    if extra:
        return
    print("setup: fetching the MicroPython libraries and building the firmware")
    run([python, "-m", "flyve_mdm.build.libraries"], "cannot set up")
    run([python, "-m", "flyve_mdm.build.firmware"], "cannot build the firmware")


if __name__ == "__main__":
    main()
