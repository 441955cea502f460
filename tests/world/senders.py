"""The keys that sign the events of a test's world: each service's, and the same in every test."""

from __future__ import annotations

import hashlib
from pathlib import Path

from libs.shared import bus
from libs.shared.events import Event
from libs.shared.signatures import Senders, Signer, public_file

SEEDS = {service: hashlib.sha256(service.encode()).digest() for service in bus.SENDERS}
SIGNERS = {service: Signer(service, seed) for service, seed in SEEDS.items()}
SENDERS = Senders({service: [signer.public_key] for service, signer in SIGNERS.items()})


def sender_of(event: Event) -> str:
    """A service that says events of this kind."""
    if event.speaker:
        return str(getattr(event, event.speaker))
    return next(service for service, said in bus.SENDERS.items() if type(event) in said)


def write_keys(folder: Path) -> None:
    """Puts private and public keys where a program of ours is told to look for them."""
    folder.mkdir(parents=True, exist_ok=True)
    for service, signer in SIGNERS.items():
        private = folder / f"event-key-{service}"
        private.touch(mode=0o600)
        private.write_text(SEEDS[service].hex())
        public_file(folder, service).write_text(signer.public_key.hex())
