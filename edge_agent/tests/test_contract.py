"""The agent and the protos agree: what it sends is what they describe, and it understands what they allow."""

import json
from typing import Any

from google.protobuf import json_format

from edge_agent.tests.agent import Agent, until
from edge_agent.tests.platform_server import ENROLL, ISSUE, POLICY_DOCUMENT, Platform
from opsfield.telemetry.v1 import edge_policies_pb2, enrollment_pb2, ingest_pb2
from opsfield_agent import policy


def test_every_event_is_one_of_the_protos(platform: Platform, agent: Agent) -> None:
    platform.policy |= {
        "checks": [
            {"name": "web", "type": "http", "target": platform.url, "everySeconds": 1},
            {"name": "odd", "type": "tcp", "target": "nowhere", "everySeconds": 1},
        ]
    }
    with agent.running():
        until(lambda: {"critical", "unknown"} <= {event["status"] for event in platform.events("check")})
    types = set()
    for event in platform.events():
        message = json_format.ParseDict(_enums(event), ingest_pb2.TelemetryEvent())
        assert message.HasField("observed_at")
        assert len(message.name) <= 200
        assert len(message.message) <= 10_000
        types.add(event["type"])
    assert types == {"metric", "heartbeat", "check", "inventory"}


def test_requests_are_those_of_the_protos(platform: Platform, agent: Agent) -> None:
    agent.command("token")
    bodies = {each.route: json.loads(each.body) for each in platform.requests}
    enrolled = json_format.ParseDict(bodies[ENROLL], enrollment_pb2.EnrollAgentRequest())
    assert len(enrolled.public_key) == 43
    assert len(enrolled.operating_system) <= 100
    issued = json_format.ParseDict(bodies[ISSUE], enrollment_pb2.IssueAgentTokenRequest())
    assert issued.assertion.startswith("acme.")
    assert len(issued.assertion) <= 2000


def test_it_knows_every_collector_and_check_of_the_protos() -> None:
    collectors = edge_policies_pb2.Collector.Name.keys()
    assert {name.lower() for name in collectors if name != "NAME_UNSPECIFIED"} == set(policy.COLLECTORS)
    types = edge_policies_pb2.Check.Type.keys()
    assert {name.lower() for name in types if name != "TYPE_UNSPECIFIED"} == set(policy.CHECK_TYPES)


def test_it_reads_the_fields_of_the_protos() -> None:
    names = {field.json_name for field in edge_policies_pb2.EffectivePolicy.DESCRIPTOR.fields}
    assert set(POLICY_DOCUMENT) == names
    parsed, complaints = policy.parse(
        {
            **POLICY_DOCUMENT,
            "version": 4611686018427387904,
            "sendSeconds": 5,
            "metricsSeconds": 6,
            "collectors": ["cpu"],
        }
    )
    assert complaints == []
    assert parsed == policy.Policy("4611686018427387904", 5, 6, 21600, ("cpu",), ())


def test_of_a_policy_gone_wrong_the_rest_holds() -> None:
    odd: dict[str, Any] = {
        "version": "9",
        "sendSeconds": "soon",
        "metricsSeconds": -5,
        "inventorySeconds": 1e30,
        "collectors": "all",
        "checks": [None, {}, {"type": "tcp"}, {"type": "tcp", "name": "a", "target": "b:1", "timeoutSeconds": 900}],
    }
    parsed, complaints = policy.parse(odd)
    assert (parsed.send_seconds, parsed.metrics_seconds, parsed.inventory_seconds) == (30, 30, 7 * 86400)
    assert parsed.collectors == policy.COLLECTORS
    assert [(check.name, check.timeout_seconds) for check in parsed.checks] == [("a", 60)]
    assert len(complaints) == 6
    assert policy.parse({"sendSeconds": 0.001})[0].send_seconds == policy.SHORTEST_SECONDS
    nonsense: list[dict[str, Any]] = [{}, {"checks": {}}, {"collectors": [[], {}, None]}]
    for each in nonsense:
        policy.parse(each)


def _enums(event: dict[str, Any]) -> dict[str, Any]:
    return {**event, **{name: event[name].upper() for name in ("type", "status") if name in event}}
