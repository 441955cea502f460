"""The closed list of reasons: raised as it is listed, explained, and told of in the protocol."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from pydantic import TypeAdapter, ValidationError

from libs.shared import reasons
from libs.shared.reasons import CODES, Reason
from libs.shared.words import explanations
from libs.shared.words.explanations import next_step, say, say_missed

ROOT = Path(__file__).parents[2]
FULL = Reason("growth-blocked", "x", 5, 7, "why")


def raised() -> Iterator[tuple[str, str]]:
    """(code, place) of each reason that anybody can give; all are given by name."""
    services = ("ingest", "reporting", "retention")
    folders = (ROOT / "agent", *(ROOT / "services" / name for name in services))
    shared = [ROOT / "libs" / "shared" / f"{name}.py" for name in ("entries", "batches")]
    for folder in (*folders, *shared):
        for file in sorted(folder.rglob("*.py")) if folder.is_dir() else [folder]:
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Reason"):
                    place = f"{file.relative_to(ROOT)}:{node.lineno}"
                    assert node.args, f"{place}: the code comes first"
                    code = node.args[0]
                    assert isinstance(code, ast.Constant), f"{place}: write the code out"
                    yield code.value, place


def test_what_is_raised_is_what_is_listed() -> None:
    places = dict(raised())
    assert {code: place for code, place in places.items() if code not in CODES} == {}
    assert set(CODES) - set(places) == set(), "listed, and nobody says it"


def test_no_other_service_gives_a_reason() -> None:
    for folder in ("portal", "quota"):
        for file in (ROOT / "services" / folder).rglob("*.py"):
            assert "Reason(" not in file.read_text(encoding="utf-8"), file


def test_each_number_has_a_unit() -> None:
    for code, meaning in CODES.items():
        assert bool(meaning.amount or meaning.limit) == bool(meaning.unit), code
        assert meaning.kinds, code
        assert reasons.read({"code": code}) == Reason(code)


def test_the_protocol_lists_every_code_with_its_fields() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    section = page[page.index("## 9. Reasons") : page.index("## 10. ")]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("| `") and "`code`" not in line
    ]
    listed = {code.strip("`"): fields for code, _, *fields in rows}
    assert len(listed) == len(rows)
    assert listed == {
        code: [meaning.subject, meaning.amount, meaning.limit, meaning.unit, meaning.detail]
        for code, meaning in CODES.items()
    }
    assert all(what for _, what, *_ in rows)
    shared = {code.strip("`") for code, what, *_ in rows if what.endswith("(or in a restore)")}
    assert shared == {code for code, meaning in CODES.items() if len(meaning.kinds) > 1}


def test_a_reason_is_said_with_what_is_known_of_it() -> None:
    limit = "The stored volume has reached its limit, so nothing more can be added"
    assert say(FULL) == f"{limit}: 5 B stored, 7 B allowed (“why”)."
    more = Reason("growth-blocked", amount=5, limit=2 * 10**9)
    assert say(more) == f"{limit}: 5 B stored, 2.0 GB allowed."
    assert say(Reason("growth-blocked")) == f"{limit}."
    assert say(Reason("hook-failed")).endswith(": ? ended with status ?.")
    assert say(Reason("hook-timed-out", "/x {detail} [y]", limit=65, detail="z")) == (
        "The program to run before the backup failed: /x {detail} [y] took longer than 1 min"
        " 05 s and was stopped."
    )
    assert "behind by about 3 hours" in say(Reason("clock-behind", amount=3 * 3600))
    assert say(Reason("of-tomorrow", "a", detail="b")).endswith("no sentence for (a): b")
    assert next_step(Reason("of-tomorrow"))
    denied = Reason("permission-denied")
    assert say_missed(denied, is_folder=False) == say(denied)
    assert say_missed(denied, is_folder=True) == f"the folder can't be read: {say(denied)}"


def test_a_reason_travels_through_every_reader() -> None:
    written = json.dumps(reasons.write(FULL))
    newer = {**json.loads(written), "since": "tomorrow"}
    assert reasons.read(newer) == FULL
    assert TypeAdapter(Reason).validate_json(json.dumps(newer)) == FULL
    assert msgspec.json.decode(json.dumps(newer), type=Reason) == FULL
    assert json.loads(msgspec.json.encode(FULL)) == json.loads(written)
    assert reasons.write(None) is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        "a sentence",
        {},
        {"code": "No word"},
        {"code": "a" * 65},
        {"code": "x\n"},
        {"code": "x", "amount": 2**63},
        {"code": "x", "limit": -(2**63) - 1},
        {"code": "x", "amount": "many"},
        {"code": "x", "detail": 5},
        {"code": "x", "subject": None},
    ],
)
def test_what_is_no_reason_is_none(value: object) -> None:
    assert reasons.read(value) is None
    with pytest.raises(ValidationError):
        TypeAdapter(Reason).validate_python(value)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(value, Reason)


def test_a_reason_that_can_not_be_is_not_made() -> None:
    with pytest.raises(ValueError, match="small letters"):
        Reason("No word")
    with pytest.raises(ValueError, match="64 bits"):
        Reason("x", amount=2**63)


def test_sentences_cost_the_command_line_nothing() -> None:
    """The agent brings neither Babel nor Jinja, and most commands end well."""
    script = (
        "import sys, agent.commands.shell, agent.telling.failures\n"
        "assert 'libs.shared.words.explanations' not in sys.modules\n"
        "import libs.shared.words.explanations\n"
        "assert not {'babel', 'jinja2', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_places_are_filled_once() -> None:
    values = {"subject": "{detail}[{detail}]", "detail": ""}
    assert explanations.fill("{subject}[ ({detail})]{amount}", values) == "{detail}[{detail}]?"
