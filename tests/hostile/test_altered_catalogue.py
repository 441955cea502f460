"""Whoever writes to the database changes what restore points show: no way gives it out as good."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from libs.shared.catalogue import rows
from tests.hostile.counting import Campaign
from tests.portal.builder import Client, File, folder, link, open_client, text
from tests.portal.conftest import Portal

PROBLEM = "urn:coffre:problem:restore-point-unproven"
