"""Texts that some program might take for a piece of itself, in every text of every operation that the OpenAPI lists:
what is taken is kept as it was sent, what is not is refused, and nothing is ever evaluated."""

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.platform import Api, Platform

NO_ONE = "01890000-0000-7000-8000-000000000000"
PROBES = (
    "' OR 1=1--",
    '"; DROP TABLE tickets; --',
    "{{1337*1337}} ${1337*1337} #{1337*1337} <%= 1337*1337 %>",
    "{0.__class__} {self.__init__.__globals__} {ticket.__class__} %s%n %(x)s",
    "../../../../etc/passwd",
    "a\r\nset-cookie: b=c",
    "a\0b",
    "\u202eevil\u200b\ufeff",
    "=HYPERLINK(1)",
)
BOMB = "(a+)+$" + "a" * 10_000 + "!"
# What one of them comes to where it is evaluated.
EVALUATED = re.compile(r"1787569|<class '|root:[x*]:|__main__|Traceback|syntax error at")
# What the other tests share, or what ends the caller's own session.
LEFT_OUT = ("/api/v1/platform/", "/api/v1/portal/session/")
Schema = Mapping[str, Any]
# No two samples are alike: an alert that is like another is only counted.
_numbers = itertools.count(1)


class Document:
    """The published OpenAPI."""

    def __init__(self, api: Api) -> None:
        self._whole: Schema = api.get("/openapi").json()

    def operations(self) -> Iterator[tuple[str, str, Schema]]:
        for path, item in self._whole["paths"].items():
            for verb, operation in item.items():
                if verb in ("get", "post", "put", "patch") and not path.startswith(LEFT_OUT):
                    yield verb.upper(), path, operation

    def body(self, operation: Schema) -> Schema | None:
        content = operation.get("requestBody", {}).get("content", {})
        found = next((content[each] for each in content if each.endswith("json")), None)
        schema = self.resolved(found["schema"]) if found and "schema" in found else {}
        return schema if "properties" in schema else None

    def resolved(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            target: Any = self._whole
            for part in schema["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            schema = target
        return schema

    def is_text(self, schema: Schema) -> bool:
        found = self.resolved(schema)
        kinds = found.get("type")
        return (kinds == "string" or (isinstance(kinds, list) and "string" in kinds)) and "enum" not in found

    def sample(self, schema: Schema, name: str, known: Mapping[str, str]) -> Any:
        """Something that may be there, to get past what is not probed."""
        found = self.resolved(schema)
        kind = found.get("type")
        if name in known:
            return known[name]
        if "enum" in found:
            return found["enum"][0]
        if kind == "object":
            properties = found.get("properties", {})
            return {each: self.sample(properties[each], each, known) for each in found.get("required", ())}
        if kind == "array":
            return [self.sample(found["items"], name, known)] if found.get("minItems") else []
        if kind in ("integer", "number"):
            return found.get("minimum", 1)
        if kind == "boolean":
            return False
        return {"uuid": NO_ONE, "date-time": "2030-01-01T00:00:00Z", "date": "2030-01-01", "email": "a@b.example"}.get(
            found.get("format", ""), "1" if "pattern" in found else f"Sample {next(_numbers)}"
        )


@pytest.fixture
def admin(platform: Platform) -> Iterator[Api]:
    with platform.api(("msp_admin",)) as api:
        yield api


def test_no_text_of_a_change_is_evaluated(admin: Api) -> None:
    document, wrong, taken = Document(admin), [], set()
    known = {"clientId": admin.new_client()["id"], "currency": "EUR"}
    for verb, path, operation in document.operations():
        body = document.body(operation)
        if verb == "GET" or body is None:
            continue
        where = re.sub(r"\{[^}]*\}", NO_ONE, path.removeprefix("/api/v1"))
        texts = [name for name, each in body["properties"].items() if document.is_text(each)]
        for name, probe in itertools.product(texts, PROBES):
            whole = document.sample({**body, "type": "object"}, "", known)
            answer = admin.request(verb, where, json={**whole, name: probe})
            kept = probe
            if answer.is_success:
                kept = answer.json().get(name, probe)
                taken.add((path, name))
            if answer.status_code >= 500 or kept != probe or EVALUATED.search(answer.text):
                wrong.append((verb, path, name, probe, answer.status_code, answer.text[:200]))
    assert wrong == []
    # Enough got through to where it could do harm.
    assert len(taken) > 40, sorted(taken)


def test_no_text_of_a_query_is_evaluated(admin: Api) -> None:
    document, wrong, asked = Document(admin), [], 0
    admin.new_ticket()
    for verb, path, operation in document.operations():
        if verb != "GET" or "{" in path or not path.startswith("/api/v1/"):
            continue
        for each in (document.resolved(parameter) for parameter in operation.get("parameters", ())):
            if each["in"] != "query" or not document.is_text(each.get("schema", {})):
                continue
            for probe in (*PROBES, BOMB[:7_000]):
                answer = admin.get(path.removeprefix("/api/v1"), params={each["name"]: probe})
                asked += 1
                if answer.status_code not in (200, 400, 422) or EVALUATED.search(answer.text):
                    wrong.append((path, each["name"], probe[:40], answer.status_code, answer.text[:200]))
    assert wrong == []
    assert asked > 200
