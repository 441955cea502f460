"""Command line: `python -m libs.devstack servers --dir D`."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
from pathlib import Path

from libs.devstack import lease, servers
from libs.devstack.processes import (
    Processes,
    StartFailed,
    Stopping,
    end_leftovers,
    write_atomically,
)


def run_servers(folder: Path, *, shared: bool) -> int:
    """Runs the bare servers in the foreground; prints one JSON line once all are ready.

    When `shared`, ends and removes the folder as soon as nobody holds a lease on it.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    end_leftovers(folder)
    processes = Processes(folder)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: processes.stopping.set())
    status = 0
    try:
        text = json.dumps(servers.start(processes, folder, durable=False).describe())
        write_atomically(folder / lease.READY, text)
        print(text, flush=True)
        while not processes.stopping.wait(1):
            if shared and lease.is_unused(folder):
                break
    except Stopping:
        pass
    except StartFailed as failure:
        print(failure, file=sys.stderr)
        status = 1
    finally:
        processes.close(at_once=True)
        (folder / lease.READY).unlink(missing_ok=True)
        if shared and not status:
            shutil.rmtree(folder, ignore_errors=True)
    return status


def main() -> int:
    """Reads the command line and does it."""
    parser = argparse.ArgumentParser(prog="python -m libs.devstack")
    commands = parser.add_subparsers(dest="command", required=True)
    bare = commands.add_parser("servers", help="run the servers alone, in the foreground")
    bare.add_argument("--dir", type=Path, required=True)
    bare.add_argument("--shared", action="store_true", help="end when the last lease is given back")
    arguments = parser.parse_args()
    return run_servers(arguments.dir, shared=arguments.shared)


if __name__ == "__main__":
    sys.exit(main())
