"""A mosquitto process with a password file and an ACL file that follow the backend's accounts."""

from __future__ import annotations

import base64
import collections
import contextlib
import hashlib
import os
import re
import secrets
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from flyve_mdm import keeper
from flyve_mdm.backend.broker import BACKEND_USER, Rights, free_port
from flyve_mdm.backend.certificates import Certificates
from flyve_mdm.patience import stretched


def password_hash(password: str) -> str:
    """A password as mosquitto stores it; random passwords need no stretching: one iteration."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 1)
    return f"$7$1${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


class Mosquitto:
    """A mosquitto process: `port` is for agents, `internal_port` for the backend itself."""

    kind = "mosquitto"

    def __init__(
        self,
        program: str,
        folder: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: Certificates | None = None,
        persistence: bool = False,
    ) -> None:
        self._program, self._folder, self._tls = program, folder, tls
        self.host, self._wanted_port = host, port
        self._persistence = persistence
        self.password = secrets.token_urlsafe(24)
        self._users: dict[str, tuple[str, Rights]] = {}
        self._wanted = self._applied = 0
        self._writing = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self.log: collections.deque[str] = collections.deque(maxlen=20_000)
        self._logged = threading.Condition()
        self._reloads = 0
        self.connects = 0
        self.port = self.internal_port = 0
        self.set_user(BACKEND_USER, self.password, [("readwrite", "#")], apply=False)
        self.start()

    def start(self, deadline: float = 10.0) -> None:
        """Start the process; raises RuntimeError when it does not come up."""
        end = time.monotonic() + stretched(deadline)
        while True:
            # A free port may be taken by someone else before mosquitto has it: then try another.
            port = self.port or self._wanted_port or free_port(self.host)
            internal = self.internal_port or free_port("127.0.0.1")
            if self._launch(port, internal, end):
                self.port, self.internal_port = port, internal
                return
            self.stop()
            self._reader.join(stretched(5))  # what it said last may still be on its way
            taken = any("Address already in use" in line for line in self.log)
            if not taken or self._wanted_port or time.monotonic() > end:
                last = self.log[-1] if self.log else "no output"
                raise RuntimeError(f"mosquitto did not start on port {port}: {last}")

    def _launch(self, port: int, internal: int, end: float) -> bool:
        self._write_users()
        conf = self._folder / "mosquitto.conf"
        conf.write_text("\n".join(self._configuration(port, internal)) + "\n")
        self.log.clear()
        self._process = keeper.start(
            [self._program, "-c", str(conf)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(
            target=self._read_log, args=(self._process,), name="mosquitto log", daemon=True
        )
        self._reader.start()
        return self.wait_log(r"mosquitto version \S+ running", end - time.monotonic())

    def _configuration(self, port: int, internal: int) -> list[str]:
        lines = [
            "per_listener_settings false",
            "allow_anonymous false",
            f"password_file {self._folder / 'passwords'}",
            f"acl_file {self._folder / 'acl'}",
            "log_dest stderr",
            "log_type all",
            f"persistence {'true' if self._persistence else 'false'}",
            "max_queued_messages 100000",
        ]
        if self._persistence:
            lines += [f"persistence_location {self._folder}/", "autosave_interval 0"]
        if os.geteuid() == 0:
            # Otherwise it becomes user "mosquitto", who cannot read these files again on SIGHUP.
            lines.append("user root")
        lines += [f"listener {internal} 127.0.0.1", f"listener {port} {self.host}"]
        if self._tls:
            lines += [f"certfile {self._tls.chain}", f"keyfile {self._tls.key}"]
        return lines

    def _read_log(self, process: subprocess.Popen[str]) -> None:
        with process.stderr:
            for line in process.stderr:
                with self._logged:
                    self.log.append(line.rstrip("\n"))
                    self._reloads += "Reloading config." in line
                    self.connects += "New client connected" in line
                    self._logged.notify_all()
        with self._logged:
            self._logged.notify_all()

    def wait_log(self, pattern: str, timeout: float) -> bool:
        """Wait for a log line that matches; False when it never came or the process ended."""
        found = re.compile(pattern).search
        with self._logged:
            return self._logged.wait_for(
                lambda: any(map(found, self.log)) or self._process.poll() is not None, timeout
            ) and any(map(found, self.log))

    def set_user(self, name: str, password: str, rights: Rights, apply: bool = True) -> None:
        """Add or replace an account; returns when the broker knows it."""
        if re.search(r"[:\x00-\x1f]", name + "".join(topic for _, topic in rights)):
            raise ValueError("mosquitto cannot hold this account's name or topics")
        with self._logged:
            self._users[name] = (password_hash(password), rights)
        self._change(apply)

    def set_rights(self, name: str, rights: Rights) -> None:
        """Replace what an account may do; nothing happens when there is none."""
        with self._logged:
            if name not in self._users:
                return
            self._users[name] = (self._users[name][0], rights)
        self._change(True)

    def remove_user(self, name: str) -> None:
        """Remove an account; mosquitto closes its connection."""
        with self._logged:
            if self._users.pop(name, None) is None:
                return
        self._change(True)

    def _change(self, apply: bool) -> None:
        with self._logged:
            self._wanted += 1
            mine = self._wanted
        if apply and self._process and self._process.poll() is None:
            with self._writing:
                # One reload serves all who changed something before it.
                if self._applied < mine:
                    self._reload()

    def _reload(self) -> None:
        with self._logged:
            target, seen = self._wanted, self._reloads
            self._write_users()
        self._process.send_signal(signal.SIGHUP)
        self._nudge()
        with self._logged:
            # mosquitto has one thread: what comes after this line meets the new files.
            self._logged.wait_for(
                lambda: self._reloads > seen or self._process.poll() is not None, stretched(5)
            )
        self._applied = target

    def _nudge(self) -> None:
        # mosquitto blocks signals while it waits for traffic, up to 100 ms: give it some.
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.internal_port), 0.1).close()

    def _write_users(self) -> None:
        users = self._users.items()
        _replace(self._folder / "passwords", [f"{name}:{hashed}" for name, (hashed, _) in users])
        acl = []
        for name, (_, rights) in users:
            acl += [f"user {name}", *(f"topic {right} {topic}" for right, topic in rights)]
        _replace(self._folder / "acl", acl)

    def hang(self) -> None:
        """Stop answering while the connections stay open (SIGSTOP)."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Answer again after `hang()`."""
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stop and start on the same ports; without persistence retained messages are lost."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """End the process."""
        process = self._process
        if process is None:
            return
        if process.poll() is not None:
            keeper.forget(process.pid)
            return
        process.send_signal(signal.SIGCONT)
        process.terminate()
        self._nudge()
        try:
            process.wait(stretched(5))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(stretched(5))
        self._reader.join(stretched(5))
        keeper.forget(process.pid)


def _replace(path: Path, lines: list[str]) -> None:
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text("\n".join(lines) + "\n")
    fresh.replace(path)
