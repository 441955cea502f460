"""A long line: what 30 ms of latency per round trip cost a first copy of 20,000 small files.

`python -m bench.line HOST:PORT` is the line itself: it prints its own port, and delays what comes.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from bench.coffre import Client, Installation

ROUND_TRIP_SECONDS = 0.030
FILES = 20_000
_PIECE_BYTES = 256 * 1024
_IN_FLIGHT_BYTES = 64 * 1024 * 1024


def measure(installation: Installation, folder: Path, rounds: int) -> dict[str, float]:
    """Seconds of a first copy near by and over the line, medians of `rounds` in turn."""
    tree = folder / "small-files"
    size_bytes = _write_tree(tree)
    url = str(installation.described["ingest"]["url"])
    near: list[float] = []
    far: list[float] = []
    with _line(urlsplit(url).netloc) as distant:
        for number in range(rounds):
            ways = [(near, url, "near"), (far, distant, "far")]
            for seconds, server, name in ways if number % 2 == 0 else reversed(ways):
                client = Client(installation, folder / f"{name}-{number}", tree, server)
                took, _ = client.run()
                seconds.append(took.seconds)
    return {
        "files": FILES,
        "bytes": size_bytes,
        "near_seconds": median(near),
        "far_seconds": median(far),
        "ratio": median(near) / median(far),
    }


def _write_tree(folder: Path) -> int:
    """Files of 1 to 20 kB of text, none of them twice; returns their bytes."""
    chance = random.Random(20_000)
    words = [chance.randbytes(4).hex() for _ in range(4_000)]
    size_bytes = 0
    for number in range(FILES):
        parent = folder / f"{number // 200:03}"
        if number % 200 == 0:
            parent.mkdir(parents=True, exist_ok=True)
        text = " ".join(chance.choices(words, k=chance.randint(110, 2_200))).encode()
        (parent / f"{number:05}.txt").write_bytes(text)
        size_bytes += len(text)
    return size_bytes


@contextmanager
def _line(target: str) -> Iterator[str]:
    command = [sys.executable, "-m", "bench.line", target]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as line:
        assert line.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(line.stdout.readline())}"
        finally:
            line.terminate()


async def _serve(target: str) -> None:
    host, _, port = target.partition(":")

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_delay(reader, onward[1]), _delay(onward[0], writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=_PIECE_BYTES)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def _delay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes bytes on in order, each half a round trip after it came; any number at a time."""
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_IN_FLIGHT_BYTES // _PIECE_BYTES)

    async def deliver() -> None:
        while True:
            due, piece = await under_way.get()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if not piece:
                return
            writer.write(piece)
            await writer.drain()

    delivery = asyncio.create_task(deliver())
    try:
        piece = b"to begin with"
        while piece:
            piece = await reader.read(_PIECE_BYTES)
            await under_way.put((time.monotonic() + ROUND_TRIP_SECONDS / 2, piece))
        await delivery
    except OSError:
        delivery.cancel()
    finally:
        writer.close()


if __name__ == "__main__":
    try:
        asyncio.run(_serve(sys.argv[1]))
    except KeyboardInterrupt:
        sys.exit(0)
