"""Ports on 127.0.0.1: usual ones when free, the same at each start, never one in use."""

from __future__ import annotations

import json
import random
import socket
import threading
from pathlib import Path

FIRST, LAST = 20_000, 32_000  # below the range from which the kernel takes outgoing ports


class Ports:
    """The ports of one stack by name, remembered in `ports.json` of its folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ports.json"
        self._lock = threading.Lock()
        self._chosen: dict[str, int] = {}
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
                if port not in self._chosen.values() and is_free(port):
                    self._chosen[name] = port
                    self._file.write_text(json.dumps(self._before | self._chosen, indent=1))
                    return port
        raise RuntimeError(f"no free port was found between {FIRST} and {LAST}")


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
