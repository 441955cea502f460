"""The portal hands out the agent: what was signed, to anybody, with the lines to paste."""

from __future__ import annotations

import asyncio
import hashlib
import html
import re
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from release import signing
from services.portal.__main__ import build
from services.portal.rules.packages import File, Release, blocks
from tests.portal import builder
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD, Portal, open_portal
from tests.portal.test_pages import browser, form_token, sign_in

FILES = {
    "coffre-agent_0.3.0_amd64.deb": b"a package of Debian",
    "coffre-agent-0.3.0-linux-x86_64": b"#!/bin/sh\necho an agent\n",
    "notes.txt": b"not for anybody",
}


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder as `./run package` leaves it."""
    folder = tmp_path / "dist"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    (folder / "release.json").write_text('{"version": "0.3.0", "glibc": "2.28"}')
    signing.sign(folder, signing.open_key(tmp_path / "key.pem", make=True))
    sums = (folder / "SHA256SUMS").read_text().splitlines(keepends=True)
    (folder / "SHA256SUMS").write_text("".join(line for line in sums if "notes" not in line))
    return folder


@pytest.fixture
async def handing_out(
    database: Any, servers: Any, bucket: str, tmp_path: Path, packages: Path
) -> AsyncIterator[Portal]:
    async with open_portal(database, servers, bucket, tmp_path, agent_folder=packages) as portal:
        yield portal


async def code_page(portal: Portal) -> str:
    """What an operator sees who makes a code for a machine."""
    tenant = (await builder.open_client(portal)).tenant_id
    async with browser(portal) as page:
        await sign_in(page, OPERATOR_EMAIL, OPERATOR_PASSWORD)
        form = await page.get(f"/clients/{tenant}")
        answer = await page.post(
            f"/clients/{tenant}/enrolments",
            data={"form_token": form_token(form.text), "key": str(uuid4()), "label": "Caisse <1>"},
        )
    assert answer.status_code == 200
    return answer.text


async def test_anybody_gets_what_was_signed_and_nothing_beside_it(handing_out: Portal) -> None:
    async with handing_out.client() as anybody:
        for name in ("coffre-agent_0.3.0_amd64.deb", "coffre-agent-0.3.0-linux-x86_64"):
            answer = await anybody.get(f"/agent/{name}")
            assert (answer.status_code, answer.content) == (200, FILES[name])
            assert answer.headers["content-type"] == "application/octet-stream"
            assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
            head = await anybody.head(f"/agent/{name}")
            assert (head.headers["content-length"], head.content) == (str(len(FILES[name])), b"")
        listed = (await anybody.get("/agent/SHA256SUMS")).text
        for name in ("SHA256SUMS.sig", "release-key.pem", "release.json"):
            assert (await anybody.get(f"/agent/{name}")).status_code == 200
        for name in ("notes.txt", "nothing", "..%2Fkey.pem", "%2e%2e/key.pem"):
            assert (await anybody.get(f"/agent/{name}")).status_code in (404, 307), name
        page = (await anybody.get("/agent", headers={"Accept-Language": "fr"})).text
    assert "Version 0.3.0" in page
    for line in listed.splitlines():
        digest, name = line.split("  ")
        assert digest in page, name


async def test_what_is_pasted_takes_the_agent_checks_it_and_starts_it(
    handing_out: Portal, tmp_path: Path
) -> None:
    text = await code_page(handing_out)
    assert "Caisse &lt;1&gt;" in text
    shown = [
        html.unescape(block) for block in re.findall(r"<pre[^>]*>(.*?)</pre>", text, re.DOTALL)
    ]
    code = re.search(r'class="code" id="code">([^<]+)<', text)
    assert code is not None
    assert all(code[1] in block for block in shown)
    # Debian's, any other Linux's, and the last for who has the agent.
    assert len(shown) == 3
    assert "dpkg -i ./coffre-agent_0.3.0_amd64.deb" in shown[0]
    started = shown[1].replace("as=$(command -v sudo)", "as=")
    assert started != shown[1]

    def paste() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", started], capture_output=True, text=True, check=False,
            env={"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip

    ended = await asyncio.to_thread(paste)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "an agent"
    # On the way somebody put another file in its place.
    folder = handing_out.parts.agent_folder
    assert folder is not None
    (folder / "coffre-agent-0.3.0-linux-x86_64").write_text("#!/bin/sh\necho something else\n")
    ended = await asyncio.to_thread(paste)
    assert ended.returncode != 0
    assert "something else" not in ended.stdout


async def test_a_portal_without_packages_says_so(portal: Portal, tmp_path: Path) -> None:
    async with portal.client() as anybody:
        told = await anybody.get("/agent/SHA256SUMS")
        assert (told.status_code, told.json()["type"]) == (404, "urn:coffre:problem:no-packages")
        page = await anybody.get("/agent", headers={"Accept-Language": "fr"})
    assert "ne propose pas les paquets" in page.text
    text = await code_page(portal)
    assert "ne propose pas les paquets" in text
    assert "coffre-agent setup --server" in text
    assert build(replace(portal.parts, agent_folder=tmp_path / "not there"))


async def test_an_agent_at_the_portals_door_is_led_on(portal: Portal) -> None:
    async with portal.client() as agent:
        for method, path in (("POST", "/v1/enrolments"), ("GET", "/v1/plans/x/entries")):
            told = await agent.request(method, path, json={"code": "x"})
            assert told.status_code == 421
            assert told.json()["detail"] == (
                "This is the portal; the agent's address is http://127.0.0.1:1."
            )


def test_blocks_quote_what_a_shell_would_read_otherwise() -> None:
    digest = hashlib.sha256(b"").hexdigest()
    release = Release("1.0", "2.28", (File("a-windows-x86_64.zip", 1, digest),))
    (block,) = blocks(release, "https://portal.example", "https://in.example/a b", "x;y")
    assert block.system == "windows"
    assert "--server 'https://in.example/a b' --portal https://portal.example --code 'x;y'" in (
        block.text
    )
    assert (
        urlsplit(re.findall(r"https://\S+zip", block.text)[0]).path
        == f"/agent/{release.files[0].name}"
    )
