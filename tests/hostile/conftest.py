"""The attacks that once worked, and their kin; what each tried is printed at the end of a run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.hostile.counting import Campaign


@pytest.fixture
def campaign(record_property: Callable[[str, object], None]) -> Campaign:
    """What a test counts its requests with."""
    return Campaign(record_property)
