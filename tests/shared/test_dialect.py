"""SQL is written in one way: below the line of its call, as it can be pasted into psql."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CALLS = {"execute", "executemany", "fetch", "fetchrow", "fetchval", "cursor", "prepare"}


def find_statements(source: str) -> Iterator[tuple[int, str]]:
    """(line, the statement as it is written) of each that is given to a connection."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr in CALLS and node.args:
            statement = node.args[0]
            if isinstance(statement, (ast.Constant, ast.JoinedStr, ast.BinOp)):
                yield statement.lineno, ast.get_source_segment(source, statement) or ""


def is_pasteable(written: str) -> bool:
    """Is it one string in three quotes that begins and ends on lines of its own?"""
    first, _, rest = written.removeprefix("f").partition("\n")
    return first == '"""' and rest.rpartition("\n")[2].strip() == '"""'


def test_every_statement_of_a_store_can_be_pasted() -> None:
    stores = [*ROOT.glob("services/*/store.py"), *ROOT.glob("services/*/store/**/*.py")]
    glued = [
        f"{store.relative_to(ROOT)}:{line}"
        for store in stores
        for line, written in find_statements(store.read_text())
        if not is_pasteable(written)
    ]
    assert glued == []
    assert sum(1 for store in stores for _ in find_statements(store.read_text())) > 150


def test_what_is_glued_is_seen() -> None:
    glued = 'async def f(conn):\n    await conn.execute("SELECT 1," " 2")\n'
    ((line, written),) = find_statements(glued)
    assert line == 2
    assert not is_pasteable(written)
