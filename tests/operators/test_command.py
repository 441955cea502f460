"""`coffre`: whom it asks, what it writes, how it ends."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import click
import pytest

from operators import values
from operators.commands import app
from tests.operators.conftest import Coffre
from tests.portal import builder
from tests.portal.conftest import OPERATOR_EMAIL, OPERATOR_PASSWORD, PASSWORD, Portal
from tests.servers import free_port

CREATE = ("tenant", "create", "--name", "Dupré & Fils", "--email", "camille@dupre.example")
TERMS = ("--contracted", "1GB", "--seats", "2")


async def test_a_client_is_opened_and_its_life_goes_on(coffre: Coffre, portal: Portal) -> None:
    opened = (await coffre(*CREATE, *TERMS, "--json")).json()
    tenant_id = opened["tenant_id"]
    assert opened == {"tenant_id": str(UUID(tenant_id))}
    row = await portal.admin.fetchrow("SELECT contracted_bytes, seats FROM portal.tenants")
    assert tuple(row) == (10**9, 2)

    code = (await coffre("--json", "enrol", tenant_id)).json()
    assert code["code"]
    assert code["ingest_url"] == portal.parts.ingest_url
    shown = (await coffre("tenant", "show", "dupré & fils", "--json")).json()
    assert (shown["tenant_id"], shown["subscription"]) == (tenant_id, "active")
    assert [one["email"] for one in shown["people"]] == ["camille@dupre.example"]
    for step, state in (
        ("suspend", "suspended"),
        ("resume", "active"),
        ("end", "ended"),
        ("reinstate", "active"),
    ):
        moved = await coffre("tenant", "--json", step, tenant_id, "--reason", "r")
        assert moved.json()["subscription"] == state
    until = "2999-12-31"
    moved = await coffre("tenant", "maintenance", tenant_id, "--until", until, "--reason", "r")
    assert (moved.code, until in moved.out) == (0, True)
    at = await coffre("tenant", "end", tenant_id, "--reason", "r", "--at", "2999-12-31T18:00")
    assert "ending" in at.out

    table = await coffre("tenant", "list")
    assert "Dupré" in table.out
    assert "1.0 GB" in (await coffre("tenant", "show", tenant_id)).out
    listed = (await coffre("tenant", "list", "--json")).json()
    assert [one["tenant_id"] for one in listed["tenants"]] == [tenant_id]


async def test_a_refusal_is_one_sentence_and_a_code(coffre: Coffre, portal: Portal) -> None:
    assert (await coffre(*CREATE, *TERMS)).code == 0
    again = await coffre(*CREATE, *TERMS, "--json")
    assert (again.code, again.out) == (1, "")
    assert again.err == (
        "coffre: camille@dupre.example already has an account; give another address.\n"
    )
    unknown = await coffre("tenant", "end", str(uuid4()), "--reason", "r")
    assert unknown.code == 1
    nobody = await coffre("tenant", "show", "Nobody")
    assert (nobody.code, "No client is called 'Nobody'" in nobody.err) == (2, True)
    wrong_state = await coffre("tenant", "reinstate", "Dupré & Fils", "--reason", "r")
    assert "The subscription is active" in wrong_state.err
    assert (await coffre(*CREATE, "--contracted", "much")).code == 2
    assert (await coffre("tenant", "end", "x")).code == 2


async def test_who_is_not_let_in_and_what_is_not_there(
    bare: Coffre, coffre: Coffre, portal: Portal
) -> None:
    nowhere = await bare("tenant", "list")
    assert (nowhere.code, "--portal" in nowhere.err) == (2, True)
    unsigned = await bare("tenant", "list", "--portal", portal.url)
    assert (unsigned.code, "coffre login" in unsigned.err) == (2, True)
    wrong = await coffre("tenant", "list", "--token", "wrong")
    assert (wrong.code, "coffre login" in wrong.err) == (21, True)
    client = await portal.open_tenant("Client", "a@client.example")
    token = await portal.sign_in("a@client.example")
    foreign = await coffre("tenant", "show", client, COFFRE_TOKEN=token)
    assert foreign.code == 21
    away = await coffre("tenant", "list", COFFRE_PORTAL=f"http://127.0.0.1:{free_port()}")
    assert (away.code, "can't be reached" in away.err) == (22, True)
    no_address = await coffre("tenant", "list", COFFRE_PORTAL="file:///etc/passwd")
    assert (no_address.code, "is no address" in no_address.err) == (2, True)
    for ended in (wrong, foreign, away):
        assert "Traceback" not in ended.err


async def test_a_sign_in_is_kept_for_its_owner_and_its_portal(
    bare: Coffre, portal: Portal, tmp_path: Path
) -> None:
    email = ("--email", OPERATOR_EMAIL)
    login = ("login", "--portal", portal.url, "--password-file", "-")
    wrong = await bare(*login, *email, typed="wrong\n")
    assert wrong.code == 21
    signed = await bare(*login, *email, typed=OPERATOR_PASSWORD + "\n")
    assert signed.code == 0, signed.err
    [file] = (tmp_path / "config").rglob("*.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    token = json.loads(file.read_text())["token"]
    assert token not in signed.out + signed.err
    assert (await bare("tenant", "list")).code == 0
    # The token is for this portal: no other is shown it.
    elsewhere = await bare("tenant", "list", "--portal", "http://localhost:1")
    assert (elsewhere.code, "Nobody is signed in" in elsewhere.err) == (2, True)

    await portal.open_tenant("Client", "a@client.example")
    await portal.sign_in("a@client.example")
    client = await bare(*login, "--email", "a@client.example", typed=PASSWORD + "\n")
    assert (client.code, "no operator" in client.err) == (21, True)
    assert (await bare("tenant", "list")).code == 0
    out = await bare("logout")
    assert (out.code, file.exists()) == (0, False)
    ended = await bare("tenant", "list", COFFRE_PORTAL=portal.url, COFFRE_TOKEN=token)
    assert ended.code == 21


async def test_parked_events_and_documents(coffre: Coffre, portal: Portal, tmp_path: Path) -> None:
    event = uuid4()
    await portal.admin.execute(
        """INSERT INTO portal.parked (service, event_id, tenant_id, event_type, error, attempts,
           parked_at) VALUES ('quota', $1, $2, 'volume.changed.v1', 'Trace…\nwhy', 12, now())""",
        event, uuid4(),
    )  # fmt: skip
    [listed] = (await coffre("events", "parked", "list", "--json")).json()["parked"]
    assert listed["summary"] == "why"
    shown = await coffre("events", "parked", "show", "quota", str(event))
    assert "Trace…\nwhy" in shown.out
    replayed = await coffre("events", "parked", "replay", "quota", str(event), "--reason", "r")
    assert "is told to replay" in replayed.out
    [told] = await portal.events("parked.decided.v1")
    assert told["event_id"] == str(event)
    dropped = await coffre("events", "parked", "drop", "ingest", str(event), "--reason", "r")
    assert dropped.code == 1

    terms = tmp_path / "terms.txt"
    terms.write_text("Article 1")
    publish = ("document", "publish", "general-terms", "--version", "1", "--title", "Conditions")
    published = await coffre(*publish, "--in-force", "2027-01-01", str(terms))
    assert published.code == 0, published.err
    assert "Conditions" in (await coffre("document", "list")).out


async def test_notices_from_draft_to_withdrawal(
    coffre: Coffre, portal: Portal, tmp_path: Path
) -> None:
    await portal.open_tenant("Dupré", "camille@dupre.example")
    french, english = tmp_path / "fr.txt", tmp_path / "en.txt"
    french.write_text("Les serveurs sont remplacés.")
    english.write_text("Servers are replaced.")
    draft = (
        "notice", "draft", "location", "--title-fr", "Lieu", "--title-en", "Place",
        "--text-fr", str(french), "--text-en", str(english),
    )  # fmt: skip
    refused = await coffre(*draft)
    assert refused.code == 1
    assert "has a day from which on" in refused.err
    drafted = await coffre(*draft, "--begins", "2099-01-01T22:00", "--ahead", "30")
    assert drafted.code == 0, drafted.err
    [listed] = (await coffre("notice", "list", "--json")).json()["notices"]
    notice = listed["notice_id"]
    assert notice in drafted.out
    shown = (await coffre("notice", "show", notice)).out
    assert "--- fr: Le lieu de stockage de vos sauvegardes change" in shown
    assert "Servers are replaced." in shown
    assert (await coffre("notice", "publish", notice)).code == 0
    early = await coffre("notice", "carry-out", notice)
    assert early.code == 1
    assert "2099-01-0" in early.err
    reasons = ("--reason-fr", "Reporté", "--reason-en", "Put off")
    assert (await coffre("notice", "withdraw", notice, *reasons)).code == 0
    assert "withdrawn" in (await coffre("notice", "list")).out


async def test_a_shell_completes_commands(coffre: Coffre) -> None:
    script = await coffre("completion", "bash")
    assert "_COFFRE_COMPLETE=bash_complete" in script.out
    asked = {
        "_COFFRE_COMPLETE": "bash_complete",
        "COMP_WORDS": "coffre tenant s",
        "COMP_CWORD": "2",
    }
    completed = await coffre(**asked)
    assert {"plain,show", "plain,suspend"} <= set(completed.out.split())


def every(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of each command."""
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from every(one, (*path, name))
    else:
        yield path


def test_every_command_explains_itself() -> None:
    known = set(every(app))
    assert {("tenant", "create"), ("quota", "revise"), ("events", "parked", "drop")} <= known
    for path in known:
        command: click.Command = app
        for name in path:
            assert isinstance(command, click.Group)
            command = command.commands[name]
        assert command.help, path
        if any(isinstance(one, click.Option) and one.required for one in command.params):
            assert command.epilog is not None, path
            assert f"coffre {' '.join(path)}" in command.epilog, path


@pytest.mark.parametrize(
    ("typed", "size"),
    [("1GB", 10**9), ("2.5 TB", 25 * 10**11), ("2,5To", 25 * 10**11), ("500m", 5 * 10**8),
     ("1024", 1024), ("0", 0)],
)  # fmt: skip
def test_sizes_are_decimal(typed: str, size: int) -> None:
    assert values.Size().convert(typed, None, None) == size


@pytest.mark.parametrize("typed", ["", "GB", "-1GB", "1GiB", "0.5", "1e9", "1 000 GB"])
def test_what_is_no_size_is_refused(typed: str) -> None:
    with pytest.raises(click.UsageError):
        values.Size().convert(typed, None, None)


async def test_what_was_lost_is_withdrawn_at_once(coffre: Coffre, portal: Portal) -> None:
    client = await builder.open_client(portal)
    named, email = "Boulangerie Dupré", client.email
    assert email in (await coffre("user", "list", named)).out
    async with portal.client(client.token) as api:
        assert (await api.get("/api/v1/sessions")).status_code == 200
        assert (await coffre("user", "sign-out", named, email.upper())).code == 0
        assert (await api.get("/api/v1/sessions")).status_code == 401
    nobody = await coffre("user", "sign-out", named, "nobody@dupre.example")
    assert (nobody.code, "Nobody of this client" in nobody.err) == (2, True)
    before = len(await portal.events("password.issued.v1"))
    assert (await coffre("user", "reset", email)).code == 0
    assert len(await portal.events("password.issued.v1")) == before + 1
    portal.app.state.resources = replace(portal.parts, four_eyes=frozenset({"reset"}))
    waiting = await coffre("user", "reset", email, "--reason", "she called")
    assert (waiting.code, waiting.out[:19]) == (0, "Nothing is done yet")
    assert len(await portal.events("password.issued.v1")) == before + 1
    assert client.hostname in (await coffre("machine", "list", named)).out
    assert (await coffre("machine", "revoke", named, "none")).code == 2
    revoked = await coffre("machine", "revoke", named, client.hostname)
    assert (revoked.code, revoked.out[:15]) == (0, "Withdrawn since")
    assert len(await portal.events("agent.revoked.v1")) == 1
    assert (await coffre("machine", "revoke", named, client.hostname)).code == 2


async def test_operators_are_let_in_and_let_go(coffre: Coffre) -> None:
    for listed in (("incidents", "list"), ("incidents", "list", "--closed"), ("notice", "list")):
        told = await coffre(*listed)
        assert (told.code, told.out[:2]) == (0, "No"), "an empty list says so in words"
    email = "anne@provider.example"
    added = await coffre("operator", "add", email, "--name", "Anne", "--duty", "hotline")
    assert (added.code, added.out.startswith(email)) == (0, True)
    assert "Anne" in (await coffre("operator", "list")).out
    moved = await coffre("operator", "duty", email, "--duty", "sales", "--json")
    assert moved.json()["duty"] == "sales"
    assert (await coffre("operator", "reset", email, "--json")).json()["password"]
    assert (await coffre("operator", "close", email)).code == 0
    again = await coffre("operator", "close", email)
    assert (again.code, "No operator has the address" in again.err) == (2, True)


async def test_a_look_waits_for_a_second_operator(coffre: Coffre, portal: Portal) -> None:
    client = await builder.open_client(portal)
    tenant_id = str(client.tenant_id)
    opened = await coffre("tenant", "look", tenant_id, "--reason", "asked to by telephone")
    assert (opened.code, "Open to you until" in opened.out) == (0, True)
    assert "Nothing waits." in (await coffre("approval", "list")).out
    portal.app.state.resources = replace(portal.parts, four_eyes=frozenset({"look"}))
    asked = await coffre("tenant", "look", tenant_id, "--reason", "asked to by telephone")
    assert "another operator has to confirm it" in asked.out
    [waiting] = (await coffre("approval", "list", "--json")).json()["approvals"]
    own = await coffre("approval", "confirm", waiting["approval_id"])
    assert (own.code != 0, "You asked for this yourself" in own.err) == (True, True)
    declined = await coffre("approval", "decline", waiting["approval_id"])
    assert (declined.code, declined.out.strip()) == (0, "It is left undone.")
    # What another one asks is done.
    await portal.admin.execute(
        """INSERT INTO portal.users (user_id, role, name, email, locale, password_hash, one_time,
           created_at, duty) VALUES ($1, 'operator', 'Anne', 'anne@provider.example', 'fr', '',
           false, now(), 'administrator')""",
        anne := uuid4(),
    )
    await portal.admin.execute(
        """UPDATE portal.approvals SET asked_by = $1, asker = 'Anne', answer = NULL,
           answered_at = NULL, answered_by = '' WHERE approval_id = $2""",
        anne,
        UUID(waiting["approval_id"]),
    )
    confirmed = await coffre("approval", "confirm", waiting["approval_id"])
    assert (confirmed.code, confirmed.out.strip()) == (0, "Done for Anne.")
