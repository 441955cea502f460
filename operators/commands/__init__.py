"""The command line of coffre: one module for each group of commands."""

from __future__ import annotations

# In the order in which `--help` lists the commands.
from operators.commands import signing, tenants, orders, quota, prices, billing  # isort: skip
from operators.commands import destruction, certificates, documents, notices  # isort: skip
from operators.commands import events, incidents, people, accounts, approvals  # isort: skip
from operators.commands import completion  # isort: skip
from operators.commands.shell import app

__all__ = [
    "accounts",
    "app",
    "approvals",
    "billing",
    "certificates",
    "completion",
    "destruction",
    "documents",
    "events",
    "incidents",
    "notices",
    "orders",
    "people",
    "prices",
    "quota",
    "signing",
    "tenants",
]
