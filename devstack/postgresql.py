"""A PostgreSQL cluster of our own; as root it runs as the user `postgres`, which it insists on."""

from __future__ import annotations

import grp
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from devstack.ports import Ports
from devstack.processes import Processes, Program, StartFailed, write_atomically

ADMIN = "postgres"
ELSEWHERE = Path("/var/lib/coffre")


@dataclass(frozen=True)
class PostgreSQL:
    """A running cluster."""

    port: int
    password: str

    def dsn(self, database: str = "postgres", user: str = ADMIN, password: str = "") -> str:
        """Gives the address of a database, for the administrator unless told."""
        return f"postgresql://{user}:{password or self.password}@127.0.0.1:{self.port}/{database}"


def binaries() -> Path | None:
    """Gives the folder of the newest installed server (15 or later), or None."""
    found = [
        path.parent
        for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")
        if path.parts[4].isdecimal() and int(path.parts[4]) >= 15
    ]
    return max(found, key=lambda path: int(path.parts[4]), default=None)


def start(
    processes: Processes, folder: Path, password: str, free: Ports, *, durable: bool
) -> PostgreSQL:
    """Starts the cluster, made first where there is none; without `durable` it never syncs."""
    programs = binaries()
    if programs is None:
        raise StartFailed("PostgreSQL isn't installed: the package is called postgresql.")
    user = ADMIN if os.geteuid() == 0 else None
    place = _place(folder, user)
    _make_cluster(programs, place, password, user)
    cluster = PostgreSQL(free.choose("postgresql"), password)
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(cluster.port),
        "unix_socket_directories": "",
        "max_connections": "300",
        "shared_buffers": "128MB",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_min_messages": "warning",
    }
    if not durable:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    processes.start(
        Program(
            name="postgresql",
            argv=[str(programs / "postgres"), "-D", str(place), *options],
            environ=_environment(),
            cwd=place,
            log=folder.parent / "logs" / "postgresql.log",
            user=user,
            stop_signal=signal.SIGINT,
            stop_seconds=30,
        )
    )
    ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(cluster.port)]
    processes.wait_ready("postgresql", lambda: subprocess.call(ready, env=_environment()) == 0)
    return cluster


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


def _place(folder: Path, user: str | None) -> Path:
    """Gives the folder for the cluster: elsewhere, behind a link, if `user` can't reach ours."""
    if folder.is_symlink() and folder.exists():
        return folder.resolve()
    if user is None or folder.is_dir() or _can_reach(folder.parent, user):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _give(folder, user)
        return folder
    place = ELSEWHERE / secrets.token_hex(8)
    place.mkdir(parents=True, mode=0o700)
    ELSEWHERE.chmod(0o755)
    _give(place, user)
    folder.unlink(missing_ok=True)
    folder.symlink_to(place)
    return place


def _give(folder: Path, user: str | None) -> None:
    if user is not None:
        shutil.chown(folder, user, user)


def _can_reach(folder: Path, user: str) -> bool:
    """Says whether the user may pass through the folder and all those above it."""
    uid = pwd.getpwnam(user).pw_uid
    groups = {group.gr_gid for group in grp.getgrall() if user in group.gr_mem}
    groups.add(pwd.getpwnam(user).pw_gid)
    for part in (folder.resolve(), *folder.resolve().parents):
        stat = part.stat()
        shift = 6 if stat.st_uid == uid else 3 if stat.st_gid in groups else 0
        if not stat.st_mode >> shift & 0o1:
            return False
    return True


def _make_cluster(programs: Path, place: Path, password: str, user: str | None) -> None:
    if (place / "PG_VERSION").exists():
        return
    secret = place.with_name(f"{place.name}.password")
    write_atomically(secret, password)
    _give(secret, user)
    arguments = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    try:
        subprocess.run(
            [
                str(programs / "initdb"),
                f"--pgdata={place}",
                f"--username={ADMIN}",
                f"--pwfile={secret}",
                *arguments,
            ],
            check=True,
            capture_output=True,
            env=_environment(),
            cwd=place,
            user=user,
            group=user,
            extra_groups=[] if user else None,
        )
    except subprocess.CalledProcessError as error:
        raise StartFailed(f"initdb failed:\n{error.stderr.decode(errors='replace')}") from error
    finally:
        secret.unlink()
