"""Argv in: what an operator asks reporting, or has it do, by hand."""

from __future__ import annotations

from libs.shared.runtime import Command, Commands
from services.reporting.commands import dkim, mails

COMMANDS: Commands = [
    Command("mail", "look mails up, or test the mail server", mails.run, mails.describe),
    Command("dkim", "show or make the key that mails are signed with", dkim.run, dkim.describe),
]
