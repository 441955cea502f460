"""Names in mails that would be headers, markup or orders stay text."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.shared.events import DumpResult, NotCopied
from libs.shared.reasons import Reason
from services.reporting.mail import compose
from services.reporting.mail.letters.matters import MatterList, MatterWords
from services.reporting.mail.rendering import House, lay_out, render, speak, title
from tests.reporting.conftest import Client, write

HOSTILE = (
    "<script>alert(1)</script>\"'\r\nBcc: victim@x.example\r\n\r\n.\r\n"
    "\u202egpj.exe\x00{{ 7*7 }} %(x)s {x} =?utf-8?q?=0aBcc?="
)
HOSTILE_REASON = Reason("dump-program-failed", HOSTILE, 1, detail=HOSTILE)


def test_hostile_names_stay_text(client: Client) -> None:
    client = Client(name=f"Martin {HOSTILE}", plan_name=HOSTILE)
    run = client.failed_run(
        files_not_copied=1,
        not_copied=(NotCopied(path=HOSTILE, reason=HOSTILE_REASON),),
        dumps=(
            DumpResult(
                name=HOSTILE,
                succeeded=False,
                guaranteed=False,
                size_bytes=1,
                reason=HOSTILE_REASON,
            ),
        ),
        warnings=(HOSTILE_REASON,),
        hostname=HOSTILE,
        reason=HOSTILE_REASON,
        log_tail=HOSTILE,
    )
    for kind in ("report", "hotline"):
        letter = write(client, run, kind=kind)
        body = compose.compose(
            "Coffre <coffre@p.example>",
            "jeanne@martin.example",
            HOSTILE,
            letter.subject,
            compose.encode(letter.content, letter.log),
            message_id="<x@p.example>",
            written_at=datetime(2026, 11, 23, tzinfo=UTC),
        )
        message: Any = email.message_from_bytes(body, policy=email.policy.default)
        assert set(message.keys()) == {
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "Auto-Submitted",
            "X-Auto-Response-Suppress",
            "MIME-Version",
            "Content-Type",
        }
        assert message["Bcc"] is None
        assert [a.addr_spec for a in message["To"].addresses] == ["jeanne@martin.example"]
        assert len(message["Subject"].splitlines()) == 1
        assert "= ?utf-8?q?=0aBcc?=" in message["Subject"]
        text = message.get_body(("plain",)).get_content()
        shown = message.get_body(("html",)).get_content()
        assert not re.search(r"^Bcc:", text, re.MULTILINE)
        assert "<script" not in shown
        assert "alert(1)" in shown
        assert "{{ 7*7 }}" in text
        assert "\u202e" not in text + shown
        assert all(len(line) <= 998 for line in body.split(b"\r\n"))


@settings(max_examples=150, deadline=None)
@given(
    st.text(st.sampled_from('aé <>@,;:()[]\\"=?_.\n\r\t\u202e\U0001f9c1'), max_size=200),
    st.text(max_size=200),
)
def test_any_name_makes_a_mail_that_can_be_read(name: str, subject: str) -> None:
    body = compose.compose(
        "Coffre <coffre@p.example>",
        "jeanne@martin.example",
        name,
        subject,
        _lay_out(name),
        message_id="<x@p.example>",
        written_at=datetime(2026, 11, 23, tzinfo=UTC),
    )
    message: Any = email.message_from_bytes(body, policy=email.policy.default)
    assert [a.addr_spec for a in message["To"].addresses] == ["jeanne@martin.example"]
    assert message["Message-ID"] == "<x@p.example>"
    assert message.get_body(("plain",)).get_content().startswith("Non distribuable")
    body.decode("ascii")


@pytest.mark.parametrize("client", ["Étude Lefèvre & Associés", "Société Générale", "Smith"])
@pytest.mark.parametrize("plan", ["Vidéos de l’été", "documents", "Comptabilité  2026", "é " * 40])
def test_a_subject_is_read_as_it_was_written(client: str, plan: str) -> None:
    subject = f"[REUSSIE AVEC RESERVES] {client} · {plan} · 22/11/2026 23:05"
    body = compose.compose(
        "Coffre <coffre@p.example>",
        "jeanne@martin.example",
        "Jeanne",
        subject,
        _lay_out("x"),
        message_id="<x@p.example>",
        written_at=datetime(2026, 11, 23, tzinfo=UTC),
    )
    message: Any = email.message_from_bytes(body, policy=email.policy.default)
    assert message["Subject"] == subject
    assert all(len(line) <= 78 for line in body.partition(b"\r\n\r\n")[0].split(b"\r\n"))


def _lay_out(name: str) -> bytes:
    content = lay_out(speak("fr"), "incident", to_hotline=True, **_undeliverable(name))
    return compose.encode(render(name, content, House()))


def _undeliverable(name: str) -> dict[str, object]:
    safe = title(name)
    return {
        "outcome": "Non distribuable",
        "client": safe,
        "plan": "",
        "machine": "",
        "told": MatterWords(safe, safe, figures=[(safe, safe)], lists=[MatterList("", [name])]),
        "times": 1,
        "since": "",
        "people": [],
        "before": [],
        "link": "",
    }
