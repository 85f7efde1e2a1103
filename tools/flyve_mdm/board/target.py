"""TARGET: what names a board, whatever kind it is, and what can be done to all of them."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from serial.tools import list_ports

from flyve_mdm import keeper
from flyve_mdm.board import ports
from flyve_mdm.board.board import VirtualBoard
from flyve_mdm.board.folder import BoardError
from flyve_mdm.board.remote import SerialBoard

# mpremote's short names of ports.
_SHORT = {"a": "/dev/ttyACM", "u": "/dev/ttyUSB", "c": "COM"}


class Target(Protocol):
    """A board that is virtual, or on a serial port. Its methods raise BoardError or OSError.

    Used in a `with`, it is left at the end as it is to run on.
    """

    @property
    def mac(self) -> str:
        """Its MAC address, 12 hex digits."""

    @property
    def chip(self) -> str:
        """Its chip, as esptool calls it, or "unknown chip"."""

    def tree(self) -> Path:
        """The compiled firmware that fits it."""

    def deploy(self, tree: Path, progress: Callable[[str, int, int], None] | None = None) -> int:
        """Puts a tree of files on the flash; returns how many were not there yet."""

    def read(self, path: str) -> bytes:
        """A file's content. Raises FileNotFoundError."""

    def entry(self, namespace: str, key: str) -> bytes | None:
        """A blob that NVS holds, or None."""

    def change(self, files: Mapping | None = None, entries: Mapping | None = None) -> None:
        """Writes files by path and NVS entries by (namespace, key); None removes one."""


def open_target(name: str) -> Target:
    """The board that a TARGET names. Raises BoardError."""
    if Path(name).is_dir():
        return VirtualBoard(name)
    return SerialBoard(find_port(name))


def switched_on(name: str, stack: ExitStack) -> str:
    """The port of the board that a TARGET names; a virtual one is switched on until the stack
    ends. Raises BoardError."""
    if not Path(name).is_dir():
        return find_port(name)
    port = stack.enter_context(keeper.folder("flyve-port-")) / "port"
    return stack.enter_context(VirtualBoard(name).start(port=port)).wait_port()


def find_port(name: str) -> str:
    """The device that a port's name means; one that is there. Raises BoardError.

    Takes what mpremote takes: a device, `id:` and a USB serial number, u0, a0 or c0, a URL;
    and `auto`, but only when there is a single USB port to choose.
    """
    usb = [port for port in list_ports.comports() if port.vid is not None]
    if name == "auto":
        if len(usb) == 1:
            return usb[0].device
        if not usb:
            raise BoardError("auto: there is no USB port: plug the board in, or name its port")
        raise BoardError(f"auto: there are {len(usb)} USB ports{_listed(usb)}: name one of them")
    if name.startswith("id:"):
        for port in usb:
            if port.serial_number == name[3:]:
                return port.device
        raise BoardError(f"{name}: no USB port has this serial number{_listed(usb)}")
    device = name.removeprefix("port:")
    if len(device) == 2 and device[0] in _SHORT and device[1] in "0123":
        device = _SHORT[device[0]] + device[1]
    if device.startswith(ports.URLS):
        ports.check_url(device)
        return device
    known = [port.device for port in list_ports.comports()]
    if device in known or Path(device).is_char_device():
        return device
    if (Path(device) / "board.json").exists():
        raise BoardError(
            f"{name} is a virtual board, which has no port: `flyve board create --image` makes "
            "one with an image of yours, `flyve board run --pty` gives one a port"
        )
    if Path(device).exists():
        raise BoardError(f"{name} is neither a serial port nor the folder of a virtual board")
    raise BoardError(f"{name}: no such serial port{_listed(usb)}, and no virtual board's folder")


def _listed(found) -> str:
    names = ", ".join(
        f"{port.device} ({port.serial_number or port.description})" for port in found
    )
    return f" (there are: {names})" if names else ""
