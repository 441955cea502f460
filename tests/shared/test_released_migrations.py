"""A new migration leaves the release before it working (docs/operations/upgrade.md)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from libs.shared.database import SERVICES

ROOT = Path(__file__).parents[2]
RELEASED = (Path(__file__).parent / "released_migrations.txt").read_text().split()
# What the version before may still use, or would fail at.
BREAKS = re.compile(
    r"""\bDROP\s+(TABLE|COLUMN|VIEW|FUNCTION|SCHEMA)\b
      | \bRENAME\b
      | \bREVOKE\b
      | \bALTER\s+(COLUMN\s+)?\w+\s+(SET\s+DATA\s+)?TYPE\b
      | \bSET\s+NOT\s+NULL\b
      | \bADD\s+(COLUMN\s+)?(IF\s+NOT\s+EXISTS\s+)?\w+\s+(?![^,;]*\bDEFAULT\b)[^,;]*\bNOT\s+NULL\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
# A file that contracts what an older release stopped using says which one that was.
CONTRACTS = re.compile(r"^-- Contracts: \d+\.\d+\.\d+ uses it no more\.$", re.MULTILINE)


def breaks(sql: str) -> list[str]:
    """The words by which a migration would break the release before it."""
    if CONTRACTS.search(sql):
        return []
    return [found[0] for found in BREAKS.finditer(re.sub(r"--.*", "", sql))]


def test_no_new_migration_breaks_the_release_before_it() -> None:
    there = [
        *ROOT.glob("services/*/migrations/*.sql"),
        *ROOT.glob("libs/shared/migrations/*/*.sql"),
    ]
    assert {str(file.relative_to(ROOT)) for file in there} >= set(RELEASED)
    for file in there:
        if str(file.relative_to(ROOT)) not in RELEASED:
            assert breaks(file.read_text()) == [], file


def test_services_are_migrated_in_any_order() -> None:
    """Whose a table is gives the right to it: another's migration may come first."""
    for service in SERVICES:
        others = "|".join(set(SERVICES) - {service})
        for file in (ROOT / "services" / service / "migrations").glob("*.sql"):
            sql = re.sub(r"--.*", "", file.read_text())
            assert re.findall(rf"\b(?:{others})\.[a-z_]+", sql) == [], file


@pytest.mark.parametrize(
    ("sql", "how_many"),
    [
        ("ALTER TABLE a ADD COLUMN b int; ALTER TABLE a ADD c text NOT NULL DEFAULT '';", 0),
        ("CREATE TABLE a (b int NOT NULL); DROP INDEX c; -- DROP TABLE d", 0),
        ("ALTER TABLE a DROP COLUMN b, RENAME c TO d;", 2),
        ("ALTER TABLE a ADD b int NOT NULL;", 1),
        ("ALTER TABLE a ALTER COLUMN b SET NOT NULL; DROP TABLE c;", 2),
        ("ALTER TABLE a ALTER b TYPE bigint; REVOKE SELECT ON a FROM coffre_quota;", 2),
        ("-- Contracts: 0.2.0 uses it no more.\nALTER TABLE a DROP COLUMN b;", 0),
    ],
)
def test_what_breaks_is_found(sql: str, how_many: int) -> None:
    assert len(breaks(sql)) == how_many
