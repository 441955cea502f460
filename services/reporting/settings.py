"""What can differ between installations."""

from __future__ import annotations

import re
from datetime import timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from libs.shared import secret_files
from libs.shared.secret_files import SecretFileInvalid
from libs.shared.settings import CommonSettings, ServiceSettings
from services.reporting.rules.incidents import CAUSES
from services.reporting.rules.mails import parse_address
from services.reporting.rules.webhooks import Webhook, read_webhooks

_LOCAL = re.compile(r"[A-Za-z0-9._-]{1,21}")
_SELECTOR = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")
_GREETING = re.compile(r"(?!-)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+|\[[0-9A-Za-z.:]+\]")


class Settings(ServiceSettings):
    """Settings of reporting; the fields are COFFRE_… variables."""

    listen: str = "127.0.0.1:8003"
    monitor_listen: str = "127.0.0.1:8103"
    smtp_host: str
    smtp_port: int = Field(ge=1, le=65535)
    smtp_security: Literal["auto", "none", "opportunistic", "starttls", "tls"] = "auto"
    smtp_username: str | None = None
    smtp_password_file: Path | None = None
    smtp_greeting: str = ""
    smtp_connections: int = Field(10, ge=1, le=200)
    smtp_domain_connections: int = Field(5, ge=1, le=200)
    smtp_domain_rate: float = Field(1200, gt=0)
    mail_from: str
    dkim_key_file: Path | None = None
    dkim_selector: str = "coffre"
    bounces_address: str = ""
    bounces_maildir: Path | None = None
    bounces_imap_host: str | None = None
    bounces_imap_port: int = Field(993, ge=1, le=65535)
    bounces_imap_username: str = ""
    bounces_imap_password_file: Path | None = None
    bounces_imap_mailbox: str = "INBOX"
    mail_key_file: Path
    hotline: tuple[str, ...]
    portal_url: str
    support_name: str = ""
    support_phone: str = ""
    support_email: str = ""
    support_hours_fr: str = ""
    support_hours_en: str = ""
    webhooks_file: Path | None = None
    missed_grace_hours: float | None = Field(None, gt=0, le=1000)
    metrics_per_tenant: bool = False

    @field_validator("hotline", mode="before")
    @classmethod
    def split_hotline(cls, value: object) -> object:
        """Several addresses stand in one variable, with commas between."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("smtp_greeting")
    @classmethod
    def check_greeting(cls, value: str) -> str:
        """A host's full name, or its address in brackets (RFC 5321, 4.1.4)."""
        if value and not _GREETING.fullmatch(value):
            raise ValueError("this must be a full name, such as coffre.provider.example")
        return value

    @field_validator("mail_from")
    @classmethod
    def check_mail_from(cls, value: str) -> str:
        """`address` or `Name <address>`."""
        if not parseaddr(value)[1].partition("@")[2]:
            raise ValueError("this must be a mail address, or Name <address>")
        return value

    @field_validator("support_email")
    @classmethod
    def check_support_email(cls, value: str) -> str:
        """A bare address; answers to mails go to it."""
        if value and parse_address(value) is None:
            raise ValueError("this must be a mail address")
        return value

    @field_validator("bounces_address")
    @classmethod
    def check_bounces_address(cls, value: str) -> str:
        """A bare address whose local part leaves room for a mark (RFC 5321, 4.5.3.1.1)."""
        local, _, domain = value.rpartition("@")
        if value and not (domain and _LOCAL.fullmatch(local)):
            raise ValueError("this must be an address such as bounces@provider.example")
        return value

    @field_validator("dkim_selector")
    @classmethod
    def check_selector(cls, value: str) -> str:
        """A name in DNS."""
        if not _SELECTOR.fullmatch(value):
            raise ValueError("this must be letters, digits and -, such as coffre2026")
        return value

    @model_validator(mode="after")
    def check_mailbox(self) -> Self:
        """Bounces arrive at one place."""
        if self.bounces_imap_host and self.bounces_maildir:
            raise ValueError("bounces are read from a Maildir or an IMAP mailbox, not from both")
        if self.bounces_imap_host and not self.bounces_imap_password_file:
            raise ValueError("COFFRE_BOUNCES_IMAP_HOST wants COFFRE_BOUNCES_IMAP_PASSWORD_FILE")
        return self

    @property
    def sender_domain(self) -> str:
        """The domain that mails come from, in whose name they are signed."""
        return parseaddr(self.mail_from)[1].rpartition("@")[2]

    @property
    def missed_grace(self) -> timedelta | None:
        """How long a run is waited for, if it is the same for all plans."""
        hours = self.missed_grace_hours
        return None if hours is None else timedelta(hours=hours)

    def read_webhooks(self) -> tuple[Webhook, ...]:
        """Who else is told of incidents; raises SecretFileInvalid."""
        if self.webhooks_file is None:
            return ()
        try:
            return read_webhooks(secret_files.read(self.webhooks_file).splitlines(), CAUSES)
        except ValueError as error:
            raise SecretFileInvalid(f"{self.webhooks_file} can't be read: {error}") from None

    def read_smtp_password(self) -> str | None:
        """The password for the mail server, if it wants one."""
        return secret_files.read(self.smtp_password_file) if self.smtp_password_file else None

    def read_bounces_password(self) -> str:
        """The password for the mailbox of bounces."""
        path = self.bounces_imap_password_file
        return secret_files.read(path) if path else ""

    def read_dkim_key(self) -> str | None:
        """The private key that mails are signed with, as PEM."""
        return secret_files.read(self.dkim_key_file) if self.dkim_key_file else None


class OperatorSettings(CommonSettings):
    """What the commands for operators need."""

    database_url: SecretStr
