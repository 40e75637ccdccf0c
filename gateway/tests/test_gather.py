"""An answer that is put together from those of several services: the dashboard, and which contracts make none."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from gateway import app
from gateway.gather import Gather
from gateway.settings import Settings
from gateway.tests.fake_service import FakeService
from gateway.tests.tokens import bearer
from kit import contract
from kit.calls import Passport, Reply
from kit.contract import ContractError, Rpc
from kit.errors import FieldError, Forbidden, Invalid, Problem, TooManyRequests, Unavailable
from kit.identity import Principal
from kit.tests.protos import compile_proto
from opsfield.ops.v1.summary_pb2 import DashboardSummary, GetDashboardSummaryRequest, SummaryRange
from opsfield.telemetry.v1.fleet_pb2 import Fleet, FleetSummary, GetFleetSummaryRequest
from opsfield.workflow.v1.executions_pb2 import Executions, ExecutionSummary

DASHBOARD = "/api/v1/dashboard/summary"
THEN = Timestamp(seconds=1_700_000_000)


@pytest.fixture(autouse=True)
def ops(services: dict[str, FakeService]) -> FakeService:
    """Ops as it should be."""
    services["ops"].answers["GetDashboardSummary"] = lambda request: DashboardSummary(
        as_of=THEN,
        range=SummaryRange(range_from=request.range_from, range_to=THEN),
        tickets=DashboardSummary.Tickets(open=3),
        sla=DashboardSummary.Sla(),
    )
    return services["ops"]


@pytest.fixture(autouse=True)
def telemetry(services: dict[str, FakeService]) -> FakeService:
    """Telemetry as it should be."""
    services["telemetry"].answers["GetFleetSummary"] = lambda _: FleetSummary(fleet=Fleet(agents=7, online=5))
    return services["telemetry"]


@pytest.fixture(autouse=True)
def workflow(services: dict[str, FakeService]) -> FakeService:
    """Workflow as it should be."""
    services["workflow"].answers["GetExecutionSummary"] = lambda _: ExecutionSummary(
        executions=Executions(decisions_waiting=2)
    )
    return services["workflow"]


def raising(problem: Problem) -> Callable[[Message], Message]:
    def answer(_: Message) -> Message:
        raise problem

    return answer


async def test_the_parts_make_up_the_whole(client: httpx.AsyncClient, ops: FakeService, telemetry: FakeService) -> None:
    response = await client.get(DASHBOARD, params={"from": "2023-11-01T00:00:00Z"})
    assert response.status_code == 200
    body = response.json()
    assert list(body) == ["asOf", "range", "tickets", "sla", "alerts", "fleet", "executions", "unavailable"]
    assert (body["asOf"], body["range"]["from"]) == ("2023-11-14T22:13:20Z", "2023-11-01T00:00:00Z")
    assert (body["tickets"]["open"], body["fleet"]["online"], body["unavailable"]) == (3, 5, [])
    assert body["alerts"] is None, "ops did not tell it"
    assert ops.last.request == GetDashboardSummaryRequest(range_from=Timestamp(seconds=1698796800))
    assert telemetry.last.request == GetFleetSummaryRequest()


async def test_each_part_is_asked_as_the_caller(
    http: httpx.AsyncClient, ops: FakeService, telemetry: FakeService
) -> None:
    await http.get(DASHBOARD, headers=bearer(roles=["viewer"]) | {"x-correlation-id": "c-1"})
    for service in (ops, telemetry):
        principal = service.last.principal
        assert principal == Principal("user-1", frozenset({"viewer"}), "demo")
        assert service.last.metadata["x-correlation-id"] == "c-1"


async def test_the_parts_are_asked_at_once(client: httpx.AsyncClient, ops: FakeService, telemetry: FakeService) -> None:
    both = asyncio.Barrier(2)

    def meeting(answer: Message) -> Callable[[Message], object]:
        async def meet(_: Message) -> Message:
            await asyncio.wait_for(both.wait(), 10)
            return answer

        return meet

    ops.answers["GetDashboardSummary"] = meeting(DashboardSummary())  # type: ignore[assignment]
    telemetry.answers["GetFleetSummary"] = meeting(FleetSummary())  # type: ignore[assignment]
    assert (await client.get(DASHBOARD)).status_code == 200


async def test_a_part_that_cannot_answer_is_left_out_and_named(
    client: httpx.AsyncClient, telemetry: FakeService
) -> None:
    telemetry.answers["GetFleetSummary"] = raising(Unavailable("The database is away."))
    body = (await client.get(DASHBOARD)).json()
    assert (body["fleet"], body["unavailable"], body["tickets"]["open"]) == (None, ["telemetry"], 3)


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNIMPLEMENTED]
)
async def test_so_is_one_that_does_not_answer(
    client: httpx.AsyncClient, ops: FakeService, code: grpc.StatusCode
) -> None:
    ops.aborts = [code] * 2
    response = await client.get(DASHBOARD)
    body = response.json()
    assert (response.status_code, body["unavailable"], body["fleet"]["agents"]) == (200, ["ops"], 7)
    assert [body[name] for name in ("asOf", "range", "tickets", "sla", "alerts")] == [None] * 5


async def test_so_is_one_that_is_not_there(settings: Settings) -> None:
    # No service listens on the port that discards everything.
    addresses = {**settings.addresses, "telemetry": "127.0.0.1:9"}
    gateway = app.create(settings.model_copy(update={"addresses": addresses}))
    transport = httpx.ASGITransport(app=gateway)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=bearer()) as client:
        response = await client.get(DASHBOARD)
    await gateway.close()
    assert (response.status_code, response.json()["unavailable"]) == (200, ["telemetry"])


async def test_when_nobody_can_answer_nor_can_the_gateway(
    client: httpx.AsyncClient, ops: FakeService, telemetry: FakeService, workflow: FakeService
) -> None:
    workflow.answers["GetExecutionSummary"] = raising(Unavailable("Later.", retry_after=9))
    ops.answers["GetDashboardSummary"] = raising(Unavailable("Later.", retry_after=9))
    telemetry.answers["GetFleetSummary"] = raising(Unavailable("Soon.", retry_after=4))
    response = await client.get(DASHBOARD)
    assert (response.status_code, response.headers["retry-after"]) == (503, "4")
    assert response.json()["detail"] == "None of the services can answer: ops, telemetry, workflow."


@pytest.mark.parametrize(
    "problem",
    [
        Invalid.fields(FieldError("from", "must be before to")),
        Forbidden("Not you."),
        TooManyRequests("Not so often.", retry_after=3),
        Problem("Something went wrong on our side."),
    ],
    ids=lambda problem: str(problem.status),
)
async def test_what_a_part_refuses_the_whole_is_refused_for(
    client: httpx.AsyncClient, ops: FakeService, telemetry: FakeService, problem: Problem
) -> None:
    ops.answers["GetDashboardSummary"] = raising(problem)
    telemetry.answers["GetFleetSummary"] = raising(Unavailable("Away."))
    response = await client.get(DASHBOARD)
    assert (response.status_code, response.json()["detail"]) == (problem.status, problem.detail)
    assert [each["path"] for each in response.json()["errors"]] == [each.path for each in problem.errors]


async def test_a_part_has_no_route_of_its_own(client: httpx.AsyncClient, ops: FakeService) -> None:
    assert (await client.get(DASHBOARD, headers=bearer(roles=["billing"]))).status_code == 403
    assert (await client.get("/opsfield.ops.v1.SummaryService/GetDashboardSummary")).status_code == 404
    assert not ops.received


HEAD = """
syntax = "proto3";
package opsfield.{area}.{name};
import "google/api/annotations.proto";
import "google/api/field_behavior.proto";
import "google/protobuf/timestamp.proto";
import "opsfield/options/v1/policy.proto";
service PingService {{
  rpc GetPing(GetPingRequest) returns (Ping) {{
    {route}
    option (opsfield.options.v1.policy) = {{{policy}}};
  }}
}}
message GetPingRequest {{{request}}}
message Ping {{{answer}}}
"""
GET = 'option (google.api.http) = {get: "/ping"};'
POST = 'option (google.api.http) = {post: "/ping"};'
TIME = "google.protobuf.Timestamp"
VIEWERS = "roles: {any_of: [VIEWER]}"
MORE = "roles: {any_of: [VIEWER, BILLING]}"


@dataclass
class Sketch:
    """A proto with one rpc."""

    area: str
    policy: str
    request: str = f"{TIME} day = 1;"
    answer: str = ""
    route: str = ""

    def rpc(self, name: str, more: str = "") -> Rpc:
        text = HEAD.format(
            area=self.area,
            name=name,
            route=self.route,
            policy=f"{self.policy} {more}",
            request=self.request,
            answer=self.answer,
        )
        service = compile_proto(text).services_by_name["PingService"]
        return contract._rpc(service.methods[0], service)


@dataclass
class Whole(Sketch):
    area: str = "gateway"
    policy: str = VIEWERS
    answer: str = f"{TIME} seen = 1; optional string word = 2; repeated string unavailable = 3;"
    route: str = GET


@dataclass
class Part(Sketch):
    area: str = "ops"
    policy: str = f"{VIEWERS} gathered: true"
    answer: str = f"{TIME} seen = 5;"


SEEN = Part()
WORD = Part("telemetry", f"{MORE} gathered: true", "", "optional string word = 1;")


@pytest.fixture
def gather(request: pytest.FixtureRequest) -> Callable[[Sketch, Sequence[Sketch]], Gather]:
    """Puts sketches together."""
    name = "t" + "".join(letter for letter in request.node.name if letter.isalnum())

    async def ask(asked: Message, _: Passport) -> Reply:
        answers: dict[str, dict[str, Any]] = {"ops": {"seen": THEN}, "telemetry": {"word": "hello"}}
        rpc = next(each for each in known.values() if each.request_class is type(asked))
        return Reply(rpc.response_class(**answers[rpc.owner]))

    known: dict[str, Rpc] = {}

    def build(whole: Sketch, parts: Sequence[Sketch]) -> Gather:
        known.update({rpc.path: rpc for rpc in (each.rpc(f"{name}{at}") for at, each in enumerate(parts))})
        paths = " ".join(f'gathers: "{path}"' for path in known)
        return Gather(whole.rpc(name, paths), known, lambda _: ask)

    return build


async def test_any_parts_that_fit_can_be_gathered(gather: Callable[..., Gather]) -> None:
    built = gather(Whole(), (SEEN, WORD))
    request = Whole().rpc("thatisasked").request_class(day=THEN)
    reply = await built(request, Passport(None, "c"))  # type: ignore[arg-type]
    found = {field.name: value for field, value in reply.message.ListFields()}
    assert found == {"seen": THEN, "word": "hello"}


@pytest.mark.parametrize(
    ("whole", "parts", "reason"),
    [
        (Whole(area="ops"), (SEEN, WORD), "only what the gateway reads"),
        (Whole(policy=f"{VIEWERS} idempotency: KEY_REQUIRED", route=POST), (SEEN, WORD), "only what the gateway reads"),
        (Whole(), (Part(policy=VIEWERS, route=GET), WORD), "no service's read that is marked as gathered"),
        (Whole(), (Part("gateway"), WORD), "no service's read that is marked as gathered"),
        (Whole(), (Part("common"), WORD), "no service's read that is marked as gathered"),
        (Whole(policy=MORE), (SEEN, WORD), "must be open to whoever may call"),
        (Whole(), (Part(policy="service_only: {} gathered: true"), WORD), "must be open to whoever may call"),
        (Whole(policy=f"{VIEWERS} tenancy: NO_WORKSPACE"), (SEEN, WORD), "must be open to whoever may call"),
        (Whole(request="string day = 1;"), (SEEN, WORD), "must be of one type and JSON name"),
        (Whole(request=f'{TIME} day = 1 [json_name = "date"];'), (SEEN, WORD), "must be of one type and JSON name"),
        (Whole(request=f"{TIME} day = 1; string more = 2;"), (SEEN, WORD), "no part takes more"),
        (
            Whole(),
            (Part(request=f"{TIME} day = 1; string id = 2 [(google.api.field_behavior) = REQUIRED];"), WORD),
            "id is required",
        ),
        (Whole(), (Part(answer="optional string seen = 1;"), WORD), "must be of one type and JSON name"),
        (Whole(), (Part(answer=f"repeated {TIME} seen = 1;"), WORD), "must be of one type and JSON name"),
        (Whole(), (Part(answer=f"{TIME} seen = 1; string other = 2;"), WORD), "other has no place in"),
        (Whole(), (Part(answer=f"{TIME} seen = 1; repeated string unavailable = 2;"), WORD), "has no place in"),
        (Whole(), (Part(answer=f"{TIME} seen = 1; optional string word = 2;"), WORD), "more than one part gives word"),
        (Whole(), (SEEN,), "no part gives word"),
        (
            Whole(answer=f"{TIME} seen = 1; string word = 2; repeated string unavailable = 3;"),
            (SEEN, Part("telemetry", answer="string word = 1;")),
            "could not be told from a missing part",
        ),
        (Whole(answer=f"{TIME} seen = 1;"), (SEEN,), "needs a list of strings called unavailable"),
        (Whole(answer=f"{TIME} seen = 1; string unavailable = 2;"), (SEEN,), "needs a list of strings"),
    ],
)
def test_parts_that_do_not_fit_stop_the_start(
    gather: Callable[..., Gather], whole: Sketch, parts: Sequence[Sketch], reason: str
) -> None:
    with pytest.raises(ContractError, match=reason):
        gather(whole, parts)


def test_a_part_that_there_is_not_stops_the_start() -> None:
    rpc = Whole().rpc("apartthatisnot", 'gathers: "/opsfield.ops.v1.Nothing/GetNothing"')
    with pytest.raises(ContractError, match=r"gathers what there is not: /opsfield\.ops\.v1\.Nothing/GetNothing"):
        Gather(rpc, {}, lambda _: pytest.fail("nothing is called"))
