"""What the protos say, and what they may not say."""

import pytest
from google.protobuf.descriptor import ServiceDescriptor

from kit import contract
from kit.contract import ContractError, Route, Rpc
from kit.tests.protos import compile_proto, descriptor

PROTO = """
syntax = "proto3";
package opsfield.{area}.test.{name};
import "google/api/annotations.proto";
import "google/protobuf/empty.proto";
import "opsfield/common/v1/raw_body.proto";
import "opsfield/options/v1/field.proto";
import "opsfield/options/v1/policy.proto";
service PingService {{
  rpc SendPing({request}) returns (google.protobuf.Empty) {{
    {options}
  }}
}}
message WithCredential {{
  string note = 1;
  string proof = 2 [(opsfield.options.v1.field).credential = true];
}}
message WithHeader {{
  string note = 1;
  string proof = 2 [(opsfield.options.v1.field) = {{credential: true, header: "x-api-key"}}];
}}
message WithAnyHeader {{
  string note = 1 [(opsfield.options.v1.field).header = "x-note"];
}}
message WithRawBody {{
  string note = 1;
  opsfield.common.v1.RawBody data = 2;
}}
"""
SIGNED = 'signature: {header: "x-sign" delivery_header: "x-delivery" secret: "some.secret"}'
EMPTY = "google.protobuf.Empty"
ROUTE = 'option (google.api.http) = {get: "/ping"};'
POST = 'option (google.api.http) = {post: "/ping", body: "*"};'


def read(request: pytest.FixtureRequest, *options: str, area: str = "ops", message: str = EMPTY) -> Rpc:
    """The one rpc of a proto that gives it these options."""
    name = "t" + "".join(letter for letter in request.node.name if letter.isalnum())
    file = compile_proto(PROTO.format(area=area, name=name, request=message, options="\n".join(options)))
    service: ServiceDescriptor = file.services_by_name["PingService"]
    return contract._rpc(service.methods[0], service)


def policy(text: str) -> str:
    return f"option (opsfield.options.v1.policy) = {{{text}}};"


def test_an_rpc_is_read_with_its_routes_roles_and_owner(request: pytest.FixtureRequest) -> None:
    route = 'option (google.api.http) = {get: "/ping/{id}" additional_bindings {get: "/pong"}};'
    rpc = read(request, route, policy("roles: {any_of: [OPS_ENGINEER, VIEWER]}"), area="agent_runtime")
    assert rpc.owner == "agent-runtime"
    assert rpc.routes == (Route("GET", "/ping/{id}", ""), Route("GET", "/pong", ""))
    assert rpc.roles == {"ops_engineer", "viewer", "msp_admin"}
    assert rpc.path.endswith(".PingService/SendPing")
    assert rpc.in_workspace
    assert not rpc.needs_key
    assert not rpc.mutates
    assert rpc.success_code == 200


def test_a_mutation_that_needs_a_key_is_read_as_such(request: pytest.FixtureRequest) -> None:
    rpc = read(request, POST, policy("public: {} tenancy: NO_WORKSPACE idempotency: KEY_REQUIRED success_code: 201"))
    assert (rpc.access, rpc.roles) == ("public", frozenset())
    assert rpc.needs_key
    assert rpc.mutates
    assert not rpc.in_workspace
    assert rpc.success_code == 201


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([ROUTE], "does not say who may call it"),
        ([ROUTE, policy("tenancy: NO_WORKSPACE")], "does not say who may call it"),
        ([ROUTE, policy("roles: {}")], "names no role"),
        ([ROUTE, policy("service_only: {}")], "is for services only but has an HTTP route"),
        ([policy("public: {}")], "has no HTTP route"),
        ([ROUTE, policy("public: {} idempotency: KEY_REQUIRED")], "idempotency must be set on a mutating rpc"),
        ([POST, policy("public: {}")], "idempotency must be set on a mutating rpc"),
        ([POST, policy("public: {} idempotency: NATURALLY_IDEMPOTENT")], "without a key only services may call it"),
        ([POST, policy("public: {} tenancy: CREDENTIAL_WORKSPACE idempotency: KEY_REQUIRED")], "needs a credential"),
        ([POST, policy("roles: {any_of: [VIEWER]} idempotency: CONTENT_DIGEST")], "has no raw body whose digest"),
        ([ROUTE, policy("roles: {any_of: [VIEWER]} gathered: true")], "part of another answer but has an HTTP route"),
        ([POST, policy(f"{SIGNED} tenancy: NO_WORKSPACE idempotency: KEY_REQUIRED")], "known by its delivery's id"),
        ([POST, policy("public: {} tenancy: NO_WORKSPACE idempotency: DELIVERY_ID")], "known by its delivery's id"),
        (
            [POST, policy("roles: {any_of: [VIEWER]} tenancy: DELIVERY_WORKSPACE idempotency: KEY_REQUIRED")],
            "only that",
        ),
        (
            [POST, policy(f"{SIGNED} tenancy: NO_WORKSPACE idempotency: DELIVERY_ID")],
            "no raw body that could be signed",
        ),
    ],
    ids=[
        "no-policy",
        "no-access",
        "no-role",
        "service-with-route",
        "no-route",
        "get-with-key",
        "post-without-key",
        "no-key-but-for-all",
        "workspace-without-credential",
        "digest-of-nothing",
        "part-with-route",
        "signed-with-key",
        "delivered-unsigned",
        "workspace-of-no-delivery",
        "signed-without-body",
    ],
)
def test_an_rpc_that_cannot_be_served_stops_the_start(
    request: pytest.FixtureRequest, options: list[str], reason: str
) -> None:
    with pytest.raises(ContractError, match=reason):
        read(request, *options)


@pytest.mark.parametrize(
    "options",
    [
        "roles: {any_of: [VIEWER]} tenancy: CREDENTIAL_WORKSPACE idempotency: KEY_REQUIRED",
        "public: {} tenancy: NO_WORKSPACE idempotency: KEY_REQUIRED",
        "public: {} tenancy: TOKEN_WORKSPACE idempotency: KEY_REQUIRED",
        "public: {} idempotency: KEY_REQUIRED",
    ],
)
def test_a_credential_is_for_what_is_public_and_in_the_workspace_it_names(
    request: pytest.FixtureRequest, options: str
) -> None:
    with pytest.raises(ContractError, match="needs a credential that names it"):
        read(request, POST, policy(options), message="WithCredential")


def test_a_credential_names_the_workspace(request: pytest.FixtureRequest) -> None:
    options = "public: {} tenancy: CREDENTIAL_WORKSPACE idempotency: KEY_REQUIRED"
    rpc = read(request, POST, policy(options), message="WithCredential")
    assert (rpc.credential, rpc.in_workspace, rpc.raw_body) == ("proof", True, None)


def test_a_raw_body_may_be_its_own_key(request: pytest.FixtureRequest) -> None:
    options = "roles: {any_of: [VIEWER]} tenancy: TOKEN_WORKSPACE idempotency: CONTENT_DIGEST"
    rpc = read(request, POST, policy(options), message="WithRawBody")
    assert rpc.raw_body
    assert (rpc.raw_body.name, rpc.credential) == ("data", None)
    assert (rpc.mutates, rpc.has_key, rpc.needs_key) == (True, True, False)
    assert rpc.repeatable
    assert rpc.in_workspace


def test_what_is_signed_is_known_by_its_delivery(request: pytest.FixtureRequest) -> None:
    options = f"{SIGNED} tenancy: DELIVERY_WORKSPACE idempotency: DELIVERY_ID"
    rpc = read(request, POST, policy(options), message="WithRawBody")
    assert (rpc.access, rpc.roles, rpc.in_workspace) == ("signature", frozenset(), True)
    assert (rpc.mutates, rpc.has_key, rpc.needs_key, rpc.is_delivered, rpc.repeatable) == (
        True,
        True,
        False,
        True,
        True,
    )


@pytest.mark.parametrize(
    ("signature", "tenancy", "reason"),
    [
        ('header: "x-sign" delivery_header: "x-delivery"', "NO_WORKSPACE", "does not say which headers"),
        ('header: "x-sign" secret: "s"', "NO_WORKSPACE", "does not say which headers"),
        ('header: "X-Sign" delivery_header: "x-delivery" secret: "s"', "NO_WORKSPACE", "written in lower case"),
        ('header: "x-sign" delivery_header: "x-delivery" secret: "s"', "CALLER_WORKSPACE", "set another tenancy"),
        ('header: "x-sign" delivery_header: "x-delivery" secret: "s"', "TOKEN_WORKSPACE", "set another tenancy"),
    ],
)
def test_a_signature_that_cannot_be_checked_stops_the_start(
    request: pytest.FixtureRequest, signature: str, tenancy: str, reason: str
) -> None:
    options = f"signature: {{{signature}}} tenancy: {tenancy} idempotency: DELIVERY_ID"
    with pytest.raises(ContractError, match=reason):
        read(request, POST, policy(options), message="WithRawBody")


def test_a_part_of_another_answer_needs_no_route(request: pytest.FixtureRequest) -> None:
    assert read(request, policy("roles: {any_of: [VIEWER]} gathered: true")).routes == ()


def test_a_route_that_mutates_is_not_hidden_behind_one_that_reads(request: pytest.FixtureRequest) -> None:
    mixed = 'option (google.api.http) = {get: "/ping" additional_bindings {post: "/ping" body: "*"}};'
    with pytest.raises(ContractError, match="idempotency must be set"):
        read(request, mixed, policy("public: {}"))


def test_an_rpc_of_no_known_service_stops_the_start(request: pytest.FixtureRequest) -> None:
    with pytest.raises(ContractError, match="no service is called nowhere"):
        read(request, ROUTE, policy("public: {}"), area="nowhere")


def test_what_is_common_is_owned_by_every_service(request: pytest.FixtureRequest) -> None:
    assert read(request, ROUTE, policy("public: {}"), area="common").owner == contract.EVERY_SERVICE


def test_the_real_contract_can_be_served() -> None:
    rpcs = contract.load()
    assert len({rpc.path for rpc in rpcs}) == len(rpcs) > 10
    assert {rpc.name for rpc in contract.owned_by("platform")} >= {"ListOutboxEvents", "RetryOutboxEvent"}
    assert not any(rpc.owner == "ops" for rpc in contract.owned_by("platform"))


def test_no_two_rpcs_share_a_route() -> None:
    routes = [(route.verb, route.path) for rpc in contract.load() for route in rpc.routes]
    assert len(set(routes)) == len(routes)


def test_a_list_may_be_sorted_by_what_is_marked_so() -> None:
    assert contract.sortable_fields(descriptor("Sample")) == {"name": "name", "color": "color"}


def test_an_event_needs_a_topic() -> None:
    assert contract.event_topic(descriptor("SampleHappened")) == "sample.happened"
    with pytest.raises(ContractError, match=r"Sample has no \(event\) option"):
        contract.event_topic(descriptor("Sample"))


NATURAL = "public: {} tenancy: CREDENTIAL_WORKSPACE idempotency: NATURALLY_IDEMPOTENT"
POST_NOTE = 'option (google.api.http) = {post: "/ping/{note}"};'


def test_whoever_proves_himself_by_a_header_need_not_send_a_key(request: pytest.FixtureRequest) -> None:
    rpc = read(request, POST_NOTE, policy(NATURAL), message="WithHeader")
    assert (rpc.credential, rpc.credential_header) == ("proof", "x-api-key")
    assert (rpc.has_key, rpc.mutates, rpc.repeatable) == (False, True, True)


@pytest.mark.parametrize(
    ("route", "options", "message", "reason"),
    [
        (POST_NOTE, NATURAL, "WithCredential", "without a key only services may call it"),
        (POST, NATURAL, "WithHeader", "its body is"),
        (
            POST_NOTE,
            "roles: {any_of: [VIEWER]} idempotency: KEY_REQUIRED",
            "WithAnyHeader",
            "only a credential can stand in a header",
        ),
    ],
    ids=["in-the-body", "in-both", "no-credential"],
)
def test_a_header_holds_a_credential_and_nothing_else(
    request: pytest.FixtureRequest, route: str, options: str, message: str, reason: str
) -> None:
    with pytest.raises(ContractError, match=reason):
        read(request, route, policy(options), message=message)
