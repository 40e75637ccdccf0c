"""The published OpenAPI document covers every route, no more and no less, and is valid."""

import re
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from kit import contract
from tests.platform import Platform


@pytest.fixture(scope="module")
def document(platform: Platform) -> dict[str, Any]:
    answer = httpx.get(f"{platform.stack.base_url}/api/v1/openapi")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def written(path: str) -> str:
    """A path as the document has it: parameters, too, have their JSON names."""
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), path)


def test_it_is_valid(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_it_lists_every_route_and_nothing_else(document: dict[str, Any]) -> None:
    listed = {
        (verb.upper(), path)
        for path, item in document["paths"].items()
        for verb in item
        if verb in ("get", "put", "post", "delete", "patch")
    }
    assert listed == {(route.verb, written(route.path)) for rpc in contract.load() for route in rpc.routes}


def test_each_operation_says_who_may_call_it(document: dict[str, Any]) -> None:
    for rpc in contract.load():
        for route in rpc.routes:
            operation = document["paths"][written(route.path)][route.verb.lower()]
            assert operation["summary"]
            assert set(operation.get("x-opsfield-roles", [])) == rpc.roles
            names = {each.get("name", each.get("$ref", "")).rpartition("/")[2] for each in operation["parameters"]}
            text = " ".join(names).lower().replace("-", "")
            assert ("idempotencykey" in text) == rpc.needs_key
            assert ("workspaceid" in text) == (rpc.access == "roles" and rpc.in_workspace)
            terms = {rpc.policy.signature.header, rpc.policy.signature.delivery_header} - {""}
            assert terms <= names
