"""The small modules: settings, logs, clock, crashpoints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from pydantic import SecretStr

from libs.shared import clock, settings


class Example(settings.ServiceSettings):
    s3_endpoint: str
    s3_secret_key: SecretStr
    lease_seconds: int = 900


GOOD = {
    "COFFRE_DATABASE_URL": "postgresql://u:hidden@h/d",
    "COFFRE_AMQP_URL": "amqp://u:hidden@h/",
    "COFFRE_EVENT_KEY_FILE": "/secrets/event-key",
    "COFFRE_EVENT_SENDERS_DIR": "/senders",
    "COFFRE_S3_ENDPOINT": "http://s3:9000",
    "COFFRE_S3_SECRET_KEY": "hidden",
}


def test_a_field_is_a_variable_and_secrets_stay_hidden() -> None:
    read = settings.read(Example, {**GOOD, "COFFRE_LEASE_SECONDS": "60", "OTHER": "x"})
    assert (read.s3_endpoint, read.lease_seconds) == ("http://s3:9000", 60)
    assert read.s3_secret_key.get_secret_value() == "hidden"
    assert "hidden" not in repr(read)


def test_every_missing_variable_is_named_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        settings.load(Example, {"COFFRE_S3_SECRET_KEY": "hidden", "COFFRE_AMQP_URL": ""})
    assert exit_.value.code == 2
    said = capsys.readouterr().err
    assert said == (
        "These environment variables must be set:"
        " COFFRE_DATABASE_URL, COFFRE_AMQP_URL, COFFRE_EVENT_KEY_FILE,"
        " COFFRE_EVENT_SENDERS_DIR, COFFRE_S3_ENDPOINT.\n"
    )


def test_a_wrong_value_is_named_and_not_shown() -> None:
    with pytest.raises(settings.InvalidSettings) as raised:
        settings.read(Example, {**GOOD, "COFFRE_LEASE_SECONDS": "hidden"})
    assert "COFFRE_LEASE_SECONDS" in str(raised.value)
    assert "hidden" not in str(raised.value)


def test_a_secret_may_stand_in_a_file_that_nobody_else_reads(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("hidden\n")
    file.chmod(0o600)
    environ = {**GOOD, "COFFRE_S3_SECRET_KEY": "", "COFFRE_S3_SECRET_KEY_FILE": str(file)}
    read = settings.read(Example, environ)
    assert read.s3_secret_key.get_secret_value() == "hidden"
    assert settings.read(Example, environ | {"COFFRE_S3_ENDPOINT_FILE": "/nowhere"}) == read

    file.chmod(0o644)
    with pytest.raises(settings.InvalidSettings, match="everybody on this machine"):
        settings.read(Example, environ)
    with pytest.raises(settings.InvalidSettings, match="can't be read"):
        settings.read(Example, environ | {"COFFRE_S3_SECRET_KEY_FILE": str(tmp_path / "none")})


def run(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_whole_installation_runs_at_another_date() -> None:
    code = "from libs.shared import clock; print(clock.now().isoformat())"
    later = datetime.fromisoformat(
        run(code, COFFRE_CLOCK_OFFSET_SECONDS=str(400 * 86400)).stdout.strip()
    )
    assert 399 <= (later - datetime.now(UTC)).days < 401


def test_today_depends_on_where_one_is() -> None:
    with time_machine.travel(datetime(2026, 11, 22, 23, 30, tzinfo=UTC)):
        assert str(clock.today("Europe/Paris")) == "2026-11-23"
        assert str(clock.today("UTC")) == "2026-11-22"


@pytest.mark.parametrize(
    ("armed", "passages"), [("here", 1), ("here:3", 3), ("elsewhere", None), ("", None)]
)
def test_a_crashpoint_ends_the_process_at_once(armed: str, passages: int | None) -> None:
    code = (
        "from libs.shared.crashpoints import crashpoint\n"
        "try:\n"
        "  for passage in range(1, 6):\n"
        "    print(passage, flush=True); crashpoint('here')\n"
        "finally: print('finally')"
    )
    done = run(code, COFFRE_CRASHPOINT=armed)
    if passages is None:
        assert done.returncode == 0
        assert done.stdout.endswith("finally\n")
    else:
        assert done.returncode == 137
        assert done.stdout.split() == [str(passage) for passage in range(1, passages + 1)]


def test_logs_are_one_json_object_a_line_with_ids_and_traces() -> None:
    code = (
        "import logging, structlog\n"
        "from libs.shared import logs\n"
        "logs.configure('quota')\n"
        "structlog.contextvars.bind_contextvars(request_id='r1')\n"
        "logs.get().info('run.committed', tenant_id='t')\n"
        "logging.getLogger('uvicorn.error').error('from a library')\n"
        "try: 1/0\n"
        "except ZeroDivisionError: logs.get().exception('request.failed')\n"
    )
    lines = [json.loads(line) for line in run(code).stderr.splitlines()]
    assert [line["event"] for line in lines] == [
        "run.committed",
        "from a library",
        "request.failed",
    ]
    assert all(line["request_id"] == "r1" and line["service"] == "quota" for line in lines)
    assert "ZeroDivisionError" in lines[2]["exception"]
