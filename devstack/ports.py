"""Ports on 127.0.0.1: usual ones when free, the same at each start, never one in use."""

from __future__ import annotations

import fcntl
import json
import os
import random
import socket
import tempfile
import threading
from pathlib import Path
from typing import IO

FIRST, LAST = 20_000, 32_000  # below the range from which the kernel takes outgoing ports


class Ports:
    """The ports of one stack by name, remembered in `ports.json` of its folder.

    A port is ours from its choice on, also against stacks that start at the same moment:
    we hold a lock on a file named after it for as long as we live.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ports.json"
        self._lock = threading.Lock()
        self._chosen: dict[str, int] = {}
        self._reserved: list[IO[str]] = []
        try:
            self._before: dict[str, int] = json.loads(self._file.read_text())
        except (OSError, ValueError):
            self._before = {}

    def choose(self, name: str, usual: int | None = None) -> int:
        """Gives the usual port, that of the last time, or any: the first of them that is free."""
        candidates = [port for port in (usual, self._before.get(name)) if port is not None]
        candidates += random.sample(range(FIRST, LAST), 200)
        with self._lock:
            for port in candidates:
                if port not in self._chosen.values() and is_free(port) and self._reserve(port):
                    self._chosen[name] = port
                    self._file.write_text(json.dumps(self._before | self._chosen, indent=1))
                    return port
        raise RuntimeError(f"no free port was found between {FIRST} and {LAST}")

    def _reserve(self, port: int) -> bool:
        folder = Path(tempfile.gettempdir()) / f"coffre-ports-{os.getuid()}"
        folder.mkdir(exist_ok=True, mode=0o700)
        door = (folder / str(port)).open("a")
        try:
            fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            door.close()
            return False
        self._reserved.append(door)
        return True

    def close(self) -> None:
        """Gives the ports back."""
        for door in self._reserved:
            door.close()


def is_free(port: int) -> bool:
    """Says whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Says whether somebody listens on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
