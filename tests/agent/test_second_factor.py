"""A restore by somebody whose sign-in has a second step."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2

from tests.world.clients import PASSWORD, Client
from tests.world.machines import Machine

FACTORS = "/account/second-factor"


def set_up(client: Client) -> list[str]:
    """Sets up an app by the portal's pages; returns the recovery codes."""
    import pyotp

    with httpx2.Client(
        base_url=client.house.url("portal"), follow_redirects=True, timeout=60
    ) as page:
        page.headers["Accept"] = "text/html"
        page.post("/sign-in", data={"email": client.email, "password": PASSWORD})
        [token, *_] = re.findall(r'name="form_token" value="(\w+)"', page.get(FACTORS).text)
        begin = {"form_token": token, "change": "begin-totp", "password": PASSWORD}
        begun = page.post(FACTORS, data=begin)
        [secret] = re.findall(r'<code class="once">([A-Z2-7]+)</code>', begun.text)
        form = {"form_token": token, "change": "confirm-totp", "code": pyotp.TOTP(secret).now()}
        return re.findall(r"<li><code>([a-z0-9-]+)</code>", page.post(FACTORS, data=form).text)


def test_a_restore_asks_for_the_code(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    assert machine.run()["outcome"] == "succeeded"
    codes = set_up(client)
    to = ("--to", str(tmp_path / "back"))
    asked = client.ask_restore(machine, *to)
    assert asked.returncode == 2, asked.stderr
    assert "COFFRE_CODE" in asked.stderr
    wrong = client.ask_restore(machine, *to, COFFRE_CODE="wrong-code")
    assert wrong.returncode == 21, wrong.stderr
    assert "used before" in wrong.stderr
    assert not (tmp_path / "back").exists()
    right = client.ask_restore(machine, *to, COFFRE_CODE=codes[0])
    assert right.returncode == 0, right.stderr
    assert any(one.is_file() for one in (tmp_path / "back").rglob("*"))
