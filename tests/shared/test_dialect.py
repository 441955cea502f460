"""SQL is written in one way: below the line of its call, as it can be pasted into psql."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CALLS = {"execute", "executemany", "fetch", "fetchrow", "fetchval", "cursor", "prepare"}


def find_statements(source: str) -> Iterator[tuple[int, str]]:
    """(line, the statement as it is written) of each that is given to a connection."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr in CALLS and node.args:
            statement = node.args[0]
            if isinstance(statement, (ast.Constant, ast.JoinedStr, ast.BinOp)):
                written = lines[statement.lineno - 1 : statement.end_lineno]
                written[-1] = written[-1][: statement.end_col_offset]
                written[0] = written[0][statement.col_offset :]
                yield statement.lineno, "\n".join(written)


def is_pasteable(written: str) -> bool:
    """Is it one string in three quotes that begins and ends on lines of its own?"""
    first, _, rest = written.removeprefix("f").partition("\n")
    return first == '"""' and rest.rpartition("\n")[2].strip() == '"""'


def find_all(pattern: str) -> dict[str, str]:
    """Where each statement stands in the files of a pattern, and as what."""
    return {
        f"{file.relative_to(ROOT)}:{line}": written
        for file in ROOT.glob(pattern)
        for line, written in find_statements(file.read_text())
    }


def test_every_statement_of_a_store_can_be_pasted() -> None:
    found = find_all("services/*/store/**/*.py")
    assert [place for place, written in found.items() if not is_pasteable(written)] == []
    assert len(found) > 400


def test_no_statement_of_the_libraries_is_glued() -> None:
    found = find_all("libs/**/*.py")
    short = {place for place, written in found.items() if "\n" not in written}
    assert [one for one in found if one not in short and not is_pasteable(found[one])] == []


def test_all_sql_of_a_service_is_in_its_store() -> None:
    inside = find_all("services/*/store/**/*.py")
    assert [place for place in find_all("services/**/*.py") if place not in inside] == []


def test_what_is_glued_is_seen() -> None:
    glued = 'async def f(conn):\n    await conn.execute("SELECT 1," " 2")\n'
    ((line, written),) = find_statements(glued)
    assert line == 2
    assert not is_pasteable(written)


def find_classes(folder: Path) -> Iterator[tuple[str, str]]:
    """(name, its file) of each class that others may use; not how an answer of the API looks."""
    for file in folder.rglob("*.py"):
        where = file.relative_to(ROOT).as_posix()
        # A line of the access log is called as the event of the same matter.
        if "/api/" in where or "/rules/log/acts/" in where:
            continue
        for name in re.findall(r"(?m)^class ([A-Z]\w*)", file.read_text()):
            yield name, where


def test_no_two_things_in_sight_of_each_other_have_one_name() -> None:
    shared = list(find_classes(ROOT / "libs"))
    for service in sorted((ROOT / "services").glob("*/")):
        named: dict[str, set[str]] = {}
        for name, where in (*shared, *find_classes(service)):
            named.setdefault(name, set()).add(where)
        doubled = {name: places for name, places in named.items() if len(places) > 1}
        assert doubled == {}, service.name
