"""Mutation run: does a test fail for each small fault that is put into a module?

The faults are made by cosmic-ray's operators, and the tests run in copies of the tree, for the
firmware runs in another interpreter. `python -m flyve_mdm.measure.mutation [module ...]` prints a
line for each module; build/mutation.json has the survivors. A comment beside a line
says why its faults change nothing that can be seen, and so survive.
"""

import argparse
import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from flyve_mdm import BUILD, ROOT, keeper, need_checkout
from flyve_mdm.measure.mutants import Mutant, sample, source_of

RESULT = BUILD / "mutation.json"
AT_LEAST = 85  # per cent
_GRACE = 20  # seconds
# The tests that concern a module, the fast ones first.
TESTS = {
    module: [f"host_tests/firmware/test_{name}.py" for name in names.split()]
    for module, names in {
        "link_checks": "deeplink_inside",
        "link_fields": "deeplink_inside deeplink_damage",
        "jsonpick": "jsonpick_inside jsonpick_property",
        "record": "record_inside",
        "record_slots": "record_inside record_slots_damage",
        "download": "download_judgement download_sizes delivery_form slot download_cuts",
        "journal": "download_judgement download_sizes delivery_form slot download_cuts",
        "judgement": "download_judgement download_sizes delivery_form slot download_cuts",
        "files": "files_inside download_judgement download_sizes tasks_inside",
        "delivery_steps": "download_judgement download_sizes delivery_form slot",
        "rest_client": "rest",
        "verdict": "rest",
        "mailed": "deeplink_inside",
        "mail_gateway": "mail_gateway_inside deeplink_inside",
        "outbox": "outbox_inside outbox_cuts",
        "update": "update_inside update boot startup_strays",
        "slot": "slot slot_cuts",
        "http_request": "http_request_inside http_server_inside",
        "captive_dns": "captive_dns_inside",
        "setup_form": "setup_form_inside",
        "setup_store": "setup_store_inside",
        "paths": "paths_inside",
        "nvs": "nvs_inside",
    }.items()
}


class Copy:
    """A copy of the tree to put faults into."""

    def __init__(self, below: Path, number: int):
        self.root = below / str(number)
        skip = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "*.json.part")
        shutil.copytree(ROOT, self.root, ignore=skip, symlinks=True)

    def run(self, mutant: Mutant | None, tests: list[str], seconds: float) -> str:
        """How the tests end with the fault in it: "survived", "killed", "hung" or "invalid"."""
        if mutant is None:
            return self._test(tests, seconds)
        source = self.root / source_of(mutant.module)
        original = source.read_text()
        try:
            source.write_text(mutant.source)
            return self._test(tests, seconds)
        finally:
            source.write_text(original)

    def _test(self, tests: list[str], seconds: float) -> str:
        # Without the plugins that these tests need not: half a second each time.
        argv = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "pytest_timeout", *tests]
        alone = {"FLYVE_SEED": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        # What they start must be the copy, too.
        alone["PYTHONPATH"] = str(self.root / "tools")
        process = subprocess.Popen(
            argv, cwd=self.root, env={**os.environ, **alone}, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            # It ends the boards that it has started, each in a group of its own.
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
            return "hung"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        # pytest's 4: the firmware could not be built.
        return {0: "survived", 1: "killed", 4: "invalid"}.get(code, "killed")


def measure(module: str, chosen: list[Mutant], copies: list[Copy]) -> list[tuple[Mutant, str]]:
    """Each mutant with how it ended. Exits when the tests fail without a fault."""
    tests = TESTS[module]
    begun = time.monotonic()
    if copies[0].run(None, tests, 600) != "survived":
        sys.exit(f"error: the tests of {module} fail without a fault: pytest {' '.join(tests)}")
    seconds = 10 + 3 * (time.monotonic() - begun)
    free: queue.Queue[Copy] = queue.Queue()
    for copy in copies:
        free.put(copy)

    def one(mutant: Mutant) -> tuple[Mutant, str]:
        copy = free.get()
        try:
            end = copy.run(mutant, tests, seconds)
        finally:
            free.put(copy)
        if end == "survived":
            print(f"{module}.py:{mutant.line}: survived: {mutant.before}  ->  {mutant.after}",
                  flush=True)  # fmt: skip
        return mutant, end

    with ThreadPoolExecutor(len(copies)) as pool:
        ends = list(pool.map(one, chosen))
    return [(mutant, end) for mutant, end in ends if end != "invalid"]


def main() -> None:
    """Runs the chosen modules. Exits with 1 when too few of the faults were found."""
    need_checkout("mutation")
    parser = argparse.ArgumentParser(prog="make mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="module", help=", ".join(TESTS))
    parser.add_argument("--sample", type=int, default=200, help="mutants of each module, 200")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-n", type=int, default=os.cpu_count(), help="how many run at once")
    chosen = parser.parse_args()
    # A job in the background ignores it, and so would the tests that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for module in chosen.modules:
        if module not in TESTS:
            parser.error(f"no tests are named for {module}; there are {', '.join(TESTS)}")
    survivors, low = [], []
    with keeper.folder("flyve-mutation-") as folder:
        copies = [Copy(folder, number) for number in range(chosen.n)]
        for module in chosen.modules or TESTS:
            begun = time.monotonic()
            ends = measure(module, sample(module, chosen.sample, chosen.seed), copies)
            left = [mutant for mutant, end in ends if end == "survived"]
            explained = sum(bool(mutant.why) for mutant in left)
            killed = 100 * (1 - len(left) / len(ends))
            print(
                f"{module}: {len(ends) - len(left)} of {len(ends)} killed ({killed:.1f} %), "
                f"{sum(end == 'hung' for _, end in ends)} by the time limit; "
                f"{len(left)} survived, {explained} of them explained; "
                f"{time.monotonic() - begun:.0f} s",
                flush=True,
            )
            low += [module] if killed < AT_LEAST else []
            for mutant in left:
                row = asdict(mutant)
                del row["source"]
                survivors.append(row)
    RESULT.write_text(json.dumps(survivors, indent=1) + "\n")
    if low:
        sys.exit(f"error: fewer than {AT_LEAST} % were killed in {', '.join(low)}")


if __name__ == "__main__":
    main()
