"""The sign-in that `coffre login` keeps between commands, in a file for its owner alone."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import platformdirs

from operators.failures import UsageError


@dataclass(frozen=True)
class SignIn:
    """A token, and which portal it is for; it is shown to no other."""

    portal: str
    token: str
    expires_at: str


def place() -> Path:
    """Where the sign-in is kept."""
    return Path(platformdirs.user_config_dir("coffre", appauthor=False)) / "sign-in.json"


def load() -> SignIn | None:
    """The sign-in that was kept, if any; raises UsageError where it can't be read."""
    try:
        return SignIn(**json.loads(place().read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{place()} can't be read ({error}): remove it and sign in again.") from (
            error
        )


def keep(sign_in: SignIn) -> Path:
    """Replaces what was kept, in one step; says where."""
    file = place()
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(
            draft,
            "w",
            encoding="utf-8",
            opener=lambda name, flags: os.open(name, flags | os.O_EXCL, 0o600),
        ) as written:
            json.dump(asdict(sign_in), written)
        draft.replace(file)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise UsageError(f"The sign-in can't be kept in {file}: {error.strerror}.") from error
    return file


def forget() -> None:
    """Removes what was kept."""
    place().unlink(missing_ok=True)
