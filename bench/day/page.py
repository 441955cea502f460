"""The page of scale: docs/scale.md."""

from __future__ import annotations

import json
from typing import Any


def render(measured: dict[str, Any]) -> str:
    return json.dumps({k: v for k, v in measured.items() if k != "keys"}, indent=1)
