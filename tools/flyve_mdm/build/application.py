"""Is a file an application that a board can start? Judged before it is deployed."""

import io
import subprocess
import tarfile

from flyve_mdm.build import toolchain

_WAIT = 60


class ApplicationError(ValueError):
    """The file is none; one line that says why."""


def check(data: bytes, name: str) -> None:
    """Compiles what is source in a module or a bundle. Raises ApplicationError."""
    kinds = "give an app.py, an app.mpy, a bundle (.tar, not compressed) or a firmware image"
    if not data:
        raise ApplicationError(f"{name} is empty: {kinds}")
    if data[:1] == b"\xe9" or (data[:1] == b"M" and len(data) > 4 and data[1] < 32):
        return
    if data[257:262] != b"ustar":
        if min(data[:511]) < 9:
            raise ApplicationError(f"{name} is no application: {kinds}")
        try:
            _compile(data, name)
        except ApplicationError as error:
            raise ApplicationError(f"{error}: {kinds}") from None
        return
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                if member.isreg() and member.name.endswith(".py"):
                    _compile(archive.extractfile(member).read(), f"{name}, {member.name}")
    except tarfile.TarError as error:
        raise ApplicationError(f"{name} is no whole bundle: {error}") from None


def _compile(data: bytes, name: str) -> None:
    try:
        compiler = toolchain.mpy_cross()
    except toolchain.ToolchainError:
        return  # the board compiles it, too
    done = subprocess.run(
        [compiler, "-s", "app.py", "-o", "/dev/null", "-"],
        input=data.removeprefix(b"\xef\xbb\xbf"), capture_output=True, timeout=_WAIT, check=False,
    )  # fmt: skip
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        where = [line.split("line ")[1].split(",")[0] for line in said if ", line " in line]
        at = f", line {where[-1]}" if where else ""
        raise ApplicationError(f"{name}{at} does not compile ({said[-1] if said else 'failed'})")
