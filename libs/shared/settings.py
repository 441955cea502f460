"""Settings from the environment: field `s3_endpoint` is the variable COFFRE_S3_ENDPOINT.

A secret may stand in a file instead: COFFRE_DATABASE_URL_FILE names the one with the URL.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from libs.shared import secret_files

PREFIX = "COFFRE_"
_ADDRESS = r"^\[?[0-9A-Za-z.:_-]+\]?:\d{1,5}$"


class CommonSettings(BaseModel):
    """What can differ between installations; secrets are SecretStr, so that no log shows them."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ServiceSettings(CommonSettings):
    """What every service needs; a service's own settings derive from it and set where it listens.

    event_key_file: the private key that signs what the service says. event_senders_dir: the
    folder with the public keys of all services. monitor_listen: where it tells its operators
    alone of metrics, and of what its checks find. otlp_endpoint: where traces go, if anywhere.
    handover_seconds: how long it still takes requests at its end, so that a proxy turns to others
    first. drain_seconds: how long those in hand may take then.
    """

    database_url: SecretStr
    amqp_url: SecretStr
    event_key_file: Path
    event_senders_dir: Path
    listen: str = Field(default="127.0.0.1:8000", pattern=_ADDRESS)
    monitor_listen: str = Field(default="127.0.0.1:8100", pattern=_ADDRESS)
    log_format: Literal["json", "console"] = "json"
    otlp_endpoint: str = Field(default="", pattern=r"^(https?://\S+)?$")
    handover_seconds: float = Field(default=0, ge=0, le=600)
    drain_seconds: float = Field(default=15, ge=1, le=86_400)


Network = IPv4Network | IPv6Network


class PublicSettings(ServiceSettings):
    """What a service needs that others than we ask; `trusted_proxies` stand before it."""

    trusted_proxies: tuple[Network, ...] = ()

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def split_networks(cls, value: object) -> object:
        """Several networks or addresses stand in one variable, with commas between."""
        if isinstance(value, str):
            return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
        return value


class BucketSettings(CommonSettings):
    """What reading and writing tenants' objects needs; the `_file` fields are paths.

    store: `s3`, or `file:///FOLDER` on this machine, which needs none of the fields of S3.
    s3_region: None takes the one that the store names.
    """

    store: str = Field(default="s3", pattern=r"^(s3|file:///[^?#]+)$")
    s3_endpoint: str
    s3_region: str | None = Field(default=None, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    s3_addressing: Literal["auto", "path", "virtual"] = "auto"
    s3_access_key: str
    s3_secret_key: SecretStr
    s3_bucket: str
    master_key_file: Path
    master_key_previous_file: Path | None = None

    @property
    def folder(self) -> Path | None:
        """Where objects lie, if not in a bucket."""
        return Path(self.store.removeprefix("file://")) if self.store != "s3" else None

    @model_validator(mode="before")
    @classmethod
    def need_no_bucket(cls, given: dict[str, object]) -> dict[str, object]:
        """A folder has no endpoint and no keys."""
        if not str(given.get("store", "")).startswith("file:"):
            return given
        unneeded = ("s3_endpoint", "s3_access_key", "s3_secret_key", "s3_bucket")
        return dict.fromkeys(unneeded, "") | given


S = TypeVar("S", bound=CommonSettings)


class InvalidSettings(Exception):  # noqa: N818 - read by the operator as a sentence
    """The environment lacks variables or holds wrong ones; the text names each of them."""


def read(cls: type[S], environ: Mapping[str, str]) -> S:
    """Builds settings from variables; an empty variable counts as missing.

    Raises InvalidSettings naming every missing or wrong variable, without their values.
    """
    found = {
        name: environ[PREFIX + name.upper()]
        for name in cls.model_fields
        if environ.get(PREFIX + name.upper(), "") != ""
    }
    for name, field in cls.model_fields.items():
        if field.annotation is SecretStr and name not in found:
            found |= _read_file(name, environ)
    try:
        return cls.model_validate(found)
    except ValidationError as error:
        raise InvalidSettings(_sentence(error)) from None


def _read_file(name: str, environ: Mapping[str, str]) -> dict[str, str]:
    """A secret from the file that its variable with _FILE names, if there is one."""
    path = environ.get(f"{PREFIX}{name.upper()}_FILE", "")
    if not path:
        return {}
    try:
        return {name: secret_files.read(Path(path))}
    except secret_files.SecretFileInvalid as invalid:
        raise InvalidSettings(f"{invalid}") from None


def load(cls: type[S], environ: Mapping[str, str] | None = None) -> S:
    """Like `read`, for a program's start: writes the sentence to standard error, exits with 2."""
    try:
        return read(cls, os.environ if environ is None else environ)
    except InvalidSettings as invalid:
        print(invalid, file=sys.stderr)
        raise SystemExit(2) from None


def _sentence(error: ValidationError) -> str:
    missing = []
    wrong = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        variable = PREFIX + str(problem["loc"][0]).upper() if problem["loc"] else "settings"
        if problem["type"] == "missing":
            missing.append(variable)
        else:
            wrong.append(f"{variable} is not valid: {problem['msg']}.")
    lines = []
    if missing:
        lines.append("These environment variables must be set: " + ", ".join(missing) + ".")
    return "\n".join(lines + wrong)
