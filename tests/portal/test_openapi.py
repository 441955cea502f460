"""The API describes itself: every operation in words, with an example that fits its schema."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from fastapi import FastAPI

from services.portal import api
from tests.routes import list_routes


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    app = FastAPI()
    app.include_router(api.router)
    api.openapi.install(app)
    shown = app.openapi()
    missing = {
        (method, path)
        for method, path in list_routes(app)
        if path.startswith("/api/") and method.lower() not in shown["paths"].get(path, {})
    }
    assert missing == {("GET", "/api/v1/openapi.json")}
    return shown


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, of_path in document["paths"].items()
        for method, operation in of_path.items()
    ]


def check(document: dict[str, Any], schema: dict[str, Any], example: Any, where: str) -> None:
    """Raises where an example is none of its schema."""
    whole = {**schema, "components": document["components"]}
    try:
        jsonschema.validate(example, whole, format_checker=jsonschema.FormatChecker())
    except jsonschema.ValidationError as error:
        raise AssertionError(f"{where}: {error.message}") from None


def test_every_operation_has_examples_that_fit(document: dict[str, Any]) -> None:
    lacking = []
    for name, operation in operations(document):
        assert operation["description"], name
        lacking += [
            f"{name}: {parameter['name']}"
            for parameter in operation.get("parameters", ())
            if parameter["required"] and "example" not in parameter
        ]
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]["application/json"]
            if "example" in content:
                check(document, content["schema"], content["example"], name)
            elif operation["requestBody"].get("required"):
                lacking.append(f"{name}: what is sent")
        good = {code: one for code, one in operation["responses"].items() if code[0] == "2"}
        for code, answer in good.items():
            content = answer.get("content", {}).get("application/json")
            if content is None:
                continue
            if "example" in content:
                check(document, content["schema"], content["example"], f"{name} {code}")
            else:
                lacking.append(f"{name}: its answer {code}")
    assert not lacking


def test_examples_are_of_what_they_stand_for(document: dict[str, Any]) -> None:
    """A code that lets a machine in is no cause, and no code of an app."""

    def find(operation: str) -> tuple[Any, Any]:
        of = dict(operations(document))[operation]
        [answer] = [one for code, one in of["responses"].items() if code[0] == "2"]
        asked = of.get("requestBody", {"content": {"application/json": {}}})["content"]
        return (
            asked["application/json"].get("example"),
            answer["content"]["application/json"]["example"],
        )

    _, destructions = find("GET /api/v1/destructions")
    assert destructions["destructions"][0]["reasons"][0]["code"].islower()
    _, setup = find("POST /api/v1/second-factors/totp")
    assert setup["address"].startswith("otpauth://totp/")
    assert find("POST /api/v1/second-factors/totp/confirm")[0]["code"].isdecimal()


def list_free(document: dict[str, Any], schema: dict[str, Any], where: str) -> set[str]:
    """The places of a schema at which anything may stand."""
    found: set[str] = set()
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        # Each is followed once: some hold themselves.
        return {name} if name in where.split() else list_free(
            document, document["components"]["schemas"][name], f"{where} {name}"
        ) - {name}  # fmt: skip
    inner = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("prefixItems", ())]
    inner += [schema[key] for key in ("items", "additionalProperties") if schema.get(key)]
    for name, of in schema.get("properties", {}).items():
        found |= list_free(document, of, f"{where} .{name}")
    for of in inner:
        found |= {where} if of is True else list_free(document, of, where)
    told = {"enum", "const", *(("properties",) if schema.get("type") == "object" else ("type",))}
    return found if found or inner or told & schema.keys() else {where}


def test_every_answer_is_told_to_its_last_member(document: dict[str, Any]) -> None:
    free: set[str] = set()
    for name, operation in operations(document):
        for code, answer in operation["responses"].items():
            content = answer.get("content", {}).get("application/json")
            if code[0] == "2" and content is not None:
                free |= list_free(document, content["schema"], name)
    assert free == set()
    assert list_free(document, {"type": "object", "additionalProperties": True}, "x") == {"x"}
    assert list_free(document, {"properties": {"a": {}}, "type": "object"}, "x") == {"x .a"}


def test_no_operation_is_described_twice(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids))
