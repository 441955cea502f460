"""`python -m services.reporting dkim`: the key that mails are signed with, and its line in DNS."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from libs.shared import secret_files
from libs.shared.settings import load
from services.reporting.commands import wiring
from services.reporting.mail import dkim
from services.reporting.settings import Settings

STRING_CHARACTERS = 255  # RFC 1035, 3.3.14


def describe(parser: ArgumentParser) -> None:
    """Where a new key is written."""
    parser.add_argument(
        "--new", metavar="FILE", type=Path, help="make a key, in a file that isn't there yet"
    )


async def run(arguments: Namespace) -> int:
    """Prints the TXT record that DNS has to have, as a line of a zone file."""
    settings = load(Settings)
    if arguments.new:
        try:
            secret_files.write(arguments.new, dkim.make_key())
        except FileExistsError:
            print(f"{arguments.new} is there already; a key is never written over another.")
            return 1
        key = dkim.read_key(secret_files.read(arguments.new))
        signer = dkim.MailSigner(settings.sender_domain, settings.dkim_selector, key)
    else:
        found = wiring.find_signer(settings)
        if found is None:
            print("Mails aren't signed: COFFRE_DKIM_KEY_FILE names no key. --new FILE makes one.")
            return 1
        signer = found
    record = signer.record
    strings = [
        record[at : at + STRING_CHARACTERS] for at in range(0, len(record), STRING_CHARACTERS)
    ]
    quoted = " ".join(f'"{string}"' for string in strings)
    print(f"{signer.record_name}. IN TXT {quoted}")
    return 0
