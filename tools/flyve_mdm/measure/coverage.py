"""Line coverage of firmware/, measured where it runs: in MicroPython, on virtual boards.

`python -m flyve_mdm.measure.coverage` runs the tests on firmware with probes (build/probes.py) and
reports with coverage.py: an `except` line counts as run when its handler was entered.
"""

import array
import os
import subprocess
import sys
from pathlib import Path

from flyve_mdm import BUILD, ROOT, need_checkout
from flyve_mdm.build import probes

FIRMWARE = ROOT / "firmware"
HITS = BUILD / "coverage.hits"
DATA = BUILD / "coverage.data"
AT_LEAST = 95  # per cent


def hits(file: Path) -> dict[str, list[int]]:
    """The lines that have run, by source."""
    numbers = array.array("H", file.read_bytes())
    if sys.byteorder == "big":
        numbers.byteswap()
    lines = {}
    for source, base in probes.bases(FIRMWARE).items():
        end = base + len(source.read_bytes().splitlines())
        lines[str(source)] = sorted({n - base for n in numbers if base < n <= end})
    return lines


def main() -> None:
    """Runs the tests and reports. Exits with 1 when a test fails or too little was covered."""
    need_checkout("coverage")
    import coverage

    BUILD.mkdir(exist_ok=True)
    HITS.write_bytes(b"")
    before = probes.bases(FIRMWARE)
    environment = {**os.environ, "COVERAGE": str(HITS)}
    argv = [sys.executable, "-m", "pytest", "-m", "not soak and not exact", *sys.argv[1:]]
    tests = subprocess.run(argv, check=False, env=environment).returncode
    if probes.bases(FIRMWARE) != before:
        sys.exit("error: firmware/ has changed while it was measured; run it again")
    DATA.unlink(missing_ok=True)
    data = coverage.CoverageData(str(DATA))
    data.add_lines(hits(HITS))
    data.write()
    report = coverage.Coverage(data_file=str(DATA), config_file=False)
    report.load()
    covered = report.report(show_missing=True)
    report.html_report(directory=str(BUILD / "coverage"))
    report.json_report(outfile=str(BUILD / "coverage.json"))
    if covered < AT_LEAST:
        sys.exit(f"error: {covered:.1f} % of the firmware's lines have run, not {AT_LEAST} %")
    sys.exit(min(tests, 1))


if __name__ == "__main__":
    main()
