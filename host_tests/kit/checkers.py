"""Judges of a web page: the Nu Html Checker (which needs Java) and axe-core, both by npm."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from flyve_mdm.build import npm
from flyve_mdm.patience import stretched

_AXE = npm.Package(
    "axe-core",
    "4.14.1",
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    ("axe.min.js",),
)
_VNU = npm.Package(
    "vnu-jar",
    "26.9.27",
    "sha512-TkQd5DFfOaWC9ebtvozTsrH2Vaod3jYg+vrOeREzIXxBexLz9+rS2DNtjn7+RPUiZhgli0SghgBX6RJRNea0KA==",
    ("build/dist/vnu.jar",),
    largest=48 << 20,
)
# Valid CSS (CSS Shapes) that this checker does not know yet.
_UNKNOWN = r".*“clip-path”: “path\(.*"
_AXE_RUN = """
const done = arguments[0];
axe.run().then(found => done([...found.violations, ...found.incomplete].map(
    rule => rule.id + ": " + rule.nodes.map(node => node.html).join(" "))));
"""


def axe() -> str:
    """The script that judges whether everybody can use a page. Raises npm.NpmError."""
    return (npm.fetch(_AXE) / "axe.min.js").read_text()


def unusable(driver, script: str) -> list[str]:
    """What axe, that script, has against the page in Selenium's driver; what it cannot judge
    counts, too."""
    driver.execute_script(script)
    return driver.execute_async_script(_AXE_RUN)


def invalid(paths: list[Path]) -> list[str]:
    """What is not valid in these pages, a line each. Raises npm.NpmError, also without Java."""
    jar = npm.fetch(_VNU) / "build/dist/vnu.jar"
    java = shutil.which("java")
    if not java:
        raise npm.NpmError("no Java here: apt-get install default-jre-headless")
    argv = [java, "-jar", jar, "--also-check-css", "--filterpattern", _UNKNOWN, *paths]
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, timeout=stretched(120)
    )
    return done.stderr.splitlines()
