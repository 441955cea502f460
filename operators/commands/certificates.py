"""`certificate …`: the proof of a destruction."""

from __future__ import annotations

import sys
from typing import BinaryIO

import click

from operators.commands.shell import answer, app, examples, find_tenant, portal
from operators.commands.tenants import tenant_argument
from operators.failures import Failure, UsageError


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
    epilog=examples("certificate verify certificate.json --key coffre-certificate-key.pem")
)
@click.argument("file", type=click.File("rb"))
@click.option(
    "--key",
    type=click.File("rb"),
    required=True,
    help="The public key (PEM), from the portal's /.well-known/coffre-certificate-key.pem.",
)
def verify(file: BinaryIO, key: BinaryIO) -> None:
    """Check a certificate with nothing of ours running, and say what it proves."""
    try:
        from libs.shared import certificates  # noqa: PLC0415 - what it needs is not everywhere
    except ImportError as error:
        raise UsageError(f"This needs the package {error.name}: pip install {error.name}.") from (
            error
        )
    try:
        proven = certificates.verify(file.read(), key.read())
    except certificates.CertificateInvalid as invalid:
        raise Failure(str(invalid)) from invalid
    answer({"proven": proven}, lambda _: click.echo(proven))
