"""What a proposal is at the ops service: the rpcs to call, one after the other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message

from kit import contract
from kit.event_messages import with_enum_names
from opsfield.ops.v1 import alerts_pb2, incidents_pb2, invoices_pb2, ticket_comments_pb2, tickets_pb2

Parameters = Mapping[str, Any]


class ParametersInvalidError(ValueError):
    """A proposal's parameters are not those of its action."""


@dataclass(frozen=True)
class Effect:
    """`rpc` is the name of one of ops' rpcs. What it changes is what the answer's field `result` names, if it is not
    known before (`resource_id`). `links` are the calls that follow, made of that id. `done` says what it did, in a
    sentence after the reasoner's name; `ticket_id` is where that is written down: empty for the ticket that it
    creates, None for none."""

    rpc: str
    request: Message
    resource_id: str | None = None
    links: Callable[[str], list["Effect"]] = lambda _: []
    done: str = ""
    ticket_id: str | None = None


def effect(action: str | None, parameters: Parameters) -> Effect:
    """Raises ParametersInvalidError, saying what is wrong."""
    try:
        plan = _PLANS[action or ""]
    except KeyError as error:
        raise ParametersInvalidError("There is no such action.") from error
    try:
        return plan(parameters)
    except ParseError as error:
        raise ParametersInvalidError(f"The parameters are not those of {action}: {error}") from error


def _create_ticket(parameters: Parameters) -> Effect:
    fields = dict(parameters)
    alert_ids = fields.pop("alertIds", None) or []
    if not isinstance(alert_ids, list) or not all(isinstance(each, str) for each in alert_ids):
        raise ParametersInvalidError("alertIds must be a list of ids.")

    def links(ticket_id: str) -> list[Effect]:
        return [_link(alert_id, ticket_id) for alert_id in alert_ids]

    ticket = _parsed(fields, tickets_pb2.Ticket)
    request = tickets_pb2.CreateTicketRequest(ticket=ticket)
    return Effect("CreateTicket", request, links=links, done="opened this ticket", ticket_id="")


def _update_ticket(parameters: Parameters) -> Effect:
    ticket_id, fields = _with_id(parameters)
    if not fields:
        raise ParametersInvalidError("There is nothing to change.")
    ticket = _parsed(fields, tickets_pb2.Ticket)
    mask = FieldMask(paths=[_field_name(name, tickets_pb2.Ticket.DESCRIPTOR) for name in fields])
    return Effect(
        "UpdateTicket",
        tickets_pb2.UpdateTicketRequest(id=ticket_id, ticket=ticket, update_mask=mask),
        resource_id=ticket_id,
        done=_changes(fields),
        ticket_id=ticket_id,
    )


def _comment_ticket(parameters: Parameters) -> Effect:
    ticket_id, fields = _with_id(parameters)
    comment = _parsed(fields, ticket_comments_pb2.TicketComment)
    request = ticket_comments_pb2.CreateTicketCommentRequest(ticket_id=ticket_id, comment=comment)
    return Effect("CreateTicketComment", request)


def _link_runbook(parameters: Parameters) -> Effect:
    request = _parsed(parameters, tickets_pb2.LinkTicketRunbookRequest)
    return Effect("LinkTicketRunbook", request, resource_id=request.id, done="linked a runbook", ticket_id=request.id)


def _create_incident(parameters: Parameters) -> Effect:
    incident = _parsed(parameters, incidents_pb2.Incident)
    return Effect("CreateIncident", incidents_pb2.CreateIncidentRequest(incident=incident))


def _create_invoice(parameters: Parameters) -> Effect:
    invoice = _parsed(parameters, invoices_pb2.Invoice)
    return Effect("CreateInvoice", invoices_pb2.CreateInvoiceRequest(invoice=invoice))


def _link_alert(parameters: Parameters) -> Effect:
    if set(parameters) != {"alertId", "ticketId"} or not all(isinstance(each, str) for each in parameters.values()):
        raise ParametersInvalidError("The parameters are alertId and ticketId.")
    return _link(parameters["alertId"], parameters["ticketId"])


def _link(alert_id: str, ticket_id: str) -> Effect:
    return Effect(
        "LinkAlertTicket",
        alerts_pb2.LinkAlertTicketRequest(id=alert_id, ticket_id=ticket_id),
        resource_id=alert_id,
        done="linked an alert",
        ticket_id=ticket_id,
    )


_PLANS: Mapping[str, Callable[[Parameters], Effect]] = {
    "create_ticket": _create_ticket,
    "update_ticket": _update_ticket,
    "comment_ticket": _comment_ticket,
    "link_runbook": _link_runbook,
    "create_incident": _create_incident,
    "create_invoice": _create_invoice,
    "link_alert": _link_alert,
}


def _parsed(fields: Parameters, message_class: Any) -> Any:
    """The message of the JSON as the HTTP API takes it. Raises ParseError for fields that it does not have."""
    message = message_class()
    names = {field.json_name for field in message.DESCRIPTOR.fields if not contract.is_output_only(field)}
    if unknown := sorted(set(fields) - names):
        raise ParseError(f"{', '.join(unknown)}: no such fields")
    return ParseDict(with_enum_names(fields, message.DESCRIPTOR), message)


def _with_id(parameters: Parameters) -> tuple[str, dict[str, Any]]:
    fields = dict(parameters)
    resource_id = fields.pop("id", None)
    if not isinstance(resource_id, str) or not resource_id:
        raise ParametersInvalidError("The parameters name no id.")
    return resource_id, fields


def _field_name(json_name: str, descriptor: contract.MessageType) -> str:
    return next(field.name for field in descriptor.fields if field.json_name == json_name)


def _changes(fields: Parameters) -> str:
    """`set the category to Email, the priority to high`: by name, since a Struct's fields have no order."""
    parts = [
        f"the {contract.snake_case(name).replace('_', ' ')} to {_short(value)}"
        for name, value in sorted(fields.items())
    ]
    return f"set {', '.join(parts)}"


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 100 else f"{text[:99]}…"
