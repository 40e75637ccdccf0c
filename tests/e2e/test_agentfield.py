"""Executions at AgentField's control plane, through the front door: asked for at the gateway, run over there, told by a
signed webhook to the gateway, and what is made of webhooks that are forged. A stand-in plays the control plane."""

import hmac
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.agent_runtime.tests.control_plane import ControlPlane, capability
from tests.databases import count
from tests.platform import Api, Platform, assert_problem, eventually

SERVICES = ("agent-runtime", "ops", "platform", "workflow")
SECRET, API_KEY = f"callback-secret-{uuid.uuid4()}", f"control-plane-key-{uuid.uuid4()}"
CALLBACK = "/api/v1/webhooks/workflow-completed"
BODY = json.dumps({"event": "execution.completed", "status": "succeeded", "result": {"forged": True}}).encode()


@pytest.fixture(scope="module")
def control_plane() -> Iterator[ControlPlane]:
    with ControlPlane(api_key=API_KEY) as running:
        running.offered = [capability("remote", "work"), capability("triage", "classify"), capability("dotted.x", "a")]
        yield running


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, control_plane: ControlPlane) -> Iterator[Platform]:
    """A platform of its own, whose engine is that control plane too."""
    with Platform(tmp_path_factory.mktemp("agentfield"), services=SERVICES) as running:
        running.restart("agent-runtime", environment(running, control_plane))
        with running.api(("platform_admin",)) as admin:
            answer = admin.post("/platform/secrets/workflow.callback", json={"value": SECRET})
            assert answer.status_code == 201, answer.text
        # What is not signed is taken until it is known that there is a secret.
        eventually(lambda: call_back(running, "nobody.nothing").status_code == 401)
        yield running


@pytest.fixture(autouse=True)
def _rightly(control_plane: ControlPlane) -> None:
    control_plane.calls_back, control_plane.registers = "rightly", True
    control_plane.answers.clear()


def environment(platform: Platform, control_plane: ControlPlane) -> dict[str, str]:
    return {
        "AGENTFIELD_URL": control_plane.url,
        "AGENTFIELD_API_KEY": API_KEY,
        "AGENTFIELD_CALLBACK_URL": platform.stack.base_url,
        "LEASE_SECONDS": "3",
        # How long a consumer that was killed keeps its partitions from the next one.
        "KAFKA_SESSION_TIMEOUT_SECONDS": "6",
    }


def signature(body: bytes, secret: str = SECRET) -> str:
    return f"sha256={hmac.digest(secret.encode(), body, 'sha256').hex()}"


def call_back(
    platform: Platform, delivery: str | None, body: bytes = BODY, *, signed: str | None = None, **headers: str
) -> httpx.Response:
    """As the control plane does it, without any token. `signed`: the signature; none unless given."""
    sent = {"content-type": "application/json", **headers}
    sent |= {"x-agentfield-delivery": delivery} if delivery is not None else {}
    sent |= {"x-agentfield-signature": signed} if signed is not None else {}
    return httpx.post(f"{platform.stack.base_url}{CALLBACK}", content=body, headers=sent, timeout=20)


def execute(api: Api, given: dict[str, Any]) -> str:
    """The id of a new execution of `remote.work`, which is offered once the control plane has been asked."""
    answer = eventually(
        lambda: (tried := api.post("/execute/remote.work", json={"input": given})).status_code == 202 and tried
    )
    assert answer
    return str(answer.json()["id"])


def execution(api: Api, execution_id: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/workflow-executions/{execution_id}").json()
    return found


def ended(api: Api, execution_id: str) -> dict[str, Any]:
    found = eventually(lambda: (now := execution(api, execution_id)).get("isFinal") and now, seconds=90)
    assert found
    return dict(found)


def theirs(control_plane: ControlPlane, execution_id: str) -> str:
    """The id over there of an execution of ours, once it has begun."""

    def look() -> str:
        asked = zip(list(control_plane.executions), list(control_plane.asked), strict=False)
        mine = [each for each, (_, body) in asked if body["context"]["opsfield"]["executionId"] == execution_id]
        return mine[-1] if mine else ""

    return eventually(look, seconds=60)


def asked_for(control_plane: ControlPlane, execution_id: str) -> list[dict[str, Any]]:
    bodies = [body for _, body in control_plane.asked]
    return [body for body in bodies if body["context"]["opsfield"]["executionId"] == execution_id]


def called_back(platform: Platform, execution_id: str) -> int:
    """How often the runtime was told to look."""
    query = "SELECT count(*) FROM outbox WHERE topic = 'internal.workflow.execution-called-back' AND key = $1"
    return count(platform, "workflow", query, execution_id)


def test_it_is_the_engine_in_use_and_its_agents_are_listed(platform: Platform, api: Api) -> None:
    status = eventually(
        lambda: (
            (found := httpx.get(f"{platform.stack.base_url}/.well-known/engine-status").json())["reachable"] and found
        )
    )
    assert status
    assert (status["engine"], status["version"]) == ("agentfield", "1.0.0")

    def listed() -> dict[str, Any]:
        agents = api.get("/agent-runtime/agents", params={"limit": 200}).json()["data"]
        return {each["id"]: each for each in agents}

    agents = eventually(lambda: (found := listed()).get("remote") and found)
    assert agents
    assert (agents["remote"]["engine"], agents["remote"]["reachable"]) == ("agentfield", True)
    assert agents["triage"]["engine"] == "builtin"
    assert "dotted.x" not in agents


def test_an_execution_runs_there_and_its_signed_webhook_is_taken(api: Api, control_plane: ControlPlane) -> None:
    execution_id = execute(api, {"hold": True, "whole": 7})
    their_id = theirs(control_plane, execution_id)
    control_plane.end(their_id, result={"answer": 42})
    found = ended(api, execution_id)
    assert (found["status"], found["proposals"], found["failureCode"]) == ("succeeded", [], None)
    assert api.get(f"/artifacts/{found['outputRef']}").json() == {"answer": 42}
    evidence = api.get(f"/artifacts/{found['evidenceRef']}").json()
    assert evidence["agentfield"]["executionId"] == their_id
    [body] = asked_for(control_plane, execution_id)
    assert body["input"] == {"hold": True, "whole": 7}
    answers = eventually(lambda: answers_of(control_plane, execution_id))
    assert [answer.status_code for answer in answers] == [200]
    assert answers[0].json()["executionId"] == execution_id


@pytest.mark.parametrize("result", [[1, {"a": None}], "text"])
def test_what_is_no_object_comes_as_the_value_of_one(api: Api, result: Any) -> None:
    found = ended(api, execute(api, {"give": result}))
    assert api.get(f"/artifacts/{found['outputRef']}").json() == {"value": result}


def test_one_that_fails_there_has_failed(api: Api) -> None:
    found = ended(api, execute(api, {"fail": "the printer is on fire"}))
    assert (found["status"], found["failureCode"], found["failureDetail"]) == (
        "failed",
        "reasoner_error",
        "the printer is on fire",
    )


def answers_of(control_plane: ControlPlane, execution_id: str) -> list[httpx.Response]:
    """What its webhooks were answered; one of a test before may come late."""
    return [each for each in control_plane.answers if each.json().get("executionId") == execution_id]


def test_a_webhook_that_comes_early_ends_nothing_and_the_end_is_found(api: Api, control_plane: ControlPlane) -> None:
    """It says that the execution has failed, while it is running; the right one never comes."""
    control_plane.calls_back = "early"
    execution_id = execute(api, {"hold": True})
    their_id = theirs(control_plane, execution_id)
    [answer] = eventually(lambda: answers_of(control_plane, execution_id))
    assert (answer.status_code, answer.json()) == (200, {"executionId": execution_id, "lookedAt": True})
    assert not execution(api, execution_id)["isFinal"]
    control_plane.end(their_id, result={"late": True})
    assert ended(api, execution_id)["status"] == "succeeded"
    assert len(answers_of(control_plane, execution_id)) == 1


def test_a_webhook_that_comes_twice_counts_once(platform: Platform, api: Api, control_plane: ControlPlane) -> None:
    control_plane.calls_back = "twice"
    execution_id = execute(api, {"hold": True})
    control_plane.end(theirs(control_plane, execution_id), result={})
    first, second = eventually(lambda: len(found := answers_of(control_plane, execution_id)) == 2 and found)  # type: ignore[misc]
    assert [first.status_code, second.status_code] == [200, 200]
    assert second.headers["idempotency-replayed"] == "true"
    assert first.json() == second.json()
    assert ended(api, execution_id)["status"] == "succeeded"
    assert called_back(platform, execution_id) <= 1


@pytest.mark.parametrize("how", ["never", "not registered"])
def test_a_webhook_that_never_comes_is_not_needed(api: Api, control_plane: ControlPlane, how: str) -> None:
    control_plane.calls_back, control_plane.registers = "never", how == "never"
    execution_id = execute(api, {"give": {}})
    assert ended(api, execution_id)["status"] == "succeeded"
    assert answers_of(control_plane, execution_id) == []


def test_one_that_is_cancelled_here_is_cancelled_there(api: Api, control_plane: ControlPlane) -> None:
    execution_id = execute(api, {"hold": True})
    their_id = theirs(control_plane, execution_id)
    assert api.post(f"/workflow-executions/{execution_id}/cancel", json={}).status_code == 200
    eventually(lambda: control_plane.executions[their_id]["status"] == "cancelled")
    assert execution(api, execution_id)["status"] == "cancelled"
    assert answers_of(control_plane, execution_id) == []


def test_forged_webhooks_are_refused_and_change_nothing(
    platform: Platform, api: Api, control_plane: ControlPlane
) -> None:
    control_plane.calls_back = "never"
    execution_id = execute(api, {"hold": True})
    theirs(control_plane, execution_id)
    before = eventually(lambda: (now := execution(api, execution_id))["status"] == "running" and now)
    good = asked_for(control_plane, execution_id)[0]["webhook"]["headers"]["x-agentfield-delivery"]
    assert good.startswith(f"{api.workspace}.{execution_id}.1.")
    right = signature(BODY)

    def refused(status: int, code: str, *what: Any, **how: Any) -> None:
        problem = call_back(platform, *what, **how)
        assert_problem(problem, status, code)
        assert ("www-authenticate" in problem.headers) == (status == 401)

    refused(401, "signature-missing", good)
    refused(401, "signature-invalid", good, signed=signature(BODY, "guess"))
    refused(401, "signature-invalid", good, signed=right.upper())
    refused(401, "signature-invalid", good, BODY + b" ", signed=right)
    refused(401, "signature-missing", good, b"not JSON")
    refused(400, "delivery-missing", None, signed=right)
    refused(400, "delivery-malformed", "two words", signed=right)
    for body in (b"not JSON", b"[]", b"", b"[" * 100_000):
        refused(400, "malformed-json", good, body, signed=signature(body))
    for unknown in (
        f"{api.workspace}.{uuid.uuid4()}.1.lease",
        f"elsewhere.{execution_id}.1.lease",
        f"{api.workspace}.exec_1.1.lease",
    ):
        refused(404, "not-found", unknown, signed=right)
    refused(404, "delivery-unknown", "one-word", signed=right)
    large = b" " * 1_048_577
    refused(413, "content-too-large", good, large, signed=signature(large))
    text = {"content-type": "text/plain"}
    refused(415, "unsupported-media-type", good, signed=right, **text)
    assert execution(api, execution_id) == before
    assert called_back(platform, execution_id) == 0

    # The delivery itself is still as good as new, and then it is not.
    taken = call_back(platform, good, signed=right)
    assert (taken.status_code, taken.json()["lookedAt"], "idempotency-replayed" in taken.headers) == (200, True, False)
    for body in (BODY, b'{"other": 1}'):
        replayed = call_back(platform, good, body, signed=signature(body))
        assert (replayed.status_code, replayed.headers["idempotency-replayed"]) == (200, "true")
        assert replayed.json() == taken.json()
    assert called_back(platform, execution_id) == 1
    assert execution(api, execution_id) == before

    # Signed or not: what ends it is what the control plane says when it is asked.
    control_plane.end(theirs(control_plane, execution_id), result={"forged": False})
    after = ended(api, execution_id)
    assert api.get(f"/artifacts/{after['outputRef']}").json() == {"forged": False}
    late = call_back(platform, f"{api.workspace}.{execution_id}.1.another", signed=right)
    assert (late.status_code, late.json()) == (200, {"executionId": execution_id, "lookedAt": False})
    assert execution(api, execution_id) == after
    assert called_back(platform, execution_id) == 1


def test_one_whose_runtime_is_killed_is_adopted_and_run_once(
    platform: Platform, api: Api, control_plane: ControlPlane
) -> None:
    execution_id = execute(api, {"hold": True})
    their_id = theirs(control_plane, execution_id)
    # Its id over there is written down before it is asked about.
    eventually(lambda: control_plane.looks.get(their_id))
    platform.kill("agent-runtime")
    platform.start("agent-runtime", environment(platform, control_plane))
    looks = control_plane.looks[their_id]
    eventually(lambda: control_plane.looks[their_id] > looks, seconds=90)
    control_plane.end(their_id, result={"once": True})
    found = ended(api, execution_id)
    # It counts the try that was lost.
    assert (found["status"], found["retryCount"]) == ("succeeded", 1)
    assert api.get(f"/artifacts/{found['outputRef']}").json() == {"once": True}
    assert len(asked_for(control_plane, execution_id)) == 1
    assert their_id not in control_plane.cancels


def test_one_that_ends_while_its_runtime_is_dead_is_adopted_too(
    platform: Platform, api: Api, control_plane: ControlPlane
) -> None:
    control_plane.calls_back = "never"
    execution_id = execute(api, {"hold": True})
    their_id = theirs(control_plane, execution_id)
    eventually(lambda: control_plane.looks.get(their_id))
    platform.kill("agent-runtime")
    control_plane.end(their_id, result={"once": True})
    platform.start("agent-runtime", environment(platform, control_plane))
    assert ended(api, execution_id)["status"] == "succeeded"
    assert len(asked_for(control_plane, execution_id)) == 1


def test_its_secrets_are_written_nowhere(platform: Platform) -> None:
    for log in Path(platform.stack.layout.logs).iterdir():
        text = log.read_text(errors="replace")
        assert SECRET not in text, log
        assert API_KEY not in text, log
