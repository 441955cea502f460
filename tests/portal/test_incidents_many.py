"""A history of a hundred thousand incidents: what an operator's list takes."""

from __future__ import annotations

import time
from typing import Any

import pytest


@pytest.mark.long
async def test_the_list_of_a_long_history(portal: Any) -> None:
    await portal.admin.execute(
        """INSERT INTO portal.incidents (incident_id, tenant_id, version, cause, rank, opened_at,
           last_at, times, acknowledged_by, note, closed_at, closed_by)
           SELECT gen_random_uuid(), md5((n % 500)::text)::uuid, 1, 'failed', 56,
               now() - n * interval '1 minute', now(), 1, '', '',
               CASE WHEN n % 500 > 0 THEN now() - n * interval '1 minute' END, ''
           FROM generate_series(1, 100000) n"""
    )
    await portal.admin.execute("ANALYZE portal.incidents")
    async with portal.operator() as api:
        await api.get("/api/v1/incidents")  # whatever is done once a process
        for query in ("", "?state=closed", "?cause=failed", "?cause=missed&state=closed"):
            began = time.perf_counter()
            answer = await api.get(f"/api/v1/incidents{query}")
            print(f"{query or 'open'}: {1000 * (time.perf_counter() - began):.0f} ms")
            assert len(answer.json()["incidents"]) == (0 if "missed" in query else 200)
