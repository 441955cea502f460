"""A new master key: tenants' keys are wrapped anew, and nothing that they seal is touched."""

from __future__ import annotations

from dataclasses import dataclass, field

from libs.shared import bucket, logs
from libs.shared.bucket import KeysObject
from libs.shared.keys import KeyRing, KeysDestroyed, KeysUnreadable
from libs.shared.objects import ObjectStore


@dataclass
class Rotated:
    """How many tenants' keys were wrapped anew, how many were already, and which can't be."""

    rewrapped: int = 0
    were_new: int = 0
    troubles: list[str] = field(default_factory=list)


async def rotate_master_key(objects: ObjectStore, ring: KeyRing) -> Rotated:
    """Wraps all keys in the bucket under the ring's newer key; can be cut short and repeated."""
    rotated = Rotated()
    async for key, _ in objects.list(bucket.KEYS_PREFIX):
        found = bucket.parse_key(key)
        if not isinstance(found, KeysObject):
            rotated.troubles.append(f"{key}: nothing of ours")
            continue
        try:
            if await ring.rewrap(found.tenant_id):
                rotated.rewrapped += 1
            else:
                rotated.were_new += 1
        except KeysDestroyed:
            continue  # destroyed since the listing
        except KeysUnreadable as trouble:
            rotated.troubles.append(f"{key}: {trouble}")
    logs.get().info(
        "master_key.rotated", rewrapped=rotated.rewrapped, troubles=len(rotated.troubles)
    )
    return rotated


def describe_rotated(rotated: Rotated) -> str:
    """What came of it, and whether the old key may go, for a person."""
    done = (
        f"{rotated.rewrapped} tenants' keys were wrapped under the new master key,"
        f" {rotated.were_new} were already."
    )
    if rotated.troubles:
        verdict = "Keep the old key: these could not be, and still need it or are damaged:"
        return "\n".join([done, verdict, *(f"  {trouble}" for trouble in rotated.troubles)])
    return (
        f"{done}\nNothing needs the old key any more: take COFFRE_MASTER_KEY_PREVIOUS_FILE away"
        " from all services. Keep the old key for as long as you keep older copies of the bucket."
    )
