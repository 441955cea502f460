"""How each kind of dump is called: its program, its environment and the mark at its end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

from agent.config import Dump
from agent.dumps.streams import DumpFailed, private_file, unwritable
from agent.programs import processes
from agent.server.identity import write_private
from agent.telling import oserrors
from libs.shared.reasons import Reason

EXTENSIONS = {"postgresql": ".sql", "mysql": ".sql", "sqlite": ".sqlite", "command": ".dump"}
_MYSQL_OPTIONS = (
    "--single-transaction",  # one snapshot, without locking writers out
    "--quick",
    "--routines",
    "--events",
    "--triggers",
    "--hex-blob",
    "--no-tablespaces",
    "--comments",  # the end mark is one
    "--skip-dump-date",  # equal content is an equal dump
    "--default-character-set=utf8mb4",
)


@dataclass(frozen=True)
class Recipe:
    """A program to run for a dump.

    end_mark: must stand in the last bytes of its output; None where the program has none.
    head_mark: its output must begin so.
    check: a program that reads the whole dump and fails where it is damaged.
    secrets: texts that must never be told.
    """

    argv: tuple[str, ...]
    environ: dict[str, str] = field(default_factory=dict)
    end_mark: bytes | None = None
    head_mark: bytes = b""
    check: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


def file_name(dump: Dump) -> str:
    """The name of a dump's file in the folder of dumps."""
    if dump.kind == "postgresql" and dump.format == "custom":
        return dump.name + ".dump"
    return dump.name + EXTENSIONS[dump.kind]


@contextmanager
def prepare(dump: Dump, private_folder: Path) -> Iterator[Recipe]:
    """The recipe of a dump that a program makes; what it needs on disk is removed afterwards."""
    if dump.kind == "postgresql":
        yield _postgresql(dump, private_folder)
    elif dump.kind == "mysql":
        with _mysql_secret(dump, private_folder) as (options, secrets):
            yield _mysql(dump, options, secrets)
    else:
        mark = None if dump.end_mark is None else dump.end_mark.encode()
        yield Recipe(dump.command, end_mark=mark)


def _postgresql(dump: Dump, private_folder: Path) -> Recipe:
    environ = {"PGCONNECT_TIMEOUT": os.environ.get("PGCONNECT_TIMEOUT", "30")}
    password = _password(dump)
    if password is not None:
        environ["PGPASSWORD"] = password
    argv = [_find("pg_dump"), "--no-password", f"--format={dump.format}"]
    if dump.format == "custom":
        # Uncompressed, so that what is unchanged is found again; chunks are compressed anyway.
        argv.append("--compress=0")
    elif (key := _restrict_key(argv[0], private_folder)) is not None:
        argv.append(f"--restrict-key={key}")
    argv += _place(dump, "--username")
    argv.append(f"--dbname={dump.database}")
    secrets = () if password is None else (password,)
    if dump.format == "custom":
        check = (_find("pg_restore"), f"--file={os.devnull}")
        return Recipe(tuple(argv), environ, head_mark=b"PGDMP", check=check, secrets=secrets)
    mark = b"-- PostgreSQL database dump complete"
    return Recipe(tuple(argv), environ, end_mark=mark, secrets=secrets)


def _restrict_key(program: str, private_folder: Path) -> str | None:
    """What this pg_dump shall write into its dump against commands in the data, if it does.

    By itself it takes another one each time, and each night's dump would be a new version. Nobody
    who writes data may know it: it is kept beside what is remembered of the plans.
    """
    asked = processes.start([program, "--help"], {}, stderr=subprocess.DEVNULL)
    with asked:
        told, _ = asked.communicate()
    if b"--restrict-key" not in told:
        return None
    file = private_folder.parent / "restrict-key"
    with suppress(OSError, UnicodeDecodeError):
        key = file.read_text("ascii").strip()
        if len(key) == 32 and key.isalnum():
            return key
    key = token_hex(16)
    try:
        write_private(file, key + "\n")
    except OSError:
        return None
    return key


def _mysql(dump: Dump, options: tuple[str, ...], secrets: tuple[str, ...]) -> Recipe:
    program = processes.find("mariadb-dump") or _find("mysqldump")
    argv = [program, *options, *_MYSQL_OPTIONS, *_place(dump, "--user"), "--", str(dump.database)]
    return Recipe(tuple(argv), end_mark=b"-- Dump completed", secrets=secrets)


def _place(dump: Dump, user_option: str) -> list[str]:
    given = (("--host", dump.host), ("--port", dump.port), (user_option, dump.user))
    return [f"{option}={value}" for option, value in given if value is not None]


@contextmanager
def _mysql_secret(
    dump: Dump, private_folder: Path
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The option that names a file with the password, readable by us alone."""
    password = _password(dump)
    if password is None:
        yield (), ()
        return
    quoted = password.replace("\\", "\\\\").replace('"', '\\"')
    with private_file(private_folder, ".mysql-") as name:
        try:
            Path(name).write_text(f'[client]\npassword="{quoted}"\n')
        except OSError as error:
            raise unwritable(private_folder, error) from error
        yield (f"--defaults-extra-file={name}",), (password,)


def _password(dump: Dump) -> str | None:
    if dump.password_file is None:
        return None
    try:
        password = dump.password_file.read_text("utf-8-sig").rstrip("\r\n")
    except OSError as error:
        file, words = str(dump.password_file), oserrors.words_of(error)
        raise DumpFailed(Reason("dump-password-unreadable", file, detail=words)) from error
    except UnicodeDecodeError:
        password = ""
    if not password or "\n" in password or "\0" in password:
        raise DumpFailed(Reason("dump-password-invalid", str(dump.password_file)))
    return password


def _find(program: str) -> str:
    found = processes.find(program)
    if found is None:
        raise DumpFailed(Reason("dump-program-missing", program))
    return found
