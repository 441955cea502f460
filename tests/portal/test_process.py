"""The portal as a process: its settings, its start, its readiness, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2

from tests.servers import free_port

ROOT = Path(__file__).parents[2]


def environment(database: Any, servers: Any, amqp_url: str, bucket: str, folder: Path) -> Any:
    """What the portal is told when it starts."""
    port = free_port()
    (folder / "master").write_text("11" * 32)
    (folder / "mail").write_text("22" * 32)
    (folder / "password").write_text("operator-password")
    (folder / "token").write_text("operator-token-of-the-process")
    return port, {
        "PATH": os.environ["PATH"],
        "COFFRE_DATABASE_URL": database.dsn("portal"),
        "COFFRE_AMQP_URL": amqp_url,
        "COFFRE_LISTEN": f"127.0.0.1:{port}",
        "COFFRE_S3_ENDPOINT": servers.s3_endpoint,
        "COFFRE_S3_ACCESS_KEY": servers.s3_access_key,
        "COFFRE_S3_SECRET_KEY": servers.s3_secret_key,
        "COFFRE_S3_BUCKET": bucket,
        "COFFRE_MASTER_KEY_FILE": str(folder / "master"),
        "COFFRE_MAIL_KEY_FILE": str(folder / "mail"),
        "COFFRE_PORTAL_URL": f"http://127.0.0.1:{port}",
        "COFFRE_INGEST_URL": "http://127.0.0.1:1",
        "COFFRE_OPERATOR_EMAIL": "operator@provider.example",
        "COFFRE_OPERATOR_PASSWORD_FILE": str(folder / "password"),
        "COFFRE_OPERATOR_TOKEN_FILE": str(folder / "token"),
    }


def test_it_starts_serves_publishes_and_ends(
    database: Any, servers: Any, amqp_url: str, bucket: str, tmp_path: Path
) -> None:
    port, env = environment(database, servers, amqp_url, bucket, tmp_path)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.portal"], cwd=ROOT, env=env, stderr=log
        )
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as web:
            deadline = time.monotonic() + 60
            while True:
                try:
                    if web.get("/health/ready").status_code == 200:
                        break
                except httpx2.TransportError:
                    pass
                assert process.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.2)
            bearer = {"Authorization": "Bearer operator-token-of-the-process"}
            assert web.get("/api/v1/tenants", headers=bearer).json() == {"tenants": []}
            assert "coffre_http_requests_total" in web.get("/metrics").text
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)
    assert code == 0, (tmp_path / "log").read_text()


def test_it_names_what_it_is_not_told() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.portal"],
        cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    for name in (b"COFFRE_DATABASE_URL", b"COFFRE_S3_BUCKET", b"COFFRE_OPERATOR_TOKEN_FILE"):
        assert name in done.stderr
