"""What the protos promise is kept everywhere: each rpc has a route, roles and an owner that implements it."""

import importlib
from unittest.mock import Mock

import pytest
from google.protobuf.descriptor import FieldDescriptor

from kit import contract
from kit.contract import EVERY_SERVICE, GATEWAY, SERVICES, Rpc
from kit.outbox import OutboxHandlers
from kit.rpc import bind

# Where probes, engines and OpenTelemetry collectors look.
PATHS_OF_OTHERS = ("/health", "/.well-known/engine-status", "/v1/logs", "/v1/metrics")

RPCS = contract.load()
ROUTED = [rpc for rpc in RPCS if rpc.routes]
LISTS = [rpc for rpc in ROUTED if "page" in rpc.response_class.DESCRIPTOR.fields_by_name]
# Filters by what stands elsewhere: with the ticket, or in whether a field is empty.
OF_NO_FIELD = {"ListTimeEntries": {"client_id", "invoiced"}}
RESOURCES = sorted({
    rpc.descriptor.output_type for rpc in RPCS if contract.resource_options(rpc.descriptor.output_type).kind
}, key=lambda message: message.full_name)  # fmt: skip


def name_of(rpc: Rpc) -> str:
    return rpc.path


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_implements_exactly_its_rpcs(service: str) -> None:
    wiring = importlib.import_module(f"services.{service.replace('-', '_')}.wiring")
    shared = bind([rpc for rpc in RPCS if rpc.owner == EVERY_SERVICE], OutboxHandlers(service))
    assert service == wiring.NAME
    own = wiring.handlers(Mock()) if hasattr(wiring, "handlers") else wiring.wire(Mock()).handlers
    assert {**own, **shared}.keys() == {rpc.path for rpc in contract.owned_by(service)}


@pytest.mark.parametrize("rpc", RPCS, ids=name_of)
def test_an_rpc_says_who_may_call_it_and_who_serves_it(rpc: Rpc) -> None:
    assert rpc.owner in (*SERVICES, GATEWAY, EVERY_SERVICE)
    assert rpc.access in ("public", "roles", "signature", "service_only")
    assert rpc.routes or rpc.access == "service_only" or rpc.policy.gathered


@pytest.mark.parametrize("rpc", ROUTED, ids=name_of)
def test_a_route_follows_the_contract(rpc: Rpc) -> None:
    for route in rpc.routes:
        assert route.path.startswith("/api/v1/") or route.path in PATHS_OF_OTHERS
        # Clients of others' protocols, who prove themselves by a header, send no key.
        assert (rpc.has_key or bool(rpc.credential_header)) == (route.verb != "GET")
        assert rpc.success_code in {"GET": (200,), "DELETE": (204,)}.get(route.verb, (200, 201, 202))


def test_no_two_rpcs_share_a_route() -> None:
    routes = [(route.verb, route.path) for rpc in ROUTED for route in rpc.routes]
    assert len(routes) == len(set(routes))


@pytest.mark.parametrize("message", RESOURCES, ids=lambda message: message.name)
def test_a_resource_has_the_standard_routes(message: contract.MessageType) -> None:
    kind = contract.resource_options(message).kind
    service = f"{message.full_name}Service"
    routes = {
        (route.verb, route.path)
        for rpc in ROUTED
        if rpc.descriptor.containing_service.full_name == service
        for route in rpc.routes
    }
    one, many = f"/api/v1/{kind}/{{id}}", f"/api/v1/{kind}"
    assert routes >= {("GET", many), ("POST", many), ("GET", one), ("PUT", one), ("PATCH", one), ("DELETE", one)}


@pytest.mark.parametrize("rpc", LISTS, ids=name_of)
def test_a_list_follows_the_conventions(rpc: Rpc) -> None:
    request, response = rpc.request_class.DESCRIPTOR, rpc.response_class.DESCRIPTOR
    assert {"limit", "offset", "sort_by", "sort_order", "q"} <= set(request.fields_by_name)
    # What is put together of several services' answers also names those that did not answer.
    assert {"data", "page", "sort", "filters"} == set(response.fields_by_name) - {"unavailable"}
    limit = contract.field_options(request.fields_by_name["limit"])
    assert 0 < limit.default <= limit.maximum <= 200
    item = response.fields_by_name["data"].message_type
    assert item is not None
    assert "createdAt" in contract.sortable_fields(item)
    filters = set(request.fields_by_name) - {"limit", "offset", "sort_by", "sort_order", "q"}
    assert filters - OF_NO_FIELD.get(rpc.name, set()) <= set(item.fields_by_name), (
        "a filter is a field of what is listed"
    )


@pytest.mark.parametrize("rpc", ROUTED, ids=name_of)
def test_every_text_a_caller_can_send_is_bounded(rpc: Rpc) -> None:
    unbounded = list(_unbounded(rpc.request_class.DESCRIPTOR, ""))
    assert not unbounded, unbounded


@pytest.mark.parametrize("rpc", RPCS, ids=name_of)
def test_field_numbers_of_the_common_fields_are_the_same_everywhere(rpc: Rpc) -> None:
    expected = {"limit": 1, "offset": 2, "sort_by": 3, "sort_order": 4, "q": 5}
    if rpc in LISTS:
        fields = rpc.request_class.DESCRIPTOR.fields_by_name
        assert {name: fields[name].number for name in expected} == expected


def _unbounded(message: contract.MessageType, prefix: str) -> list[str]:
    found = []
    for field in message.fields:
        options = contract.field_options(field)
        if field.message_type is not None and contract.is_raw_body(field.message_type):
            found += [] if options.raw.maximum_bytes else [prefix + field.name]
            continue
        if contract.is_output_only(field) or field.name == "update_mask":
            continue
        if field.type == FieldDescriptor.TYPE_STRING and not (options.max_length or options.format):
            found.append(prefix + field.name)
        if field.is_repeated and not options.max_items:
            found.append(f"{prefix}{field.name} (items)")
        if field.message_type is not None and not field.message_type.full_name.startswith("google."):
            found += _unbounded(field.message_type, f"{prefix}{field.name}.")
    return found
