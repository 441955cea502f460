"""What the portal hands out, once the provider's signature was found to be good."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from urllib.parse import quote

from agent.server.connection import Connection
from agent.telling.failures import AgentError
from agent.updating.ed25519 import is_signed
from libs.shared.reasons import Reason

_FOLDER = "/agent"


class NotBelieved(AgentError):
    """What the portal hands out isn't what the provider signed; says what is wrong."""

    def __init__(self, sentence: str) -> None:
        super().__init__(Reason("usage"), f"{sentence} Nothing was changed. Tell your provider.")


@dataclass(frozen=True)
class Release:
    """A version of the agent, and the SHA-256 of each of its files by name."""

    version: str
    sums: dict[str, str]

    @property
    def number(self) -> tuple[int, ...]:
        """The version, to be compared."""
        return number_of(self.version)

    def file_for(self, installed_by: str) -> str:
        """The file by which an agent is replaced that came as such a one; NotBelieved if none."""
        ending = {"deb": ".deb", "rpm": ".rpm", "file": "-linux-x86_64"}[installed_by]
        for name in self.sums:
            if name.endswith(ending):
                return name
        raise NotBelieved(f"The portal has no *{ending} of version {self.version}.")


def number_of(version: str) -> tuple[int, ...]:
    """A version such as 0.10.2, to be compared with another."""
    return tuple(map(int, version.split(".")))


def find(portal: Connection, public_key: bytes) -> Release:
    """The release that the portal has; NotBelieved where its sums aren't signed by that key."""
    sums = portal.call("GET", f"{_FOLDER}/SHA256SUMS").body
    signature = portal.call("GET", f"{_FOLDER}/SHA256SUMS.sig").body
    if not is_signed(public_key, signature, sums):
        raise NotBelieved(f"The sums at {portal.url}{_FOLDER} aren't signed by your provider.")
    listed = {}
    for line in sums.decode().splitlines():
        digest, _, name = line.partition("  ")
        listed[name] = digest
    told = json.loads(_fetch(portal, "release.json", listed))
    return Release(told["version"], listed)


def fetch(portal: Connection, release: Release, name: str) -> bytes:
    """A file of the release; NotBelieved where it isn't the one that was signed."""
    return _fetch(portal, name, release.sums)


def _fetch(portal: Connection, name: str, sums: dict[str, str]) -> bytes:
    content = portal.call("GET", f"{_FOLDER}/{quote(name)}").body
    if hashlib.sha256(content).hexdigest() != sums.get(name):
        raise NotBelieved(f"{name} is not the file that your provider signed.")
    return content
