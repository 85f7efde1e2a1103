"""VirtualBoard: the Python API to a virtual ESP32, for tests and for the `flyve` command."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from flyve_mdm import BUILD
from flyve_mdm.board import espnvs, factory, folder, image, nvs
from flyve_mdm.board.run import Run
from flyve_mdm.build import firmware


class VirtualBoard:
    """A virtual board in a folder. Methods that change it need it to be off."""

    def __init__(self, path: Path | str):
        self._folder = folder.Folder(Path(path))
        self.path = self._folder.path

    @classmethod
    def create(
        cls,
        path: Path | str,
        mac: str | None = None,
        flash_size: int = folder.DEFAULT_FLASH,
        ota: bool = False,
        aps: Mapping | None = None,
        chip: str = "ESP32",
    ) -> "VirtualBoard":
        """Makes a new board, without firmware. Raises folder.BoardError, ValueError."""
        folder.create(Path(path), mac, flash_size, ota, aps, chip)
        return cls(path)

    @property
    def mac(self) -> str:
        return self._folder.settings["mac"]

    @property
    def chip(self) -> str:
        return self._folder.settings["chip"]

    @classmethod
    def from_flash(
        cls, path: Path | str, whole: Path, mac: str | None = None, aps: Mapping | None = None
    ) -> "VirtualBoard":
        """Makes a board with the flash that `flyve image` has made: its partitions, its files and
        its NVS. Raises folder.BoardError, ValueError, OSError."""
        chip, table, content = factory.take_apart(whole)
        rows = [row for row in table if row.label != "vfs"]
        flash = len(content.get("vfs", b""))
        made = folder.create(Path(path), mac, flash, False, aps, chip, rows)
        for label, file in made.partition_files().items():
            if label != "nvs":
                image.replace(file, content[label])
        with nvs.session(made.nvs) as store:
            for (namespace, key), value in espnvs.read(content["nvs"]).items():
                store.set(namespace, key, value)
        return cls(path)

    def __enter__(self) -> "VirtualBoard":
        return self

    def __exit__(self, *_) -> None:
        pass

    def tree(self) -> Path:
        """The compiled firmware for this board. Raises firmware.BuildError and its like."""
        return firmware.build()

    def deploy(
        self,
        tree: Path = BUILD / "firmware",
        progress: Callable[[str, int, int], None] | None = None,
    ) -> int:
        """Puts a tree of files on the flash; returns how many were not there yet."""
        tree, written = Path(tree), 0
        found = {"/" + p.relative_to(tree).as_posix(): p for p in tree.rglob("*") if p.is_file()}
        if not found:
            raise folder.BoardError(f"{tree} holds no firmware: run `make setup`")
        with self._folder.lock():
            with image.session(self._folder.flash) as files:
                present = {path for path, _ in files.list()}
                gone = {p for p in present - found.keys() if p.startswith(firmware.OURS)}
                for path in gone:
                    files.remove(path)
                for emptied in sorted(firmware.folders(gone), key=len, reverse=True):
                    if not any(path.startswith(f"{emptied}/") for path in present - gone):
                        files.remove(emptied)
                for path, source in sorted(found.items()):
                    data = source.read_bytes()
                    if path not in present or files.read(path) != data:
                        files.write(path, data)
                        written += 1
            with nvs.session(self._folder.nvs) as store:
                store.erase(*firmware.UPDATE)
        return written

    def files(self) -> list[tuple[str, int]]:
        """Path and size of each file, sorted."""
        return image.load(self._folder.flash).list()

    def read(self, path: str) -> bytes:
        """A file's content. Raises FileNotFoundError."""
        return image.load(self._folder.flash).read(path)

    def write(self, path: str, data: bytes | str) -> None:
        """Writes one file."""
        self.change(files={path: data.encode() if isinstance(data, str) else data})

    def remove(self, path: str) -> None:
        """Removes a file or folder. Raises FileNotFoundError."""
        with self._folder.lock(), image.session(self._folder.flash) as files:
            files.remove(path)

    def nvs(self) -> list[tuple[str, str, str, int | bytes]]:
        """Namespace, key, "i32" or "blob", and value of each entry, sorted."""
        return nvs.load(self._folder.nvs).list()

    def entry(self, namespace: str, key: str) -> bytes | None:
        """A blob that NVS holds, or None."""
        found = {row[:2]: row[3] for row in self.nvs() if row[2] == "blob"}
        return found.get((namespace, key))

    def nvs_set(self, namespace: str, key: str, value: int | bytes) -> None:
        """Sets one entry. Raises OSError as the esp32 module does."""
        self.change(entries={(namespace, key): value})

    def change(self, files: Mapping | None = None, entries: Mapping | None = None) -> None:
        """Writes files by path and NVS entries by (namespace, key); None removes one."""
        with self._folder.lock():
            if files:
                with image.session(self._folder.flash) as flash:
                    present = {path for path, _ in flash.list()}
                    for path, data in files.items():
                        if data is not None:
                            flash.write(path, data)
                        elif path in present:
                            flash.remove(path)
            if entries:
                with nvs.session(self._folder.nvs) as store:
                    for (namespace, key), value in entries.items():
                        if value is None:
                            store.erase(namespace, key)
                        else:
                            store.set(namespace, key, value)

    def set_air(self, aps: Mapping, connect_ms: int | None = None, **more: int) -> None:
        """Sets the access points, also while the board runs: ssid -> passphrase ("": open)
        or {"psk": ..., "rssi": ...}; `connect_ms` is how long it takes to join one [1 to 3 s].
        What else there is, boards/virtual/network.py tells."""
        if connect_ms is not None:
            more["connect_ms"] = connect_ms
        self._folder.set_inputs(aps=dict(aps), **more)

    def set_stations(self, stations: Mapping[str, str]) -> None:
        """Sets the phones that want to join the board's own network: MAC -> passphrase. The run's
        console tells what becomes of each, `setup: <mac> joined`, `left`, `refused: <why>`."""
        found = [{"mac": mac, "psk": psk} for mac, psk in stations.items()]
        self._folder.set_inputs(stations=found)

    def pass_time(self, seconds: float) -> int:
        """Lets so much time pass for the board's ticks and clock; does not wait. A board that
        runs moves on by two days at a time, when it looks at its Wi-Fi, and in the end says on its
        console `board: <n> s ahead`: n is what this returns."""
        return self._folder.pass_time(int(seconds * 1000))

    def press_boot(self, seconds: float) -> None:
        """Holds the BOOT button from now on for that time; does not wait."""
        self._folder.set_inputs(boot_until=int((time.time() + seconds) * 1000))

    def start(
        self,
        heap: int | str = "128K",
        cut_after: int | None = None,
        torn: int | None = None,
        once: bool = False,
        nvs: str = "eager",
        port: Path | None = None,
        read_us: int | None = None,
    ) -> Run:
        """Switches the power on. Use the result in a `with`, or stop() it.

        `port`: where its serial port shall be, for mpremote; with one it comes to its prompt.
        `read_us`: how long each read of its flash takes; with it the run tells their number, too.
        """
        return Run(
            self._folder,
            heap=folder.parse_size(heap),
            cut_after=cut_after,
            torn=torn,
            once=once,
            nvs=nvs,
            port=port,
            read_us=read_us,
        )
