"""One running installation for all journeys of a session."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.journey.world import Client, World


@pytest.fixture
def world(installation: Any) -> World:
    return World(installation.folder)


@pytest.fixture
def make_client(world: World, tmp_path: Path) -> Callable[..., Client]:
    """Opens a client company of its own, so that journeys don't see each other."""

    def make(name: str = "Boulangerie Kérouédan", **terms: Any) -> Client:
        unique = uuid.uuid4().hex[:10]
        client = Client(
            world, tmp_path / unique, f"{name} {unique}", f"camille-{unique}@client.test"
        )
        client.open(**terms)
        client.enrol()
        return client

    return make
