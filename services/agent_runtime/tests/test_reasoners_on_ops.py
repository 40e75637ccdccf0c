"""The reasoners over the demo workspace in the real ops service: every field and filter that they use is there, what
they answer keeps its promises, and what they propose is taken."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from devstack.stack import Stack
from kit.calls import Passport, ServiceCall, Services
from kit.identity import Principal, TokenSigner
from opsfield.ops.v1.invoices_pb2 import Invoice
from services.agent_runtime.tests.grpc_ops import GrpcOps
from services.agent_runtime.tests.rows import RPCS, Row, message_of
from services.agent_runtime.tests.running import run_over


@pytest.fixture(scope="module")
async def services(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    """Ops with its demo workspace."""
    path = tmp_path_factory.mktemp("reasoners")
    async with Stack(path, services=("ops", "platform"), gateway=False, demo=True) as stack:
        signer = TokenSigner.from_file("gateway", stack.layout.key("gateway"))
        yield Services({"ops": stack.address("ops")}, signer, timeout=20)


@pytest.fixture
def reading(services: Services) -> Callable[[], GrpcOps]:
    """A reader that has read nothing yet, each time."""
    return lambda: GrpcOps(services)


async def test_classify_finds_how_such_tickets_were_solved(reading: Callable[[], GrpcOps]) -> None:
    found = agreed = 0
    tickets = await reading().list("tickets", limit=200, status="in_progress")
    for ticket in tickets[:12]:
        output = (await run_over("triage.classify", {"ticketId": ticket["id"]}, reading())).output
        found += bool(output["similar"])
        agreed += output["category"]["value"] == ticket["category"]
    judged = min(len(tickets), 12)
    assert judged >= 5
    assert found == judged, "the demo workspace has solved tickets of each sort"
    assert agreed >= 0.8 * judged, "the demo workspace's categories are found"


async def test_correlate_reads_alerts(reading: Callable[[], GrpcOps]) -> None:
    firing = await reading().list("alerts", status="firing")
    output = (await run_over("triage.correlate", {}, reading())).output
    assert output["alertsConsidered"] >= len(firing) > 0


async def test_runbooks_are_suggested(reading: Callable[[], GrpcOps]) -> None:
    suggested = 0
    for ticket in (await reading().list("tickets", category="Email"))[:5]:
        output = (await run_over("triage.suggest_runbook", {"ticketId": ticket["id"]}, reading())).output
        assert output["runbooksConsidered"] > 3
        suggested += bool(output["suggestions"])
    assert suggested > 0


async def test_the_forecast_knows_history_and_load(reading: Callable[[], GrpcOps]) -> None:
    output = (await run_over("sla.forecast", {"hours": 168}, reading())).output
    assert output["openTickets"] > 0
    assert sum(each["openTickets"] for each in output["load"]) == output["openTickets"]
    assert any(each["medianMinutes"] for each in output["history"])
    assert output["dueSoon"] + len(output["paused"]) > 0


async def test_a_draft_is_taken_and_comes_to_what_was_said(reading: Callable[[], GrpcOps], services: Services) -> None:
    drafted = 0
    for client in await reading().list("clients"):
        result = await run_over("billing.draft_invoice", {"clientId": client["id"]}, reading())
        if not result.proposals:
            continue
        invoice = await _create_invoice(services, result.proposals[0].parameters)
        assert invoice.total == result.output["total"]
        assert invoice.subtotal == result.output["subtotal"]
        again = await run_over("billing.draft_invoice", {"clientId": client["id"]}, reading())
        assert again.proposals == (), "what a draft has is not proposed twice"
        drafted += 1
        if drafted == 3:
            break
    assert drafted == 3


async def test_who_is_late_is_found(reading: Callable[[], GrpcOps]) -> None:
    overdue = await reading().list("invoices", status="overdue")
    output = (await run_over("billing.dunning", {}, reading())).output
    assert output["invoices"] >= len(overdue) > 0
    assert all(each["call"]["email"] or each["call"]["phone"] for each in output["accounts"])


async def test_assets_are_judged(reading: Callable[[], GrpcOps]) -> None:
    output = (await run_over("assets.health", {}, reading())).output
    assert output["assetsJudged"] > 20
    assert output["counts"]["good"] > 0
    faults = {fault["rule"] for each in output["assets"] for fault in each["faults"]}
    assert {"status", "unsupported system"} <= faults


async def _create_invoice(services: Services, parameters: Row) -> Any:
    rpc = RPCS["CreateInvoice"]
    clerk = Principal("clerk", frozenset({"billing"}), "demo")
    request = rpc.request_class(invoice=message_of(Invoice, parameters))
    passport = Passport(clerk, "c-1", idempotency_key=f"draft-{parameters['clientId']}")
    return (await ServiceCall(services, "ops", rpc, timeout=20)(request, passport)).message
