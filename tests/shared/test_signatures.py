"""The keys of events as files, and what administrators do with them by command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from libs.shared import bus, signatures
from libs.shared.keys import KeyFileInvalid
from libs.shared.signatures import Signer
from tests.servers import AMQP_PASSWORDS
from tests.shared.conftest import volume
from tests.shared.deliveries import delivery, signed
from tests.world.senders import SIGNERS, write_keys

ROOT = Path(__file__).parents[2]


def command(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_public_keys_are_read_from_a_folder_two_of_a_sender_at_most(tmp_path: Path) -> None:
    write_keys(tmp_path)
    new = Signer("ingest", bytes(32))
    path = signatures.public_file(tmp_path, "ingest")
    old_line, new_line = path.read_text(), new.public_key.hex()
    path.write_text(f"{old_line}\n{new_line}\n")
    senders = signatures.read_senders(tmp_path)
    for signer in (SIGNERS["ingest"], new):
        assert senders.knows(signer)
        senders.check(signed(delivery(volume(1)), signer))
    for wrong in ("", "00" * 31, "zz" * 32, f"{old_line}\n{new_line}\n{new_line}"):
        path.write_text(wrong)
        with pytest.raises(KeyFileInvalid, match=r"ingest\.pub"):
            signatures.read_senders(tmp_path)
    path.unlink()
    with pytest.raises(KeyFileInvalid, match=r"ingest\.pub"):
        signatures.read_senders(tmp_path)


def test_a_service_whose_public_key_nobody_knows_does_not_start(tmp_path: Path) -> None:
    write_keys(tmp_path)
    key = tmp_path / "new-key"
    key.touch(mode=0o600)
    key.write_text("11" * 32)
    environ = {
        "COFFRE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x",
        "COFFRE_AMQP_URL": "amqp://nobody@127.0.0.1:1/",
        "COFFRE_EVENT_KEY_FILE": str(key),
        "COFFRE_EVENT_SENDERS_DIR": str(tmp_path),
    }
    ended = command("services.quota", **environ)
    assert (ended.returncode, "quota.pub lacks the public key" in ended.stderr) == (2, True)

    told = command("services.quota", "event-key", **environ)
    assert (told.returncode, told.stdout) == (
        0,
        Signer("quota", b"\x11" * 32).public_key.hex() + "\n",
    )
    key.write_text("no key")
    told = command("services.quota", "event-key", **environ)
    assert (told.returncode, told.stdout, "new-key" in told.stderr) == (2, "", True)


def test_the_brokers_definitions_by_command(tmp_path: Path) -> None:
    for service, password in AMQP_PASSWORDS.items():
        (tmp_path / bus.account_of(service)).write_text(password + "\n")
    told = command("libs.shared.bus", str(tmp_path), "coffre")
    assert json.loads(told.stdout) == bus.definitions(AMQP_PASSWORDS, "coffre")
    (tmp_path / "coffre_quota").unlink()
    told = command("libs.shared.bus", str(tmp_path))
    assert (told.returncode, "coffre_quota" in told.stderr) == (2, True)
