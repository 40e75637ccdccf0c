"""The document that describes the API."""

import json
import re
from typing import Any

import httpx
import pytest
import pytest_asyncio
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway import comments
from kit import contract

Json = dict[str, Any]
WORKSPACE = {"workspace-id", "token-workspace-id"}


@pytest_asyncio.fixture
async def document(http: httpx.AsyncClient) -> Json:
    response = await http.get("/api/v1/openapi")
    assert response.headers["content-type"] == "application/json"
    found: Json = response.json()
    return found


def operations(document: Json) -> dict[tuple[str, str], Json]:
    return {(verb.upper(), path): found for path, verbs in document["paths"].items() for verb, found in verbs.items()}


async def test_it_is_valid_openapi_3_1(document: Json) -> None:
    assert document["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document).validate()


async def test_it_has_every_route_and_no_other(document: Json) -> None:
    # Parameters in a path, too, have their JSON names.
    wanted = {
        (route.verb, re.sub(r"_([a-z])", lambda match: match[1].upper(), route.path))
        for rpc in contract.load()
        for route in rpc.routes
        if rpc.access != "service_only"
    }
    assert set(operations(document)) == wanted


async def test_every_operation_has_a_name_of_its_own(document: Json) -> None:
    names = [operation["operationId"] for operation in operations(document).values()]
    assert len(set(names)) == len(names)
    assert {"listTickets", "getTicket", "createTicket", "updateTicket", "escalateTicket"} <= set(names)


async def test_every_operation_says_who_may_call_it_and_what_may_go_wrong(document: Json) -> None:
    for (verb, path), operation in operations(document).items():
        assert operation["summary"], path
        assert operation["responses"].keys() >= {"400", "422", "500", "503"}
        if operation.get("security") == []:
            continue
        assert "msp_admin" in operation["x-opsfield-roles"]
        assert all(f"`{role}`" in operation["description"] for role in operation["x-opsfield-roles"])
        assert operation["responses"].keys() >= {"401", "403", "429"}
        parameters = {each.get("$ref", "").split("/")[-1] for each in operation["parameters"]}
        assert bool(parameters & WORKSPACE) == (not path.startswith("/api/v1/platform/"))
        assert ("idempotency-key" in parameters) == (verb != "GET" and not path.startswith("/v1/"))


async def test_a_created_resource_is_described_whole(document: Json) -> None:
    operation = document["paths"]["/api/v1/tickets"]["post"]
    assert operation["summary"] == "Create a ticket"
    assert set(operation["responses"]["201"]["headers"]) == {
        "x-correlation-id",
        "ETag",
        "Location",
        "Idempotency-Replayed",
    }
    assert operation["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/TicketCreate"
    }


async def test_each_shape_of_a_resource_is_a_component(document: Json) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["TicketCreate"]["required"] == ["subject", "clientId"]
    assert "id" not in schemas["TicketCreate"]["properties"]
    assert schemas["TicketReplace"]["required"] == ["subject", "clientId"]
    assert "id" in schemas["TicketReplace"]["properties"]
    assert "required" not in schemas["TicketPatch"]
    assert set(schemas["Ticket"]["required"]) == set(schemas["Ticket"]["properties"])
    assert schemas["Ticket"]["properties"]["description"]["type"] == ["string", "null"]
    assert schemas["TicketPriority"]["enum"] == ["low", "medium", "high", "critical"]
    assert "`critical`: Work has stopped at the client." in schemas["TicketPriority"]["description"]
    assert schemas["EscalateTicketRequest"]["properties"].keys() == {"reason"}
    for name in ("TicketCreate", "TicketReplace", "TicketPatch", "AddressPatch"):
        assert schemas[name]["additionalProperties"] is False


async def test_lists_are_described_with_their_limits(document: Json) -> None:
    found = {each.get("name"): each for each in document["paths"]["/api/v1/tickets"]["get"]["parameters"]}
    assert found["limit"]["schema"] == {
        "type": "integer",
        "format": "int32",
        "minimum": 1,
        "maximum": 200,
        "default": 50,
    }
    assert "createdAt" in found["sortBy"]["schema"]["enum"]
    assert found["q"]["description"] == "Part of any of the ticket's values, any case."


async def test_a_raw_body_is_described_by_its_media_types(document: Json) -> None:
    body = document["paths"]["/api/v1/events/ingest"]["post"]["requestBody"]
    assert body["content"] == {
        "application/json": {"schema": {"$ref": "#/components/schemas/TelemetryBatch"}},
        "application/x-ndjson": {"schema": {"type": "string", "format": "binary"}},
    }
    assert body["description"] == "Content-Encoding: none, `gzip`, `zstd`. At most 8388608 bytes as sent."
    assert document["components"]["schemas"]["TelemetryBatch"]["required"] == ["events"]
    content = document["paths"]["/v1/logs"]["post"]["requestBody"]["content"]
    assert content["application/json"] == {"schema": {}}, "no message describes it"
    responses = document["paths"]["/v1/logs"]["post"]["responses"]
    assert responses.keys() >= {"413", "415", "429"}
    assert "Idempotency-Replayed" in responses["200"]["headers"]


async def test_a_raw_body_leaves_the_other_fields_to_the_query(document: Json) -> None:
    parameters = document["paths"]["/api/v1/events/ingest"]["post"]["parameters"]
    assert [each["name"] for each in parameters if "name" in each] == ["agentId", "sentAt"]


async def test_a_workspace_that_the_token_tells_need_not_be_named(document: Json) -> None:
    found = document["components"]["parameters"]
    assert (found["workspace-id"]["name"], found["workspace-id"]["required"]) == ("x-workspace-id", True)
    assert (found["token-workspace-id"]["name"], found["token-workspace-id"]["required"]) == ("x-workspace-id", False)


async def test_what_brings_a_credential_needs_no_token_and_may_be_refused(document: Json) -> None:
    operation = document["paths"]["/api/v1/edge-agent/enroll"]["post"]
    assert operation["security"] == []
    parameters = {each["$ref"].split("/")[-1] for each in operation["parameters"]}
    assert parameters == {"correlation-id", "idempotency-key"}
    assert "401" in operation["responses"]
    assert "403" not in operation["responses"]
    assert "401" not in document["paths"]["/health"]["get"]["responses"]


async def test_parts_of_another_answer_are_not_told_of(document: Json) -> None:
    assert "getDashboard" in {each["operationId"] for each in operations(document).values()}
    assert not {"getDashboardSummary", "getFleetSummary"} & {
        each["operationId"] for each in operations(document).values()
    }


async def test_it_holds_no_reference_into_nothing(document: Json) -> None:
    text = json.dumps(document)
    for section, names in document["components"].items():
        for name in names:
            text = text.replace(f'"#/components/{section}/{name}"', "")
    assert "#/components/" not in text


@pytest.mark.parametrize(
    ("comment", "summary"),
    [
        ("List tickets.", "List tickets"),
        ("Delete a client. Refused with 409.", "Delete a client"),
        ("Get the OpenAPI 3.1 document.\n\nMore.", "Get the OpenAPI 3.1 document"),
        ("Change some fields (JSON merge patch, RFC 7396: x). y.", "Change some fields"),
        ("Tell; with more", "Tell"),
    ],
)
def test_a_summary_is_the_gist_of_the_comment(comment: str, summary: str) -> None:
    assert comments.summary(comment) == summary
