"""The names of objects in the bucket: read as they are made, and nothing else is read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from libs.shared import bucket
from libs.shared.bucket import KeysObject, PackObject, RunObject, RunObjects, TallyObject

TENANT = UUID("6f0c3a52-58a3-4a4e-9a0e-2f5a3c1b7d10")
STRANGER = UUID("6f0c3a52-58a3-4a4e-9a0e-2f5a3c1b7d11")
PLAN = UUID("aaaaaaaa-58a3-4a4e-9a0e-2f5a3c1b7d10")
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
    bucket.key_of_tally: (st.uuids(), st.integers(1, 10**18 - 1)),
}


@st.composite
def keys_of_all_kinds(draw: st.DrawFn) -> tuple[UUID, str]:
    """(tenant, key) by any maker."""
    maker = draw(st.sampled_from(list(MAKERS)))
    arguments = draw(st.tuples(*MAKERS[maker]))
    return arguments[0], maker(*arguments)


def make(found: KeysObject | PackObject | RunObject | TallyObject) -> str:
    """The key that what was read from one stands for."""
    if isinstance(found, KeysObject):
        return bucket.key_of_keys(found.tenant_id)
    if isinstance(found, PackObject):
        return bucket.key_of_pack(found.tenant_id, found.pack_id)
    if isinstance(found, TallyObject):
        return bucket.key_of_tally(found.tenant_id, found.sequence)
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
        f"t/{TENANT}/tallies/57": (bucket.key_of_tally(TENANT, 57), TallyObject(TENANT, 57)),
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
    makers = {name for name in bucket.__all__ if name.startswith("key_of_")}
    assert {maker.__name__ for maker in MAKERS} == makers - {"key_of_erased"}


def test_what_says_that_a_tenant_is_destroyed_is_destroyed_with_none() -> None:
    key = bucket.key_of_erased(TENANT)
    assert key == f"erased/{TENANT}"
    assert not key.startswith(tuple(bucket.prefixes_of(TENANT)))
    assert bucket.parse_key(key) is None


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
