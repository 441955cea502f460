"""Machines as administrators have them: codes shown once and taken back, names asked for."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.shared import clock
from libs.shared.events import AgentEnrolled
from services.portal.rules.machines import name_platform, restore_command
from tests.portal import builder
from tests.portal.test_pages import PASSWORD, browser, form_token, sign_in


@pytest.mark.parametrize(
    ("platform", "name"),
    [
        ("Linux-6.18.44-fc-v782-x86_64-with-glibc2.36", "Linux 6.18"),
        ("Windows-2022Server-10.0.20348-SP0", "Windows Server 2022"),
        ("Windows-11-10.0.22631-SP0", "Windows 11"),
        ("macOS-14.5-arm64-arm-64bit", "macOS 14.5"),
        ("plan9", "plan9"),
    ],
)
def test_platforms_are_called_as_people_call_them(platform: str, name: str) -> None:
    assert name_platform(platform) == name


WINDOWS = r"""& "$env:ProgramFiles\coffre-agent\coffre-agent.exe" restore {plan}"""


def test_a_command_fits_the_shell_of_its_machine() -> None:
    plan = UUID(int=1)
    asked: dict[str, Any] = {"portal_url": "https://p.example", "email": "o'neil@x.example"}
    assert restore_command("Debian GNU/Linux 12 (bookworm), x86_64", plan, **asked) == (
        f"coffre-agent restore {plan} --portal https://p.example"
        """ --email 'o'"'"'neil@x.example' --to /srv/restored"""
    )
    assert restore_command("", plan, **asked, run=7, number=2).endswith(
        " --run 7 --to /srv/restored/2"
    )
    for windows in ("Windows 11, AMD64", "Windows-2022Server-10.0.20348-SP0"):
        command = restore_command(windows, plan, **asked, run=7, number=2)
        assert command == WINDOWS.format(plan=plan) + (
            " --portal 'https://p.example' --email 'o''neil@x.example'"
            r" --run 7 --to C:\restored\2"
        )
    curled = restore_command("Windows 11, AMD64", plan, portal_url="", email="o’neil@x.example")
    assert "'o’’neil@x.example'" in curled  # to PowerShell, ’ ends a text as ' does


async def test_the_way_back_of_a_windows_machine_is_a_windows_one(portal: Any) -> None:
    client = await builder.open_client(portal)
    await client.commit({b"srv/a.txt": builder.text(b"a")})
    shown = "/search", f"/plans/{client.plan_id}/files?path=srv"
    async with browser(portal) as page:
        await sign_in(page, client.email, PASSWORD)
        for path in shown:
            text = (await page.get(path)).text
            assert "--to /srv/restored<" in text
            assert "PowerShell" not in text
        await portal.admin.execute(
            "UPDATE portal.agents SET platform = 'Windows 11, AMD64' WHERE agent_id = $1",
            client.agent_id,
        )
        for path in shown:
            text = unescape((await page.get(path)).text)
            assert WINDOWS.format(plan=client.plan_id) in text
            assert r"--to C:\restored<" in text
            assert "PowerShell" in text


async def test_a_code_is_shown_once_listed_and_taken_back(portal: Any) -> None:
    client = await builder.open_client(portal)
    ingest = await portal.ingest()
    async with browser(portal) as page:
        await sign_in(page, client.email, PASSWORD)
        form = {"form_token": form_token((await page.get("/account")).text)}
        asked = {**form, "key": str(uuid4()), "label": "srv-<b>"}
        shown = await page.post("/machines/codes", data=asked)
        assert shown.status_code == 200
        code = re.search(r'class="code" id="code">([^<]+)<', shown.text)
        assert code
        # It goes on when a machine has joined, not when one that joined before has run.
        asks = re.search(r'hx-get="(/pulse[^"]+)"', shown.text)
        assert asks
        pulse = unescape(asks.group(1))
        await client.add_run(1)
        assert "HX-Redirect" not in (await page.get(pulse)).headers
        # The page is loaded again: no other code.
        again = await page.post("/machines/codes", data=asked)
        assert again.status_code == 409
        assert code.group(1) not in again.text
        assert "srv-&lt;b&gt;" in again.text
        async with portal.client(client.token) as api:
            [opened] = (await api.get("/api/v1/machines")).json()["codes"]
        assert opened["label"] == "srv-<b>"
        withdrawn = await page.post(f"/machines/codes/{opened['enrolment_id']}/withdraw", data=form)
        assert withdrawn.status_code == 303
        assert "srv-&lt;b&gt;" not in (await page.get("/machines")).text
    wanted = {"code": code.group(1), "hostname": "srv", "platform": "linux"}
    async with browser(portal) as page:
        await sign_in(page, client.email, PASSWORD)
        await client.add_machine("srv-more", "more")
        assert (await page.get(pulse)).headers["HX-Redirect"] == "/machines"
    joined = await ingest.http().post("/v1/enrolments", json=wanted)
    assert joined.json()["type"].endswith("enrolment-code-invalid"), joined.text


async def test_a_machine_is_revoked_by_its_name_and_by_its_own_company(portal: Any) -> None:
    client = await builder.open_client(portal)
    other = await builder.open_client(portal, "lea@martin.example", "Menuiserie Martin")
    async with browser(portal) as page:
        await sign_in(page, other.email, PASSWORD)
        form = {"form_token": form_token((await page.get("/account")).text)}
        for path in (f"/machines/{client.agent_id}/revoke", f"/machines/codes/{uuid4()}/withdraw"):
            answer = await page.post(path, data={**form, "hostname": client.hostname})
            assert answer.status_code == 404
    async with portal.client(other.token) as api:
        foreign = await api.post(f"/api/v1/machines/{client.agent_id}/revoke")
        assert foreign.status_code == 404
    async with browser(portal) as page:
        await sign_in(page, client.email, PASSWORD)
        form = {"form_token": form_token((await page.get("/account")).text)}
        revoke = f"/machines/{client.agent_id}/revoke"
        assert client.hostname in (await page.get(revoke)).text
        wrong = await page.post(revoke, data={**form, "hostname": "another"})
        assert wrong.status_code == 422
        assert await portal.events("agent.revoked.v1") == []
        right = await page.post(revoke, data={**form, "hostname": client.hostname.upper()})
        assert right.status_code == 303
        assert "révoquée le" in (await page.get("/machines")).text
        again = await client.add_machine(client.hostname, client.plan_name)
        await again.add_run(1)
        home = unescape((await page.get("/")).text)
        assert "1 sauvegarde de machines retirées" in home
        assert "Votre serveur est sauvegardé." in home
    async with portal.client(client.token) as api:
        # One name, two plans: the machine that may still send is meant.
        [run] = (await api.get(f"/api/v1/plans/{client.plan_name}/runs")).json()["runs"]
        assert run["number"] == 1
    assert len(await portal.events("agent.revoked.v1")) == 1


async def test_a_new_machine_waits_without_hiding_that_others_are_backed_up(portal: Any) -> None:
    client = await builder.open_client(portal)
    await client.add_machine("srv-photos", "photos")
    async with browser(portal) as page:
        await sign_in(page, client.email, PASSWORD)
        assert "2 sauvegardes n’ont pas encore eu lieu" in unescape((await page.get("/")).text)
        await client.add_run(1)
        home = unescape((await page.get("/")).text)
    assert 'class="mood succeeded"' in home
    assert "Votre serveur est sauvegardé." in home
    assert "1 sauvegarde n’a pas encore eu lieu\u00a0: photos." in home


async def test_the_machine_that_joined_last_is_named_unless_it_is_revoked(portal: Any) -> None:
    email = "camille@dupre.example"
    tenant_id, now = UUID(await portal.open_tenant("Boulangerie Dupré", email)), clock.now()
    await portal.sign_in(email)
    for number, hostname in enumerate(("srv-c", "srv-a", "srv-b")):
        told = AgentEnrolled(
            tenant_id=tenant_id, agent_id=UUID(int=number), hostname=hostname, platform="linux",
            agent_version="1.0", enrolled_at=now + timedelta(minutes=number),
        )  # fmt: skip
        await builder.hear(portal, told)
    async with portal.operator() as api:
        assert (await api.post(f"/api/v1/agents/{UUID(int=2)}/revoke")).is_success
    async with browser(portal) as page:
        await sign_in(page, email, PASSWORD)
        assert "srv-a est connectée" in unescape((await page.get("/")).text)
