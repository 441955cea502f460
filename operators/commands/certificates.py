"""`certificate …`: the proof of a destruction."""

from __future__ import annotations

import sys

from operators.commands.shell import app, examples, find_tenant, portal
from operators.commands.tenants import tenant_argument


@app.group(no_args_is_help=True)
def certificate() -> None:
    """Certificates of destruction."""


@certificate.command("show", epilog=examples("certificate show TENANT > certificate.json"))
@tenant_argument
def show_certificate(named: str) -> None:
    """Print a client's certificate, byte for byte as it was signed."""
    asked = portal()
    path = f"/tenants/{find_tenant(asked, named)}/certificate"
    sys.stdout.buffer.write(asked.fetch("GET", path))
