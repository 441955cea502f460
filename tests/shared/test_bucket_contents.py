"""What a run's objects hold: it comes back from where it was put, and opens nowhere else."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
import zstandard

from libs.shared import bucket
from libs.shared.bucket import RunObject
from libs.shared.entries import Entry
from libs.shared.keys import TenantKeys
from libs.shared.reasons import Reason

TENANT = UUID("6f0c3a52-58a3-4a4e-9a0e-2f5a3c1b7d10")
STRANGER = UUID("6f0c3a52-58a3-4a4e-9a0e-2f5a3c1b7d11")
PLAN = UUID("aaaaaaaa-58a3-4a4e-9a0e-2f5a3c1b7d10")
KEYS = TenantKeys(bytes(range(32)), bytes(range(32, 64)))
NOW = datetime(2026, 11, 22, 2, 14, tzinfo=UTC)
SHA256 = hashlib.sha256(b"sealed").hexdigest()


def make_head() -> bucket.Head:
    part = bucket.StoredPart(bucket.key_of_part(TENANT, PLAN, 7, 0, SHA256), SHA256, 3)
    return bucket.Head(
        tenant_id=TENANT,
        plan_id=PLAN,
        plan="docs",
        plan_version=1,
        plan_created_at=NOW,
        agent_id=PLAN,
        hostname="caisse",
        platform="linux",
        agent_version="1",
        enrolled_at=NOW,
        declaration={"folders": ["/srv"]},
        run_id=PLAN,
        number=7,
        parent=6,
        full=False,
        started_at=NOW,
        asked_at=NOW,
        outcome="succeeded",
        reason=None,
        counters={"files_total": 3},
        parts=[part],
    )


def make_end() -> bucket.End:
    return bucket.End(
        tenant_id=TENANT,
        plan_id=PLAN,
        run_id=PLAN,
        number=7,
        state="committed",
        head_key=bucket.key_of_head(TENANT, PLAN, 7, SHA256),
        finished_at=NOW,
        outcome="succeeded",
        reason=Reason("abandoned", limit=60, detail="foreign words"),
        files_total=3,
        bytes_protected=30,
        superseded_from=None,
    )


def make_list() -> bucket.ListHead:
    point = bucket.Point(
        number=7,
        run_id=PLAN,
        parent=6,
        started_at=NOW,
        committed_at=NOW,
        outcome="succeeded",
        reason=None,
        files_total=3,
        bytes_protected=30,
    )
    return bucket.ListHead(
        tenant_id=TENANT,
        plan_id=PLAN,
        number=7,
        versions=3,
        digest="0" * 64,
        points=[point],
        received={7: NOW},
        parts=[],
    )


def test_heads_ends_and_lists_come_back_from_where_they_are_put() -> None:
    head, end, whole = make_head(), make_end(), make_list()
    sealed = bucket.seal_head(head, KEYS)
    found = bucket.parse_key(sealed.key)
    assert isinstance(found, RunObject)
    assert (found.tenant_id, found.plan_id, found.number, found.kind) == (TENANT, PLAN, 7, "head")
    assert bucket.open_as(sealed.body, KEYS, sealed.key, bucket.Head) == head
    assert bucket.seal_head(head, KEYS) == sealed, "put again, it is the same object"
    sealed = bucket.seal_end(end, KEYS)
    assert sealed.key == bucket.key_of_end(TENANT, PLAN, 7)
    assert bucket.open_as(sealed.body, KEYS, sealed.key, bucket.End) == end
    sealed = bucket.seal_list(whole, KEYS)
    assert sealed.key == bucket.key_of_list(TENANT, PLAN, 7)
    assert bucket.open_as(sealed.body, KEYS, sealed.key, bucket.ListHead) == whole


def test_a_seal_opens_nowhere_but_in_its_place() -> None:
    """The same keys, and yet: no other tenant, plan, run or kind, and no damaged bit."""
    sealed = bucket.seal_end(make_end(), KEYS)
    elsewhere = [
        bucket.key_of_end(STRANGER, PLAN, 7),
        bucket.key_of_end(TENANT, STRANGER, 7),
        bucket.key_of_end(TENANT, PLAN, 8),
        bucket.key_of_list(TENANT, PLAN, 7),
    ]
    for key in elsewhere:
        with pytest.raises(bucket.Unreadable, match="is damaged"):
            bucket.open_object(sealed.body, KEYS, key)
    for place in (0, 20, len(sealed.body) - 1):
        damaged = bytearray(sealed.body)
        damaged[place] ^= 1
        with pytest.raises(bucket.Unreadable, match="is damaged"):
            bucket.open_object(bytes(damaged), KEYS, sealed.key)
    others = TenantKeys(bytes(range(1, 33)), KEYS.chunk_key)
    with pytest.raises(bucket.Unreadable, match="is damaged"):
        bucket.open_object(sealed.body, others, sealed.key)
    with pytest.raises(bucket.Unreadable, match="can't be understood"):
        bucket.open_as(sealed.body, KEYS, sealed.key, bucket.ListHead)


def test_a_part_is_the_one_that_its_head_names() -> None:
    body = b"a batch"
    sha256 = hashlib.sha256(body).hexdigest()
    part = bucket.StoredPart(bucket.key_of_part(TENANT, PLAN, 7, 0, sha256), sha256, 1)
    sealed = bucket.seal_object(body, KEYS, part.key)
    assert bucket.open_part(sealed, KEYS, part) == body
    # Sealed by us under this very key, and still not what the head speaks of.
    another = bucket.seal_object(b"another", KEYS, part.key)
    with pytest.raises(bucket.Unreadable, match="not the part"):
        bucket.open_part(another, KEYS, part)


def test_folders_of_a_list_come_back_and_nothing_else_does() -> None:
    entry = Entry(b"a\xff", "f", 0o644, 1, 0, 0, 5, b"", bytes(32))
    folders = [bucket.ListedFolder(b"srv", [entry, entry], [1, 3], [2, None])]
    body = bucket.encode_folders(folders)
    assert bucket.decode_folders(body) == folders
    no_folders = zstandard.compress(msgspec.msgpack.encode({"folder": "srv"}))
    for other in (b"", b"x", body[:-1], no_folders):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever the libraries say of it
            bucket.decode_folders(other)
