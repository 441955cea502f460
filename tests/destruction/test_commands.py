"""What an operator does by hand before the first destruction: the key, and a second operator."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

from libs.shared import certificates
from tests.destruction.firm import Firm
from tests.world import forks


def test_a_key_is_made_once_and_both_halves_fit(tmp_path: Path) -> None:
    private, public = tmp_path / "key", tmp_path / "key.pem"
    words = ("certificate-key", "--private", str(private), "--public", str(public))
    made = forks.run("retention", *words, env={})
    assert made.returncode == 0, made.stderr
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    notary = certificates.read_notary(private)
    assert certificates.open_signed(notary.sign({"a": 1}), public.read_bytes())["a"] == 1
    again = forks.run("retention", *words, env={})
    assert again.returncode == 1
    assert "is there already" in again.stderr
    assert certificates.read_notary(private).key_id == notary.key_id


async def test_a_second_operator_is_let_in(firm: Firm, database: Any) -> None:
    words = ("operator", "--name", "Nora", "--email", "nora@provider.example")
    environ = {"COFFRE_DATABASE_URL": database.dsn("portal")}
    made = forks.run("portal", *words, env=environ)
    assert made.returncode == 0, made.stderr
    password = re.sub(r"\s+$", "", made.stdout).rpartition(": ")[2]
    body = {"email": "nora@provider.example", "password": password}
    async with firm.portal.client() as api:
        chosen = "il neige sur Brest ce soir"
        changed = await api.post("/api/v1/password", json={**body, "new_password": chosen})
        assert changed.status_code == 204, changed.text
        answer = await api.post("/api/v1/tokens", json={**body, "password": chosen})
    assert answer.json()["role"] == "operator"
    twice = forks.run("portal", *words, env=environ)
    assert twice.returncode == 1
    assert "already has an account" in twice.stderr
