"""AgentField's JSON, as it is read; and the schemas that agents bring."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Invalid, Malformed
from services.agent_runtime.nodes import wire
from services.agent_runtime.nodes.offer import output_schema
from services.agent_runtime.nodes.schemas import usable

# As the SDK 0.1.144 sends it.
REGISTRATION: dict[str, Any] = {
    "id": "inventory",
    "team_id": "default",
    "base_url": "http://127.0.0.1:8001/",
    "version": "1.2.0",
    "reasoners": [
        {
            "id": "count",
            "input_schema": {
                "type": "object",
                "properties": {"items": {"type": "array", "items": {"type": "string"}}},
                "required": ["items"],
            },
            "output_schema": {"type": "object"},
            "memory_config": {"auto_inject": [], "memory_retention": "session", "cache_results": False},
            "return_type_hint": "dict",
            "tags": [],
            "vc_enabled": False,
            "description": "Count\n items.",
            "accepts_webhook": "warn",
        }
    ],
    "skills": [{"id": "double", "input_schema": {"type": "object"}}, {"id": "count"}],
    "instance_id": "34ca2991fdcd49ecb9e890d01ecaf5ed",
    "lifecycle_status": "starting",
    "metadata": {"deployment": {"tags": {"language": "python"}}},
}


def read(**changed: Any) -> wire.Registration:
    return wire.registration(json.dumps({**REGISTRATION, **changed}).encode())


def test_a_registration_is_read() -> None:
    found = read()
    assert (found.name, found.base_url, found.version) == ("inventory", "http://127.0.0.1:8001", "1.2.0")
    assert [(each.name, each.kind) for each in found.offers] == [("count", "reasoner"), ("double", "skill")]
    assert found.offers[0].description == "Count items."
    assert found.offers[0].input_schema["required"] == ["items"]
    assert found.offers[1].result_schema is None


def test_only_a_name_and_an_address_are_needed() -> None:
    found = wire.registration(b'{"id": "a", "base_url": "http://a"}')
    assert (found.version, found.instance_id, found.offers) == ("", "", ())
    assert read(reasoners=None, skills=None, version=None, instance_id=None).offers == ()


@pytest.mark.parametrize(
    "changed",
    [
        {"id": ""},
        {"id": "a.b"},
        {"id": "a/b"},
        {"id": "a" * 101},
        {"id": 7},
        {"base_url": "x" * 2001},
        {"base_url": None},
        {"version": "x" * 201},
        {"reasoners": [{"id": "a.b"}]},
        {"reasoners": [{}]},
        {"reasoners": {}},
        {"skills": [{"id": f"s{number}"} for number in range(201)]},
    ],
)
def test_what_is_no_registration_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        read(**changed)


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b"\xff", b'{"id": NaN}'])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises((Malformed, Invalid)):
        wire.registration(data)


def test_texts_are_such_as_the_database_can_hold() -> None:
    found = read(version="1\0", reasoners=[{"id": "a", "description": "x\0" * 1000}])
    assert found.version == "1"
    assert len(found.offers[0].description) <= 500
    assert "\0" not in found.offers[0].description


@given(st.binary(max_size=200) | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps))
def test_whatever_comes_is_read_or_refused(data: bytes | str) -> None:
    raw = data if isinstance(data, bytes) else data.encode(errors="surrogatepass")
    for reader in (wire.registration, wire.instance, wire.leaves, wire.grace, wire.report):
        try:
            reader(raw)
        except (Invalid, Malformed):
            continue


def test_the_grace_of_one_that_leaves_is_bounded() -> None:
    assert wire.grace(b"") == wire.grace(b"{}") == wire.grace(b'{"timeout_seconds": -5}') == 0
    assert wire.grace(b'{"timeout_seconds": 30}') == 30
    assert wire.grace(b'{"timeout_seconds": 1e300}') == 300


def test_output_schemas_are_of_objects() -> None:
    assert output_schema(None) == {"type": "object"}
    assert output_schema({"type": "object", "title": "x"}) == {"type": "object", "title": "x"}
    wrapped = output_schema({"type": "array"})
    assert wrapped["properties"] == {"value": {"type": "array"}}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object", "properties": {"pattern": {"type": "string"}, "uniqueItems": {"type": "array"}}},
        {"$defs": {"a": {"type": "string"}}, "properties": {"x": {"$ref": "#/$defs/a"}, "y": {"$ref": "#/$defs/a"}}},
        {"enum": [{"pattern": "x"}]},
    ],
)
def test_schemas_that_are_used(schema: dict[str, Any]) -> None:
    assert usable(schema) == schema


def _doubling(depth: int) -> dict[str, Any]:
    """Each part refers to the next one twice."""
    parts = {f"p{n}": {"allOf": [{"$ref": f"#/$defs/p{n + 1}"}] * 2} for n in range(depth)}
    return {"$defs": {**parts, f"p{depth}": {"type": "string"}}, "$ref": "#/$defs/p0"}


@pytest.mark.parametrize(
    "schema",
    [
        None,
        "x",
        [],
        True,
        {"type": "nonsense"},
        {"type": "string", "pattern": "(a+)+$"},
        {"properties": {"x": {"items": {"pattern": "(a+)+$"}}}},
        {"patternProperties": {"(a+)+$": {}}},
        {"properties": {"x": {"patternProperties": {"(a+)+$": {}}}}},
        {"items": {"uniqueItems": True}},
        {"items": {"unevaluatedProperties": False}},
        {"$ref": "http://127.0.0.1/schema"},
        {"$ref": "#/properties/x", "properties": {"x": {}}},
        {"$ref": "#/$defs/nobody"},
        {"$defs": {"a": {"properties": {"x": {"$ref": "#/$defs/a"}}}}, "$ref": "#/$defs/a"},
        {"$id": "http://x/", "type": "object"},
        {"title": "x" * 70_000},
        {"anyOf": [{"type": "string"}] * 2000},
        _doubling(40),
    ],
    ids=lambda schema: str(schema)[:40],
)
def test_schemas_that_are_not(schema: Any) -> None:
    assert usable(schema) is None
