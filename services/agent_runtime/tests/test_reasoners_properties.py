"""Whatever ops may answer: no reasoner raises, each output keeps to its schema, each proposal would be taken, the same
rows give the same result, and none reads more than it may."""

import string
from datetime import UTC, timedelta
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kit import contract
from opsfield.options.v1 import field_pb2
from services.agent_runtime.reasoners import REASONERS
from services.agent_runtime.tests.fake_ops import FakeOps
from services.agent_runtime.tests.rows import MESSAGES, Row, row, uid
from services.agent_runtime.tests.running import MOST_CALLS, MOST_ROWS, NOW, run, run_over

# Few, so that rows name one another.
_IDS = st.integers(1, 6).map(uid)
_WORDS = st.sampled_from(
    ["Outlook", "down", "printer", "everyone", "phishing link", "server", "VPN", "urgent", "12 users", "backup",
     "no hurry", "Ransomware", "offline", "mass-offline", "disk-free", "{braces}", "%s", "\N{OGHAM SPACE MARK}",
     "ﬁ ligature", "ÄÖÜß", "日本語", "🖨", "İ", "Windows 10 Pro"]
)  # fmt: skip
_TEXTS = st.one_of(
    st.lists(_WORDS, max_size=6).map(" ".join),
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=30),
)
_LATELY = st.integers(-60 * 24 * 100, 60 * 24 * 3).map(lambda minutes: NOW + timedelta(minutes=minutes))
_TIMES = st.one_of(_LATELY, st.datetimes(timezones=st.just(UTC))).map(lambda at: at.isoformat().replace("+00:00", "Z"))
_DAYS = st.one_of(_LATELY.map(lambda at: at.date()), st.dates()).map(str)
_FORMATS = {
    field_pb2.UUID: _IDS,
    field_pb2.DATE: _DAYS,
    field_pb2.DECIMAL: st.decimals(0, 10_000, places=4, allow_nan=False).map(str),
    field_pb2.CURRENCY: st.sampled_from(["EUR", "JPY", "KWD"]),
    field_pb2.TIME_ZONE: st.sampled_from(["Europe/Dublin", "UTC", "America/Nowhere"]),
    field_pb2.TIME_OF_DAY: st.sampled_from(["08:00", "17:30"]),
}
_SKIPPED = {"statusSpans", "escalations", "timeline", "labels"}


def _values(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    options = contract.field_options(field)
    if field.message_type is not None:
        is_time = field.message_type.full_name == "google.protobuf.Timestamp"
        return _TIMES if is_time else _rows(field.message_type)
    if field.enum_type is not None:
        return st.sampled_from(sorted(contract.enum_words(field)))
    match field.type:
        case FieldDescriptor.TYPE_BOOL:
            return st.booleans()
        case FieldDescriptor.TYPE_INT32 | FieldDescriptor.TYPE_INT64:
            return st.integers(options.minimum or 0, min(options.maximum or 5000, 5000))
    if field.name == "id" or field.name.endswith(("_id", "_ids")):
        return st.one_of(_IDS, st.sampled_from(["ada", "bob"])) if field.name == "assignee_id" else _IDS
    known = _FORMATS.get(options.format)
    if known is not None:
        return known
    texts = _TEXTS.map(lambda text: text[: options.max_length or 100])
    return texts.filter(lambda text: len(text) >= options.min_length)


def _rows(descriptor: Any) -> st.SearchStrategy[Row]:
    fields = {}
    for field in descriptor.fields:
        values = st.just([]) if field.json_name in _SKIPPED else _values(field)
        if field.json_name in _SKIPPED:
            fields[field.json_name] = values
        elif field.is_repeated:
            fields[field.json_name] = st.lists(values, max_size=3)
        else:
            fields[field.json_name] = st.none() | values if field.has_presence else values
    return st.fixed_dictionaries(fields)


def _many(kind: str, ids: st.SearchStrategy[str] = _IDS) -> st.SearchStrategy[list[Row]]:
    required = {"clientId", "createdAt", "updatedAt"} & {each.json_name for each in MESSAGES[kind].DESCRIPTOR.fields}
    defaults = {name: uid(1) if name == "clientId" else "2026-03-01T00:00:00Z" for name in required}
    rows = st.tuples(_rows(MESSAGES[kind].DESCRIPTOR), ids).map(
        lambda drawn: {**drawn[0], **{name: drawn[0][name] or defaults[name] for name in required}, "id": drawn[1]}
    )
    return st.lists(rows, max_size=5, unique_by=lambda found: str(found["id"]))


_READS = {
    "triage.classify": ("tickets", "contacts", "assets", "alerts"),
    "triage.correlate": ("alerts", "clients", "assets", "incidents"),
    "triage.suggest_runbook": ("tickets", "runbooks"),
    "sla.forecast": ("tickets",),
    "billing.draft_invoice": ("clients", "contracts", "tickets", "time-entries", "invoices", "sla-policies"),
    "billing.dunning": ("invoices", "clients", "contacts", "tickets"),
    "assets.health": ("assets", "alerts", "tickets"),
}
# What the input names.
_FIRST = {
    "triage.classify": {"tickets": row("tickets", 1, subject="x", clientId=uid(1))},
    "triage.suggest_runbook": {"tickets": row("tickets", 1, subject="x", clientId=uid(1))},
    "billing.draft_invoice": {"clients": row("clients", 1, name="Acme")},
}
_INPUTS: dict[str, st.SearchStrategy[Row]] = {
    "triage.classify": st.just({"ticketId": uid(1)}),
    "triage.correlate": st.one_of(st.just({}), st.sets(_IDS, min_size=1).map(lambda ids: {"alertIds": sorted(ids)})),
    "triage.suggest_runbook": st.just({"ticketId": uid(1)}),
    "sla.forecast": st.fixed_dictionaries({}, optional={"clientId": _IDS, "hours": st.integers(1, 168)}),
    "billing.draft_invoice": st.fixed_dictionaries(
        {"clientId": st.just(uid(1))}, optional={"from": _DAYS, "to": _DAYS}
    ),
    "billing.dunning": st.fixed_dictionaries({}, optional={"clientId": _IDS}),
    "assets.health": st.fixed_dictionaries({}, optional={"clientId": _IDS}),
}
_BUILTIN = sorted(_INPUTS)


@pytest.mark.parametrize("name", _BUILTIN)
def test_any_rows_give_a_result_that_keeps_its_promises(name: str) -> None:
    # Rows are large: to shrink a failure takes minutes and shows little more.
    @settings(max_examples=30, deadline=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        ops = {kind: data.draw(_many(kind)) for kind in _READS[name]}
        for kind, first in _FIRST.get(name, {}).items():
            ops[kind] = [{**first, **each, "id": uid(1)} for each in ops[kind][:1]] or [first]
            ops[kind] += data.draw(_many(kind, ids=st.integers(2, 6).map(uid)))
        # `run` checks all that is promised of any result.
        assert run(name, data.draw(_INPUTS[name]), ops).evidence["rows"]

    holds()


@pytest.mark.parametrize("name", _BUILTIN)
async def test_a_large_workspace_is_read_within_the_limits(name: str) -> None:
    created = {"createdAt": "2026-03-01T00:00:00Z"}
    contact = row("contacts", 1, clientId=uid(1), status="active", isBilling=True, isPrimary=True, **created)
    rows = {
        "clients": [row("clients", each, name=f"Client {each}", **created) for each in range(1, 700)],
        "tickets": [
            row("tickets", 1000 * place + each, clientId=uid(1), status=status, subject="Printer", category="Billing",
                resolvedAt="2026-03-02T00:00:00Z", **created)
            for place, status in enumerate(("new", "open", "in_progress", "waiting_on_client", "waiting_on_vendor",
                                            "resolved", "closed"), start=1)
            for each in range(700)
        ],
        "alerts": [
            row("alerts", 1000 * place + each, clientId=uid(each % 20 + 1), status=status,
                firstSeenAt="2026-03-18T09:00:00Z", ticketId=uid(1000), **created)
            for place, status in enumerate(("firing", "acknowledged"))
            for each in range(700)
        ],
        "assets": [row("assets", 9000 + each, clientId=uid(each % 5 + 1), name=f"PC {each}", **created)
                   for each in range(3000)],
        "contacts": [{**contact, "id": uid(each)} for each in range(700)],
        "incidents": [row("incidents", each, title="x", status="open", **created) for each in range(300)],
        "runbooks": [row("runbooks", each, title="x", status="published", **created) for each in range(900)],
        "contracts": [row("contracts", each, clientId=uid(1), status="draft", afterHoursRate="1", slaPolicyId=uid(1),
                          **created) for each in range(300)],
        "sla-policies": [row("sla-policies", each, name="x", **created) for each in range(300)],
        "time-entries": [row("time-entries", each, ticketId=uid(1000), billable=True, minutes=5, billableMinutes=5,
                             startedAt="2026-03-02T00:00:00Z", **created) for each in range(1500)],
        "invoices": [
            row("invoices", 1000 * place + each, clientId=uid(1), status=status, dueOn="2026-01-01", balance="1.00",
                currency="EUR", **created)
            for place, status in enumerate(("overdue", "partially_paid", "issued", "draft"))
            for each in range(700)
        ],
    }  # fmt: skip
    reader = FakeOps(rows)
    input_ = {
        "triage.classify": {"ticketId": uid(1000)},
        "triage.suggest_runbook": {"ticketId": uid(1000)},
        "billing.draft_invoice": {"clientId": uid(1)},
    }.get(name, {})
    await run_over(name, input_, reader, now=NOW)
    assert reader.rows > 400, "there was much to read"
    assert reader.calls <= MOST_CALLS
    assert reader.rows <= MOST_ROWS


@pytest.mark.parametrize("name", sorted(REASONERS))
def test_schemas_are_schemas(name: str) -> None:
    reasoner = REASONERS[name]
    for schema in (reasoner.input_schema, reasoner.output_schema):
        Draft202012Validator.check_schema(schema)
    assert reasoner.description.endswith(".")
    assert set(name) <= {*string.ascii_lowercase, ".", "_"}


@pytest.mark.parametrize("name", _BUILTIN)
def test_every_field_is_described_and_no_other_allowed(name: str) -> None:
    def walk(schema: Row) -> None:
        assert schema["description"]
        if "object" in schema["type"]:
            assert schema["additionalProperties"] is False
            for each in schema["properties"].values():
                walk(each)
        if "array" in schema["type"]:
            walk(schema["items"])

    walk(REASONERS[name].input_schema)
    walk(REASONERS[name].output_schema)
