"""`certificate …`: the proof of a destruction."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from operators.commands.shell import app, examples, find_tenant, portal
from operators.commands.tenants import tenant_argument
from operators.failures import Failure


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


@certificate.command(
    "verify",
    epilog=examples("certificate verify certificate.json --key coffre-certificate-key.pem"),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--key",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The public key, as the portal gives it at /.well-known/coffre-certificate-key.pem.",
)
def verify_certificate(file: Path, key: Path) -> None:
    """Check a certificate, with nothing of ours running, and say what it proves."""
    from libs.shared import certificates  # noqa: PLC0415 - cryptography takes its time

    try:
        click.echo(certificates.verify(file.read_bytes(), key.read_bytes()))
    except certificates.CertificateInvalid as invalid:
        raise Failure(str(invalid)) from None
