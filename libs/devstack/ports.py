"""Free ports on 127.0.0.1."""

from __future__ import annotations

import random
import socket

FIRST, LAST = 20_000, 32_000  # below the range from which the kernel takes outgoing ports


def is_free(port: int) -> bool:
    """Says whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose(usual: int | None = None, *, taken: set[int] | None = None) -> int:
    """Gives the usual port when it is free, else a free one at random.

    What is chosen is added to `taken`, so that ports chosen before anyone listens differ.
    """
    taken = set() if taken is None else taken
    candidates = [usual] if usual is not None else []
    candidates += random.sample(range(FIRST, LAST), 200)
    for port in candidates:
        if port not in taken and is_free(port):
            taken.add(port)
            return port
    raise RuntimeError(f"no free port was found between {FIRST} and {LAST}")


def answers(port: int) -> bool:
    """Says whether somebody listens on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
