"""How large and how slow a body may be, for every route that takes one."""

from __future__ import annotations

from libs.shared import batches, packs
from libs.shared.entries import CHUNK_ID_BYTES
from libs.shared.web import Limit, Limits
from services.ingest.actions.intake.packs import MAX_IDS

_OPEN = Limit(16 << 10, seconds=10, pause_seconds=5)  # anybody may send it
_PLAN = Limit(1 << 20, seconds=60, most_values=12_000)
_START = Limit(16 << 10, seconds=60)
_ENDING = Limit(8 << 20, seconds=60, most_values=20_000)  # may name a thousand long paths
_IDS = Limit(MAX_IDS * CHUNK_ID_BYTES, seconds=60)
_BATCH = Limit(batches.MAX_BATCH_BYTES, seconds=120)
_PACK = Limit(packs.MAX_PACK_BYTES, seconds=600, in_pieces=True)


def limit_bodies(max_file_bytes: int) -> Limits:
    """The table; a whole file may take as long as it needs, if it keeps its rate on average."""
    return {
        ("POST", "/v1/enrolments"): _OPEN,
        ("PUT", "/v1/plans/{name}"): _PLAN,
        ("POST", "/v1/runs"): _START,
        ("POST", "/v1/runs/{run_id}/missing"): _IDS,
        ("PUT", "/v1/runs/{run_id}/packs/{pack}"): _PACK,
        ("POST", "/v1/runs/{run_id}/entries"): _BATCH,
        ("PUT", "/v1/runs/{run_id}/files/{path:anything}"): Limit(
            max_file_bytes, seconds=300, pause_seconds=300, least_rate=10_000, in_pieces=True
        ),
        ("POST", "/v1/runs/{run_id}/commit"): _ENDING,
        ("POST", "/v1/runs/{run_id}/abort"): _ENDING,
    }
