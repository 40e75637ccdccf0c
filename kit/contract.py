"""The contract as read from the protos: every rpc with its routes, its policy and its owner.

Nothing here knows a particular rpc. Both the gateway (routes, models, checks) and the services (the same checks
again) start from `load()`.
"""

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from google.api import annotations_pb2, field_behavior_pb2, http_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

import opsfield
from kit import contract_rules
from opsfield.common.v1 import raw_body_pb2
from opsfield.options.v1 import field_pb2, policy_pb2, resource_pb2, setting_pb2

if TYPE_CHECKING:
    from google._upb import _message

# The same things under the names that protobuf's type stubs have for them.
MessageType: TypeAlias = "Descriptor | _message.Descriptor"
Field: TypeAlias = "FieldDescriptor | _message.FieldDescriptor"

SERVICES = ("agent-runtime", "integrations", "ops", "platform", "portal", "telemetry", "workflow")
_WITH_KEY = (policy_pb2.KEY_REQUIRED, policy_pb2.CONTENT_DIGEST, policy_pb2.DELIVERY_ID)
EVERY_SERVICE = "every service"
GATEWAY = "gateway"


class ContractError(Exception):
    """The protos say something that cannot be served; the process does not start."""


@dataclass(frozen=True)
class Route:
    """One HTTP binding: `verb` in upper case, `path` with `{name}` parameters, `body` a field's name, `*` or empty."""

    verb: str
    path: str
    body: str


@dataclass(frozen=True)
class Rpc:
    """One method of the contract. `owner` is a service's name on the wire, `gateway`, or `every service`."""

    owner: str
    descriptor: MethodDescriptor
    policy: policy_pb2.Policy
    routes: tuple[Route, ...]

    @property
    def name(self) -> str:
        return self.descriptor.name

    @cached_property
    def path(self) -> str:
        """The method as gRPC calls it: `/opsfield.ops.v1.TicketService/GetTicket`."""
        return f"/{self.descriptor.containing_service.full_name}/{self.descriptor.name}"

    @property
    def request_class(self) -> type[Message]:
        return message_factory.GetMessageClass(self.descriptor.input_type)

    @property
    def response_class(self) -> type[Message]:
        return message_factory.GetMessageClass(self.descriptor.output_type)

    @cached_property
    def access(self) -> str:
        """`public`, `roles`, `signature` or `service_only`; empty where nothing is said."""
        return str(self.policy.WhichOneof("access") or "")

    @cached_property
    def roles(self) -> frozenset[str]:
        """The role words that may call it, `msp_admin` among them."""
        named = {policy_pb2.Role.Name(role).lower() for role in self.policy.roles.any_of}
        return frozenset(named | {"msp_admin"}) if self.access == "roles" else frozenset()

    @property
    def in_workspace(self) -> bool:
        """Whether it works in one workspace, however that is found out."""
        return self.policy.tenancy != policy_pb2.NO_WORKSPACE

    @cached_property
    def credential(self) -> str | None:
        """The field that the caller of a public rpc proves itself with, and which names the workspace."""
        return next((each.name for each in self.descriptor.input_type.fields if field_options(each).credential), None)

    @cached_property
    def in_headers(self) -> frozenset[str]:
        """The fields that stand in a header of their own."""
        return frozenset(each.name for each in self.descriptor.input_type.fields if field_options(each).header)

    @cached_property
    def credential_header(self) -> str | None:
        """The header that the credential stands in, in lower case; None: it stands in the request like other fields."""
        field = self.descriptor.input_type.fields_by_name[self.credential] if self.credential else None
        return field_options(field).header or None if field else None

    @cached_property
    def raw_body(self) -> FieldDescriptor | None:
        """The field that is the HTTP body as it came."""
        fields = self.descriptor.input_type.fields
        return next((each for each in fields if each.message_type and is_raw_body(each.message_type)), None)

    @property
    def needs_key(self) -> bool:
        return self.policy.idempotency == policy_pb2.KEY_REQUIRED

    @property
    def has_key(self) -> bool:
        """Whether its answer is stored under an idempotency key, be it the caller's, the delivery's or the body's
        digest."""
        return self.policy.idempotency in _WITH_KEY

    @property
    def is_delivered(self) -> bool:
        """Whether it is a webhook: signed, and known by the id of its delivery."""
        return self.policy.idempotency == policy_pb2.DELIVERY_ID

    @property
    def mutates(self) -> bool:
        return self.policy.idempotency != policy_pb2.IDEMPOTENCY_UNSPECIFIED

    @property
    def repeatable(self) -> bool:
        """Whether a call that may have arrived can be sent again."""
        return not self.mutates or self.has_key or self.policy.idempotency == policy_pb2.NATURALLY_IDEMPOTENT

    @property
    def success_code(self) -> int:
        return self.policy.success_code or 200


@cache
def load() -> tuple[Rpc, ...]:
    """Every rpc of the contract, ordered by owner and name. Raises ContractError when one cannot be served."""
    rpcs = [_rpc(method, service) for service in _services() for method in service.methods]
    return tuple(sorted(rpcs, key=lambda rpc: (rpc.owner, rpc.path)))


def owned_by(service: str) -> tuple[Rpc, ...]:
    """The rpcs that `service` must implement."""
    return tuple(rpc for rpc in load() if rpc.owner in (service, EVERY_SERVICE))


@cache
def by_name(service: str) -> Mapping[str, Rpc]:
    """The same by their names, which are each there once."""
    return MappingProxyType({rpc.name: rpc for rpc in owned_by(service)})


def field_options(field: Field) -> field_pb2.Field:
    """The limits of a field; empty where it has none."""
    options: field_pb2.Field = field.GetOptions().Extensions[field_pb2.field]  # type: ignore[index]
    return options


def is_raw_body(message: MessageType) -> bool:
    """Whether the message is a body that is handed on as it came."""
    return message.full_name == raw_body_pb2.RawBody.DESCRIPTOR.full_name


def setting_options(field: Field) -> setting_pb2.Setting | None:
    """What makes a field a setting; None for one that is none."""
    options = field.GetOptions()
    if not options.HasExtension(setting_pb2.setting):  # type: ignore[arg-type]
        return None
    setting: setting_pb2.Setting = options.Extensions[setting_pb2.setting]  # type: ignore[index]
    return setting


def behaviors(field: Field) -> frozenset[int]:
    """google.api.field_behavior: REQUIRED, OUTPUT_ONLY, …"""
    return frozenset(field.GetOptions().Extensions[field_behavior_pb2.field_behavior])


def is_output_only(field: Field) -> bool:
    return field_behavior_pb2.OUTPUT_ONLY in behaviors(field)


def is_required(field: Field) -> bool:
    return field_behavior_pb2.REQUIRED in behaviors(field)


def resource_options(message: MessageType) -> resource_pb2.Resource:
    options: resource_pb2.Resource = message.GetOptions().Extensions[resource_pb2.resource]  # type: ignore[index]
    return options


def event_topic(message: MessageType) -> str:
    """The topic of an event message. Raises ContractError when it is none."""
    event: resource_pb2.Event = message.GetOptions().Extensions[resource_pb2.event]  # type: ignore[index]
    topic = event.topic
    if not topic:
        raise ContractError(f"{message.full_name} has no (event) option")
    return topic


@cache
def list_response_class(resource: MessageType) -> type[Message]:
    """The class of the list of a resource: `ListTicketsResponse`, the message whose `data` repeats it."""
    for message in resource.file.message_types_by_name.values():
        data = message.fields_by_name.get("data")
        if data is not None and data.message_type is resource:
            return message_factory.GetMessageClass(message)  # type: ignore[arg-type]
    raise ContractError(f"{resource.full_name} has no list response beside it")


def sortable_fields(message: MessageType) -> dict[str, str]:
    """The fields a list of `message` may be sorted by: JSON name to field name."""
    return {field.json_name: field.name for field in message.fields if field_options(field).sortable}


def enum_words(field: Field) -> dict[str, int]:
    """The words of an enum field and their numbers; the zero value, which means unset, is not among them."""
    assert field.enum_type is not None
    return {value.name.lower(): value.number for value in field.enum_type.values if value.number}


@cache
def holds_secret(message: MessageType) -> bool:
    """Whether a field of the message, or of one inside it, is sensitive."""
    if message.file.package == "google.protobuf":
        return False
    return any(
        field_options(field).sensitive or bool(field.message_type and holds_secret(field.message_type))
        for field in message.fields
    )


def snake_case(name: str) -> str:
    """`CreateTicket` → `create_ticket`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _services() -> list[ServiceDescriptor]:
    services: list[ServiceDescriptor] = []
    # A folder may stand on the path of a namespace package more than once.
    for root in {Path(folder).resolve() for folder in opsfield.__path__}:
        for path in sorted(root.rglob("*_pb2.py")):
            name = ".".join(("opsfield", *path.relative_to(root).with_suffix("").parts))
            services += list(importlib.import_module(name).DESCRIPTOR.services_by_name.values())
    if not services:
        raise ContractError("the generated code holds no services: run `make protos`")
    return services


def _rpc(method: MethodDescriptor, service: ServiceDescriptor) -> Rpc:
    policy: policy_pb2.Policy = method.GetOptions().Extensions[policy_pb2.policy]  # type: ignore[index]
    routes = _routes(method.GetOptions().Extensions[annotations_pb2.http])
    rpc = Rpc(_owner(service), method, policy, routes)
    if mistake := next(contract_rules.mistakes(rpc), None):
        raise ContractError(mistake)
    return rpc


def _owner(service: ServiceDescriptor) -> str:
    area = service.file.package.split(".")[1].replace("_", "-")
    if area == "common":
        return EVERY_SERVICE
    if area in (*SERVICES, GATEWAY):
        return area
    raise ContractError(f"{service.full_name}: no service is called {area}")


def _routes(rule: http_pb2.HttpRule) -> tuple[Route, ...]:
    verb = rule.WhichOneof("pattern")
    if verb is None:
        return ()
    first = Route(verb.upper(), getattr(rule, verb), rule.body)
    return (first, *(route for extra in rule.additional_bindings for route in _routes(extra)))
