"""A certificate checked at a terminal, with no portal, no sign-in and nothing of ours running."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from libs.shared.certificates import FORMAT, Notary
from tests.operators.conftest import Coffre

CONTENT: dict[str, Any] = {
    "format": FORMAT,
    "client": {"name": "Dupré & Fils", "tenant_id": "5f0c7a3e-1c55-4d7b-9d7e-5c1b1a6c0001"},
    "subscription": {"ended_at": "2026-11-22T17:00:00Z"},
    "destroyed": {"objects": 31, "bytes": 4096, "merkle_root": "ab" * 32},
    "begun_at": "2026-12-22T17:00:00Z",
    "completed_at": "2026-12-22T18:00:00Z",
}


async def test_a_certificate_proves_itself_offline(bare: Coffre, tmp_path: Path) -> None:
    notary = Notary(bytes(range(32)))
    document, key = tmp_path / "certificate.json", tmp_path / "key.pem"
    document.write_text(notary.sign(CONTENT), encoding="utf-8")
    key.write_bytes(notary.public_pem)
    verify = ("certificate", "verify", str(document), "--key", str(key))
    proven = await bare(*verify)
    assert (proven.code, "31 objects" in proven.out) == (0, True)
    assert (await bare(*verify, "--json")).json()["proven"] == proven.out.strip()

    document.write_text(notary.sign(CONTENT).replace("4096", "4095"), encoding="utf-8")
    altered = await bare(*verify)
    assert (altered.code, altered.out) == (1, "")
    assert "The signature does not fit" in altered.err
    document.write_text("no certificate", encoding="utf-8")
    assert (await bare(*verify)).code == 1
    document.write_text(notary.sign(CONTENT), encoding="utf-8")
    key.write_bytes(Notary(bytes(32)).public_pem)
    assert (await bare(*verify)).code == 1
    missing = await bare("certificate", "verify", str(tmp_path / "nothing"), "--key", str(key))
    assert missing.code == 2
