"""The kinds of resources that ops has: what can be imported and exported."""

from dataclasses import dataclass
from functools import cache

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from kit import contract
from kit.contract import Rpc


@dataclass(frozen=True, eq=False)
class OpsKind:
    """`name`: as in the path. `body`: the field of its requests that holds the resource."""

    name: str
    message: type[Message]
    list_rpc: Rpc
    get_rpc: Rpc
    update_rpc: Rpc
    body: str

    def field(self, path: str) -> tuple[FieldDescriptor, ...] | None:
        """The writable field at a path of JSON names, `billingAddress.city`, with the messages it stands in; None when
        there is none."""
        found: list[FieldDescriptor] = []
        descriptor = self.message.DESCRIPTOR
        for name in path.split("."):
            if found:
                if found[-1].message_type is None or found[-1].is_repeated:
                    return None
                descriptor = found[-1].message_type
            field = next((each for each in descriptor.fields if each.json_name == name), None)
            if field is None or contract.is_output_only(field):
                return None
            found.append(field)  # type: ignore[arg-type] # the same class, by another name
        return tuple(found)

    @property
    def required(self) -> list[str]:
        """JSON names of the fields that a new one must have."""
        fields = self.message.DESCRIPTOR.fields
        return [each.json_name for each in fields if contract.is_required(each) and not contract.is_output_only(each)]


@cache
def all_kinds() -> dict[str, OpsKind]:
    """By name: those that can be created by themselves."""
    rpcs = contract.by_name("ops")
    found = {}
    for rpc in rpcs.values():
        descriptor = rpc.descriptor.output_type
        name = contract.resource_options(descriptor).kind
        if not name or rpc.name != f"Create{descriptor.name}":
            continue
        list_name = contract.list_response_class(descriptor).DESCRIPTOR.name.removesuffix("Response")
        body = contract.snake_case(descriptor.name)
        list_rpc, get_rpc = rpcs[list_name], rpcs[f"Get{descriptor.name}"]
        found[name] = OpsKind(
            name, GetMessageClass(descriptor), list_rpc, get_rpc, rpcs[f"Update{descriptor.name}"], body
        )
    return found
