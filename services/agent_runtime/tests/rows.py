"""Rows as ops' API answers them: made from the contract's own messages, so that they have every field there is."""

from collections.abc import Mapping
from typing import Any

import orjson
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from kit import contract, json_encoding
from opsfield.ops.v1.alerts_pb2 import Alert
from opsfield.ops.v1.assets_pb2 import Asset
from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.contacts_pb2 import Contact
from opsfield.ops.v1.contracts_pb2 import Contract
from opsfield.ops.v1.incidents_pb2 import Incident
from opsfield.ops.v1.invoices_pb2 import Invoice
from opsfield.ops.v1.runbooks_pb2 import Runbook
from opsfield.ops.v1.sla_policies_pb2 import SlaPolicy
from opsfield.ops.v1.tickets_pb2 import Ticket
from opsfield.ops.v1.time_entries_pb2 import TimeEntry

Row = dict[str, Any]

MESSAGES: Mapping[str, type[Message]] = {
    "alerts": Alert,
    "assets": Asset,
    "clients": Client,
    "contacts": Contact,
    "contracts": Contract,
    "incidents": Incident,
    "invoices": Invoice,
    "runbooks": Runbook,
    "sla-policies": SlaPolicy,
    "tickets": Ticket,
    "time-entries": TimeEntry,
}
RPCS = contract.by_name("ops")


def uid(number: int) -> str:
    """An id to tell apart by its number."""
    return f"00000000-0000-4000-8000-{number:012d}"


def message_of(kind: type[Message], fields: Row) -> Any:
    """The message of what is written as the API has it. Raises ParseError for a field or a word that there is not."""
    return ParseDict(_as_protobuf(kind.DESCRIPTOR, fields), kind())


def row(kind: str, index: int = 1, /, **fields: Any) -> Row:
    """A row of a kind, with these fields; all others are empty."""
    message = message_of(MESSAGES[kind], {"id": uid(index), **fields})
    found: Row = orjson.loads(json_encoding.encode(message))
    return found


def list_rpc(kind: str) -> contract.Rpc:
    """The rpc that lists a kind."""
    return RPCS[f"List{MESSAGES[kind].__name__ if kind != 'time-entries' else 'TimeEntrie'}s".replace("ys", "ies")]


def _as_protobuf(descriptor: Any, fields: Row) -> Row:
    by_name: dict[str, FieldDescriptor] = {each.json_name: each for each in descriptor.fields}
    return {name: _value(by_name[name], value) for name, value in fields.items() if value is not None}


def _value(field: FieldDescriptor, value: Any) -> Any:
    if field.enum_type is not None:
        numbers = contract.enum_words(field)
        return [numbers[each] for each in value] if isinstance(value, list) else numbers[value]
    if field.message_type is not None and not isinstance(value, str):
        nested = field.message_type
        return (
            [_as_protobuf(nested, each) for each in value] if isinstance(value, list) else _as_protobuf(nested, value)
        )
    return value
