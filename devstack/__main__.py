"""Command line of the local installation; `./run` is its front door."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Literal

from devstack import control, lease, provider, say, servers, supervisor
from devstack.ports import Ports
from devstack.processes import (
    Processes,
    StartFailed,
    Stopping,
    end_leftovers,
    write_atomically,
)

DEFAULT_FOLDER = servers.ROOT / ".coffre"


def run_servers(folder: Path, *, shared: bool) -> int:
    """Runs the bare servers in the foreground; prints one JSON line once all are ready.

    When `shared`, ends and removes the folder as soon as nobody holds a lease on it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    end_leftovers(folder)
    free = Ports(folder)
    processes = Processes(folder)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: processes.stopping.set())
    status = 0
    try:
        ready = servers.start(processes, folder, free, durable=False)
        text = json.dumps(ready.describe())
        write_atomically(folder / lease.READY, text)
        print(text, flush=True)
        while not processes.stopping.wait(1):
            if shared and lease.is_unused(folder):
                break
    except Stopping:
        pass
    except StartFailed as failure:
        say.failure(str(failure))
        status = 1
    finally:
        processes.close(at_once=True)
        free.close()
        (folder / lease.READY).unlink(missing_ok=True)
        if shared and not status:
            shutil.rmtree(folder, ignore_errors=True)
    return status


def parser() -> argparse.ArgumentParser:
    """Describes the command line."""
    top = argparse.ArgumentParser(prog="./run")
    commands = top.add_subparsers(dest="command", required=True)

    def add(name: str, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument(
            "--dir", type=Path, default=DEFAULT_FOLDER, help="where its files are (.coffre)"
        )
        return command

    up = add("up", "start Coffre and keep it running until Ctrl-C")
    up.add_argument("--detach", action="store_true", help="go on in the background once it runs")
    up.add_argument("--no-demo", action="store_true", help="without the demonstration client")
    up.add_argument("--demo-folder", type=Path, help="the folder that the demonstration copies")
    up.add_argument(
        "--store",
        choices=("s3", "file"),
        help="where copies are stored: by SeaweedFS, an S3 server, or in a folder (as before; s3)",
    )
    up.add_argument("--end-with-parent", action="store_true", help=argparse.SUPPRESS)
    add("down", "stop the Coffre that runs in the background")
    add("status", "say what runs, and where")
    filled = add("demo", "fill the running installation with a provider's half year")
    filled.epilog = provider.EPILOG
    moved = add("clock", "move the time of the running installation, all services together")
    moved.add_argument("when", nargs="?", help="+31d, 2026-12-24T03:00 or reset; none: say it")
    logs = add("logs", "show the logs of one service or of all")
    logs.add_argument("service", nargs="?", help="portal, ingest, rabbitmq, supervisor, …")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as lines are added")
    bare = add("servers", "run the servers alone, in the foreground")
    bare.add_argument("--shared", action="store_true", help="end when the last lease is given back")
    return top


def _up(folder: Path, options: argparse.Namespace) -> int:
    demo_folder = options.demo_folder and options.demo_folder.resolve()
    if options.detach:
        passed = [f"--dir={folder}", *(["--no-demo"] if options.no_demo else [])]
        if options.store:
            passed.append(f"--store={options.store}")
        if demo_folder:
            passed.append(f"--demo-folder={demo_folder}")
        return control.up_detached(folder, passed)
    before: Literal["s3", "file"] = "file" if (folder / "store").exists() else "s3"
    chosen = supervisor.Options(
        folder,
        not options.no_demo,
        demo_folder,
        options.end_with_parent,
        before if options.store is None else options.store,
    )
    return supervisor.run(chosen)


def main(arguments: list[str] | None = None) -> int:
    """Reads the command line and does it; gives the exit status."""
    options = parser().parse_args(arguments)
    folder: Path = options.dir.resolve()
    match options.command:
        case "up":
            return _up(folder, options)
        case "down" | "status":
            return {"down": control.down, "status": control.status}[options.command](folder)
        case "demo":
            # What only this command needs takes seconds to import: all five services.
            return int(importlib.import_module("devstack.provider.command").run(folder))
        case "clock":
            return control.clock(folder, options.when)
        case "logs":
            return control.logs(folder, options.service, follow=options.follow)
        case _:
            return run_servers(folder, shared=options.shared)


if __name__ == "__main__":
    try:
        status = main()
    except BrokenPipeError:  # as after `./run logs | head -1`: shells give 141 for that
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 141
    sys.exit(status)
