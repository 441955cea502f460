"""Who this machine is to the server: the token, and beside it the tenant's chunk key."""

from __future__ import annotations

import json
import os
import platform
import socket
import stat
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from agent import __version__
from agent.config import Config
from agent.platforms import private
from agent.server.connection import Connection
from agent.telling.failures import ENROL_FIRST, NotAuthorised, Problem, Unreachable, UsageError
from libs.shared.words import explanations

PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Identity:
    """What enrolment gave us."""

    server: str
    agent_id: str
    tenant_id: str
    chunk_key: str
    token: str
    former_chunk_keys: tuple[str, ...] = ()

    @property
    def chunk_key_bytes(self) -> bytes:
        """The 32 bytes that name and cut this tenant's new chunks."""
        return bytes.fromhex(self.chunk_key)

    @property
    def chunk_keys(self) -> list[bytes]:
        """All that ever named chunks of ours, the present one first."""
        return [bytes.fromhex(key) for key in (self.chunk_key, *self.former_chunk_keys)]


def identity_file(token_file: Path) -> Path:
    """Beside the token, which stays alone in its file."""
    return token_file.with_name(token_file.name + ".identity.json")


def enrol(
    config: Config, server: str, code: str, on_wait: Callable[[str], None] | None = None
) -> Identity:
    """Exchange a one-time code for a token and keep both files readable by us alone.

    on_wait: is told of a server that doesn't answer; a person sits there, so not for long.
    """
    check_writable(config.token_file)
    connection = Connection(
        server,
        ca_file=config.ca_file,
        proxy=config.proxy,
        patience_seconds=PATIENCE_SECONDS,
        on_wait=on_wait or _say_aloud,
    )
    request = {
        "code": code.strip(),
        "hostname": socket.gethostname(),
        "platform": _system(),
        "agent_version": __version__,
    }
    try:
        answer = connection.call_json("POST", "/v1/enrolments", request, retry=False).json()
    except Problem as problem:
        if problem.status == 401:
            raise NotAuthorised(problem.detail, problem.detail) from problem
        raise
    except Unreachable as error:
        raise Unreachable(error.reason, explanations.say(error.reason)) from error
    identity = Identity(
        server=connection.url,
        agent_id=answer["agent_id"],
        tenant_id=answer["tenant_id"],
        chunk_key=answer["chunk_key"],
        token=answer["token"],
    )
    _keep(config, identity)
    write_private(config.token_file, identity.token + "\n")
    return identity


def _system() -> str:
    """What this machine runs, in a few words: Debian GNU/Linux 12 (bookworm), x86_64."""
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = " ".join(filter(None, (platform.system(), platform.release())))
    return f"{name}, {platform.machine()}"[:200]


def renew(config: Config, identity: Identity, chunk_key: str) -> Identity:
    """Keep another chunk key that the server gave, and those from before beside it."""
    bytes.fromhex(chunk_key)
    former = [key for key in (identity.chunk_key, *identity.former_chunk_keys) if key != chunk_key]
    renewed = replace(identity, chunk_key=chunk_key, former_chunk_keys=tuple(former))
    _keep(config, renewed)
    return renewed


def _keep(config: Config, identity: Identity) -> None:
    kept = asdict(identity)
    del kept["token"]
    write_private(identity_file(config.token_file), json.dumps(kept, indent=2) + "\n")


def _say_aloud(sentence: str) -> None:
    print(f"coffre-agent: {sentence}", file=sys.stderr, flush=True)


def load(config: Config, say: Callable[[str], None] = _say_aloud) -> Identity:
    """Who we are; NotAuthorised with what to do where this machine is not enrolled.

    Files that others may read are made private again, and `say` is told; refused if they can't be.
    """
    file = identity_file(config.token_file)
    for secret in (config.token_file, file):
        _keep_private(secret, say)
    try:
        token = config.token_file.read_text().strip()
        kept = json.loads(file.read_text())
        identity = Identity(token=token, **kept)
        assert all(identity.chunk_keys)
    except FileNotFoundError as error:
        raise NotAuthorised(f"This machine is not enrolled. {ENROL_FIRST}") from error
    except PermissionError as error:
        raise UsageError(
            f"{error.filename} can't be read: run as the user who enrolled."
        ) from error
    except (ValueError, TypeError) as error:
        raise NotAuthorised(f"{file} is damaged. {ENROL_FIRST}") from error
    if not token:
        raise NotAuthorised(f"{config.token_file} is empty. {ENROL_FIRST}")
    return identity


def _keep_private(file: Path, say: Callable[[str], None]) -> None:
    if os.name != "posix":
        return
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError:
        return  # reading it tells why
    if not mode & 0o077:
        return
    try:
        file.chmod(0o600)
    except OSError as error:
        raise UsageError(
            f"{file} can be read by others (mode {mode:04o}) and can't be changed: chmod 600 it."
        ) from error
    say(
        f"{file} could be read by others (mode {mode:04o}) and is private again. "
        "If someone may have read it, ask your provider to enrol this machine anew."
    )


def check_writable(file: Path) -> None:
    """Refuse before a one-time code is used up for a token that can't be kept."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        trial = file.with_name(f".{file.name}.trial")
        write_private(trial, "")
        trial.unlink()
    except OSError as error:
        raise UsageError(f"token_file {file} can't be written: {error.strerror}.") from error


def write_private(file: Path, text: str) -> None:
    """Replace a file as a whole, readable by us alone from its first byte."""
    beside = file.with_name(f".{file.name}.new")
    beside.unlink(missing_ok=True)
    # With O_EXCL no symlink is followed either.
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        private.keep_from_others(beside)
        opened.write(text)
        opened.flush()
        os.fsync(descriptor)
    beside.replace(file)
