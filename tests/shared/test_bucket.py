"""The bucket's names and what a run's objects hold: read as they are made, bound to their place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from libs.shared import bucket
from libs.shared.bucket import KeysObject, PackObject, RunObject, RunObjects
from libs.shared.entries import Entry
from libs.shared.keys import TenantKeys
from libs.shared.reasons import Reason

TENANT = UUID("6f0c3a52-58a3-4a4e-9a0e-2f5a3c1b7d10")
STRANGER = UUID("6f0c3a52-58a3-4a4e-9a0e-2f5a3c1b7d11")
PLAN = UUID("aaaaaaaa-58a3-4a4e-9a0e-2f5a3c1b7d10")
KEYS = TenantKeys(bytes(range(32)), bytes(range(32, 64)))
NOW = datetime(2026, 11, 22, 2, 14, tzinfo=UTC)
SHA256 = hashlib.sha256(b"sealed").hexdigest()
RUNS = f"t/{TENANT}/runs/{PLAN}"

RUN = (st.uuids(), st.uuids(), st.integers(1, 999_999_999))
PLACE = st.integers(0, 999_999_999)
HASH = st.binary(min_size=32, max_size=32)
HEX = HASH.map(bytes.hex)
MAKERS: dict[Callable[..., str], tuple[st.SearchStrategy[Any], ...]] = {
    bucket.key_of_keys: (st.uuids(),),
    bucket.key_of_pack: (st.uuids(), HASH),
    bucket.key_of_part: (*RUN, PLACE, HEX),
    bucket.key_of_head: (*RUN, HEX),
    bucket.key_of_end: RUN,
    bucket.key_of_list: RUN,
    bucket.key_of_list_part: (*RUN, PLACE, HEX),
}


@st.composite
def keys_of_all_kinds(draw: st.DrawFn) -> tuple[UUID, str]:
    """(tenant, key) by any maker."""
    maker = draw(st.sampled_from(list(MAKERS)))
    arguments = draw(st.tuples(*MAKERS[maker]))
    return arguments[0], maker(*arguments)


def make(found: KeysObject | PackObject | RunObject) -> str:
    """The key that what was read from one stands for."""
    if isinstance(found, KeysObject):
        return bucket.key_of_keys(found.tenant_id)
    if isinstance(found, PackObject):
        return bucket.key_of_pack(found.tenant_id, found.pack_id)
    run = found.tenant_id, found.plan_id, found.number
    assert (found.place is None) == (found.kind not in {"part", "list-part"})
    place = found.place or 0
    return {
        "part": bucket.key_of_part(*run, place, found.digest),
        "head": bucket.key_of_head(*run, found.digest),
        "end": bucket.key_of_end(*run),
        "list": bucket.key_of_list(*run),
        "list-part": bucket.key_of_list_part(*run, place, found.digest),
    }[found.kind]


def test_names_are_those_of_the_protocol() -> None:
    pack_id = bytes.fromhex("ab" * 32)
    run = TENANT, PLAN, 7
    digest = SHA256[:16]
    told = {
        f"keys/{TENANT}": (bucket.key_of_keys(TENANT), KeysObject(TENANT)),
        f"t/{TENANT}/packs/ab/{'ab' * 32}": (
            bucket.key_of_pack(TENANT, pack_id),
            PackObject(TENANT, pack_id),
        ),
        f"{RUNS}/7.12.{digest}": (
            bucket.key_of_part(*run, 12, SHA256),
            RunObject(*run, "part", 12, digest),
        ),
        f"{RUNS}/7.head.{digest}": (
            bucket.key_of_head(*run, SHA256),
            RunObject(*run, "head", None, digest),
        ),
        f"{RUNS}/7.end": (bucket.key_of_end(*run), RunObject(*run, "end")),
        f"{RUNS}/7.list": (bucket.key_of_list(*run), RunObject(*run, "list")),
        f"{RUNS}/7.list.0.{digest}": (
            bucket.key_of_list_part(*run, 0, SHA256),
            RunObject(*run, "list-part", 0, digest),
        ),
    }
    for key, (made, found) in told.items():
        assert made == key
        assert bucket.parse_key(key) == found
        assert make(found) == key


def test_every_maker_is_tried() -> None:
    assert {maker.__name__ for maker in MAKERS} == {
        name for name in bucket.__all__ if name.startswith("key_of_")
    }


@given(keys_of_all_kinds())
def test_what_is_made_is_read_and_lies_with_its_tenant(made: tuple[UUID, str]) -> None:
    """A destruction that empties `prefixes_of` leaves nothing of a tenant, and takes no other's."""
    tenant_id, key = made
    found = bucket.parse_key(key)
    assert found is not None
    assert make(found) == key
    assert found.tenant_id == tenant_id
    assert bucket.find_tenant(key) == tenant_id
    assert key.startswith(bucket.prefixes_of(tenant_id))
    assert not key.startswith(bucket.prefixes_of(STRANGER))


@given(keys_of_all_kinds(), st.integers(0, 200), st.integers(0, 2), st.text(max_size=2))
@example((TENANT, bucket.key_of_end(TENANT, PLAN, 7)), 200, 0, "\n")
@example(
    (TENANT, bucket.key_of_end(TENANT, PLAN, 1)), len(f"{RUNS}/"), 1, "\N{ARABIC-INDIC DIGIT ONE}"
)
@example((TENANT, bucket.key_of_end(TENANT, PLAN, 7)), len(f"{RUNS}/"), 0, "0")
@example((TENANT, bucket.key_of_keys(TENANT)), 200, 0, "/x")
def test_nothing_else_is_read(made: tuple[UUID, str], at: int, cut: int, more: str) -> None:
    """One form for each thing: what reads like it and isn't what we would make is foreign."""
    _, key = made
    changed = key[:at] + more + key[at + cut :]
    found = bucket.parse_key(changed)
    assert found is None or make(found) == changed


@pytest.mark.parametrize(
    "key",
    [
        "",
        "keys/",
        "keys/notes.txt",
        f"keys/{TENANT.hex}",
        f"keys/{str(TENANT).upper()}",
        f"t/{TENANT}",
        f"t/{TENANT}/packs/",
        f"t/{TENANT}/packs/{'ab' * 32}",
        f"t/{TENANT}/packs/00/{'ab' * 32}",
        f"t/{TENANT}/packs/ab/{'AB' * 32}",
        f"t/{TENANT}/packs/ab/{'ab' * 31}",
        f"t/{TENANT}/packs/00/notes.txt",
        f"t/notes/packs/ab/{'ab' * 32}",
        f"{RUNS}/7",
        f"{RUNS}/0.end",
        f"{RUNS}/07.end",
        f"{RUNS}/1234567890.end",
        f"{RUNS}/7.end.{SHA256[:16]}",
        f"{RUNS}/7.head",
        f"{RUNS}/7.head.{SHA256}",
        f"{RUNS}/7.list.{SHA256[:16]}",
        f"{RUNS}/7.00.{SHA256[:16]}",
        f"t/{TENANT}/runs/docs/7.end",
        f"old/{RUNS}/7.end",
    ],
)
def test_foreign_names_are_told_as_foreign(key: str) -> None:
    assert bucket.parse_key(key) is None


@given(
    st.sets(
        st.one_of(
            keys_of_all_kinds().map(lambda made: made[1]),
            st.uuids().map(lambda tenant_id: f"t/{tenant_id}/notes.txt"),
            st.uuids().map(lambda tenant_id: f"t/{tenant_id}"),
            st.text(max_size=3).map(lambda name: f"t/{name}"),
            st.text(max_size=3).map(lambda name: f"t/{name}/x"),
        )
    )
)
def test_a_listing_that_skips_folders_meets_every_tenant(keys: set[str]) -> None:
    def first_behind(after: str) -> str | None:
        return min(
            (key for key in keys if key.startswith(bucket.TENANTS_PREFIX) and key > after),
            default=None,
        )

    met = []
    after = ""
    while first := first_behind(after):
        met.append(bucket.find_tenant(first))
        after = bucket.skip_folder(first)
        assert after >= first
    tenants = [tenant_id for tenant_id in met if tenant_id is not None]
    assert len(tenants) == len(set(tenants)), "a key of each is read"
    below = [key for key in keys if key.startswith(bucket.TENANTS_PREFIX)]
    assert set(tenants) == {bucket.find_tenant(key) for key in below} - {None}


def test_a_plans_objects_are_found_by_their_runs() -> None:
    runs = RunObjects(PLAN)
    keys = [
        bucket.key_of_head(TENANT, PLAN, 1, "a" * 64),
        bucket.key_of_head(TENANT, PLAN, 1, "b" * 64),
        bucket.key_of_head(TENANT, PLAN, 2, SHA256),
        bucket.key_of_end(TENANT, PLAN, 1),
        bucket.key_of_list(TENANT, PLAN, 2),
        bucket.key_of_list_part(TENANT, PLAN, 2, 0, SHA256),
        bucket.key_of_part(TENANT, PLAN, 3, 0, SHA256),
    ]
    for key in keys:
        found = bucket.parse_key(key)
        assert isinstance(found, RunObject)
        runs.add(key, found)
    assert runs.heads == {1: keys[:2], 2: [keys[2]]}
    assert runs.ends == {1: keys[3]}
    assert runs.lists == {2: keys[4]}
    assert runs.last_number == 3, "also of a run that left nothing but parts"


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
