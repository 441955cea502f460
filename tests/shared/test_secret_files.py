"""A secret that others on the machine can read is refused before it is used."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from libs.shared import secret_files
from libs.shared.secret_files import SecretFileInvalid
from tests.world import forks
from tests.world.files import write_secret
from tests.world.house import place_on

OURS = os.getegid()
NOT_OURS = max([OURS, *os.getgroups()]) + 4711


@pytest.mark.parametrize(
    ("mode", "group", "is_read"),
    [
        (0o400, OURS, True),
        (0o600, OURS, True),
        (0o440, OURS, True),
        (0o640, OURS, True),
        (0o644, OURS, False),
        (0o604, OURS, False),
        (0o666, OURS, False),
        (0o602, OURS, False),
        (0o600, NOT_OURS, True),
        (0o440, NOT_OURS, False),
        (0o640, NOT_OURS, False),
    ],
)
def test_who_may_read_a_secret(tmp_path: Path, mode: int, group: int, is_read: bool) -> None:
    path = write_secret(tmp_path / "key", " a secret \n")
    if group != OURS:
        try:
            os.chown(path, -1, group)
        except PermissionError:
            pytest.skip("only root gives files away")
    path.chmod(mode)
    link = tmp_path / "link"  # as secrets of containers are mounted
    link.symlink_to(path)
    if is_read:
        assert secret_files.read(link) == "a secret"
    else:
        with pytest.raises(SecretFileInvalid, match=r"link holds a secret, .* can open it"):
            secret_files.read(link)


def test_what_is_no_text_is_no_secret(tmp_path: Path) -> None:
    write_secret(tmp_path / "key", "").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "key", tmp_path, tmp_path / "missing"):
        with pytest.raises(SecretFileInvalid, match="can't be read as a secret"):
            secret_files.read(path)


@pytest.mark.parametrize(
    ("service", "secret"),
    [
        ("ingest", "master-key"),
        ("retention", "master-key"),
        ("portal", "master-key"),
        ("portal", "mail-key"),
        ("reporting", "mail-key"),
    ],
)
def test_a_service_says_which_of_its_secrets_is_open(
    servers: Any, tmp_path: Path, service: str, secret: str
) -> None:
    place = place_on(servers, tmp_path, "nowhere", "nowhere", "nowhere")
    environ = place.environment(service)
    path = tmp_path / "secrets" / secret
    path.chmod(0o644)
    ended = forks.run(service, env=environ)
    assert ended.returncode == 2, ended.stderr
    assert f"{path} holds a secret, and everybody on this machine can open it" in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
