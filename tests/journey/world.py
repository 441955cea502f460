"""What a journey needs: a client company in a running installation, its mail, its agent."""

from __future__ import annotations

import email
import email.policy
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar

import httpx2

ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")


def eventually(question: Callable[[], T | None], what: str, seconds: float = 60) -> T:
    """Asks again until the answer is truthy; fails naming what never came."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:.0f} s still no {what}")
        time.sleep(0.1)


@dataclass(frozen=True)
class AgentResult:
    """How a call of coffre-agent ended."""

    code: int
    output: str
    errors: str

    @property
    def summary(self) -> dict[str, Any]:
        """The last JSON line of standard output."""
        line = json.loads(self.output.strip().splitlines()[-1])
        assert line["message_type"] == "summary", line
        return dict(line)


@dataclass
class World:
    """A running installation, seen from outside."""

    folder: Path

    @property
    def stack(self) -> dict[str, Any]:
        """What `stack.json` says now: process numbers change when a service is started again."""
        return dict(json.loads((self.folder / "stack.json").read_text()))

    def mails(self, recipient: str) -> Iterator[EmailMessage]:
        """Every mail delivered to one address, oldest first."""
        folder = Path(self.stack["mailbox"]["dir"])
        for path in sorted(folder.glob("*.eml"), key=lambda p: (p.stat().st_mtime_ns, p.name)):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            if recipient in str(message["To"]):
                yield message

    def mail(self, recipient: str, containing: str, seconds: float = 60) -> EmailMessage:
        """Waits for the first mail to an address whose subject or text holds some words."""

        def find() -> EmailMessage | None:
            for message in self.mails(recipient):
                if containing in str(message["Subject"]) or containing in text_of(message):
                    return message
            return None

        return eventually(find, f"mail to {recipient} with «{containing}»", seconds)

    def operator(self) -> httpx2.Client:
        """The operator's JSON API."""
        return self.api(self.stack["operator"]["token"])

    def api(self, token: str) -> httpx2.Client:
        """The JSON API with somebody's token."""
        return httpx2.Client(
            base_url=self.stack["portal"]["url"] + "/api/v1/",
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )


def text_of(message: EmailMessage) -> str:
    """The plain text of a mail."""
    body = message.get_body(("plain",))
    assert body is not None, "a mail without a text part"
    return str(body.get_content())


@dataclass
class Client:
    """A client company with one enrolled machine."""

    world: World
    folder: Path
    name: str
    email: str
    password: str = "la pluie tombe sur Nantes"
    tenant_id: str = ""
    source: Path = field(init=False)
    config: Path = field(init=False)

    def open(self, *, locale: str = "fr", contracted_bytes: int = 10**12) -> None:
        """An operator opens the subscription; the administrator takes up the first password."""
        self.source = self.folder / "source"
        self.source.mkdir(parents=True, exist_ok=True)
        with self.world.operator() as api:
            answer = api.post(
                "tenants",
                json={
                    "name": self.name,
                    "locale": locale,
                    "contracted_bytes": contracted_bytes,
                    "seats": 3,
                    "administrator": {"name": "Camille Martin", "email": self.email},
                },
            )
            assert answer.status_code == 201, answer.text
            self.tenant_id = answer.json()["tenant_id"]
        letter = eventually(lambda: next(self.world.mails(self.email), None), "first password")
        one_time = self.find_password(text_of(letter))
        with httpx2.Client(base_url=self.world.stack["portal"]["url"], timeout=60) as api:
            answer = api.post(
                "/api/v1/password",
                json={"email": self.email, "password": one_time, "new_password": self.password},
            )
            assert answer.status_code == 204, answer.text

    @staticmethod
    def find_password(text: str) -> str:
        """The one-time password is named as such in the mail, in either language."""
        found = re.search(r"(?:usage unique|ne-time password)\s*:\s*(\S+)", text)
        assert found, f"no password in the mail:\n{text}"
        return found.group(1)

    def enrol(self, *, name: str = "agent") -> None:
        """Enrols a machine and writes its configuration with the plan `documents`."""
        home = self.folder / name
        home.mkdir()
        self.config = home / "config.toml"
        self.write_config()
        with self.world.operator() as api:
            answer = api.post(f"tenants/{self.tenant_id}/enrolments", json={})
            assert answer.status_code == 201, answer.text
            code = answer.json()["code"]

        def enrolled() -> bool:
            # The code travels to ingest as an event: it may be a moment late.
            return (
                self.agent(
                    "enrol", "--server", self.world.stack["ingest"]["url"], "--code", code
                ).code
                == 0
            )

        eventually(enrolled, "enrolment", 30)
        assert (home / "token").stat().st_mode & 0o777 == 0o600

    def write_config(
        self, folders: list[Path] | None = None, exclude: list[str] | None = None
    ) -> None:
        home = self.config.parent
        listed = ", ".join(json.dumps(str(f)) for f in folders or [self.source])
        self.config.write_text(
            f"""server = "{self.world.stack["ingest"]["url"]}"
token_file = "{home / "token"}"
state_dir = "{home / "state"}"

[[plan]]
name = "documents"
folders = [{listed}]
exclude = {json.dumps(exclude or [])}
schedule = "15 2 * * *"
timezone = "Europe/Paris"
recipients = ["{self.email}"]
""",
            encoding="utf-8",
        )

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "agent", "--config", str(self.config), *arguments]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "COFFRE_PASSWORD": self.password}

    def agent(self, *arguments: str, seconds: float = 240) -> AgentResult:
        """Runs coffre-agent as its user would."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        return AgentResult(
            done.returncode,
            done.stdout.decode(errors="replace"),
            done.stderr.decode(errors="replace"),
        )

    def run(self, seconds: float = 240) -> AgentResult:
        return self.agent("run", "documents", "--json", seconds=seconds)

    def restore(self, to: Path, *more: str) -> AgentResult:
        return self.agent(
            "restore", "documents", "--portal", self.world.stack["portal"]["url"],
            "--email", self.email, "--to", str(to), *more,
        )  # fmt: skip

    def sign_in(self) -> httpx2.Client:
        """The JSON API as the client's administrator."""
        with httpx2.Client(base_url=self.world.stack["portal"]["url"], timeout=60) as api:
            answer = api.post(
                "/api/v1/tokens", json={"email": self.email, "password": self.password}
            )
        assert answer.status_code == 201, answer.text
        return self.world.api(answer.json()["token"])
