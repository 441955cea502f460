"""`python -m libs.shared.bus PASSWORDS [VHOST]`: what `rabbitmqctl import_definitions` takes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from libs.shared.bus.accounts import account_of, definitions
from libs.shared.bus.topology import BINDINGS


def main() -> None:
    """Prints the definitions as JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m libs.shared.bus",
        description="Prints accounts, rights, exchange and queues as RabbitMQ's definitions.",
    )
    parser.add_argument(
        "passwords",
        type=Path,
        help="folder with a file for each account, coffre_ingest and so on",
    )
    parser.add_argument("vhost", nargs="?", default="/", help="the virtual host, / by default")
    told = parser.parse_args()
    try:
        passwords = {
            service: (told.passwords / account_of(service)).read_text().strip()
            for service in BINDINGS
        }
    except OSError as error:
        parser.error(f"{error.filename} can't be read: {error.strerror}")
    print(json.dumps(definitions(passwords, told.vhost), indent=1))


if __name__ == "__main__":
    main()
