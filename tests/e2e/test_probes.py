"""Texts that some program might take for a piece of itself, in every place of every operation that the OpenAPI lists:
what is taken is kept as it was sent, what is not is refused, and nothing is ever evaluated."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.agents import Agent, Fleet, metric, new_enrollment_token
from tests.platform import Api, Platform
from tests.published import NO_ONE, Document, follow

PROBES = (
    "' OR 1=1--",
    '"; DROP TABLE tickets; --',
    "{{1337*1337}} ${1337*1337} #{1337*1337} <%= 1337*1337 %>",
    "{0.__class__} {self.__init__.__globals__} {ticket.__class__} %s%n %(x)s",
    "../../../../etc/passwd",
    "a\r\nset-cookie: b=c",
    "a\0b",
    "\u202eevil\u200b\ufeff",
    "=HYPERLINK(1)",
)
# For what has a form: it is refused before anybody could evaluate it.
FORMLESS = ("' OR 1=1--", "a\0b")
BOMB = "(a+)+$" + "a" * 10_000 + "!"
NUMBERS = ("9" * 400, "-9223372036854775809", "NaN", "1e308", "\u0663", "1;SELECT 1", "")
# What one of them comes to where it is evaluated.
EVALUATED = re.compile(r"1787569|<class '|root:[x*]:|__main__|Traceback|syntax error at")
# What the other tests share, or what ends the caller's own session.
LEFT_OUT = ("/api/v1/platform/", "/api/v1/portal/session/")
REFUSED = range(400, 500)
JSON = {"content-type": "application/json"}


@pytest.fixture
def admin(platform: Platform) -> Iterator[Api]:
    with platform.api(("msp_admin",)) as api:
        yield api


@pytest.fixture
def document(admin: Api) -> Document:
    return Document(admin, LEFT_OUT)


def where(path: str, parameter: str = "", value: str = "") -> str:
    """A path as `Api` takes it, with one of its parameters set."""
    path = path.replace(f"{{{parameter}}}", quote(value, safe="")) if parameter else path
    return "../.." + re.sub(r"\{[^}]*\}", NO_ONE, path)


def test_no_text_of_a_change_is_evaluated(admin: Api, document: Document) -> None:
    wrong, taken = [], set()
    known = {"clientId": admin.new_client()["id"], "currency": "EUR"}
    for verb, path, operation in document.operations():
        if (body := document.body(operation)) is None:
            continue
        for place in document.texts(body):
            for probe in PROBES if document.is_free(body, place) else FORMLESS:
                answer = admin.request(verb, where(path), json=document.filled(body, place, probe, known))
                kept = probe
                if answer.is_success:
                    kept = follow(answer.json(), place, probe)
                    taken.add((path, place))
                if answer.status_code >= 500 or kept != probe or EVALUATED.search(answer.text):
                    wrong.append((verb, path, place, probe, answer.status_code, answer.text[:200]))
    assert wrong == []
    # Enough got through to where it could do harm, also below the first level.
    depths = Counter(min(len(place), 2) for _, place in taken)
    assert depths[1] > 40, sorted(map(str, taken))
    assert depths[2] > 5, sorted(map(str, taken))


def test_no_text_of_a_query_is_evaluated(admin: Api, document: Document) -> None:
    wrong, asked = [], 0
    admin.new_ticket()
    for verb, path, operation in document.operations():
        for each in document.parameters(operation, "query") if verb == "GET" else ():
            is_text = document.is_text(each.get("schema", {}))
            for probe in (*PROBES, BOMB[:7_000]) if is_text else NUMBERS:
                answer = admin.get(where(path), params={each["name"]: probe})
                asked += 1
                if answer.status_code not in (200, 304, 400, 404, 422) or EVALUATED.search(answer.text):
                    wrong.append((path, each["name"], probe[:40], answer.status_code, answer.text[:200]))
    assert wrong == []
    assert asked > 200


def test_no_part_of_a_path_is_evaluated(admin: Api, document: Document) -> None:
    wrong, asked = [], 0
    for verb, path, operation in document.operations():
        for each in document.parameters(operation, "path"):
            for probe in (*PROBES, BOMB[:7_000], "9" * 400):
                content = b"" if verb == "GET" else b"{}"
                answer = admin.request(verb, where(path, each["name"], probe), content=content, headers=JSON)
                asked += 1
                if answer.status_code not in REFUSED or EVALUATED.search(answer.text):
                    wrong.append((verb, path, each["name"], probe[:40], answer.status_code, answer.text[:200]))
    assert wrong == []
    assert asked > 500


def test_no_header_is_evaluated(admin: Api, document: Document) -> None:
    """Those that the document names, each with the first operations that read it; and those that all of them read."""
    wrong, readers = [], Counter[str]()
    everywhere = ("x-correlation-id", "traceparent", "prefer", "authorization", "content-type", "x-workspace-id")
    for verb, path, operation in document.operations():
        named = [each["name"].lower() for each in document.parameters(operation, "header")]
        for name in dict.fromkeys((*named, *everywhere)):
            readers[name] += 1
            if readers[name] > 3:
                continue
            for probe in (*PROBES, BOMB[:7_000], "\udcff"):
                value = probe.encode(errors="surrogateescape")
                if re.search(rb"[\r\n\0]", value):
                    continue  # ends the head: tests/e2e/test_raw_http.py
                answer = admin.request(
                    verb, where(path), headers={**JSON, name: value}, content=b"" if verb == "GET" else b"{}"
                )
                # Webhooks take nothing before their secret is set.
                is_failed = answer.status_code >= 500 and "webhook-secret-missing" not in answer.text
                if is_failed or EVALUATED.search(answer.text):
                    wrong.append((verb, path, name, probe[:40], answer.status_code, answer.text[:200]))
    assert wrong == []
    assert len(readers) > len(everywhere) + 3, readers


def test_what_agents_send_is_kept_as_it_is(fleet: Fleet, platform: Platform) -> None:
    with platform.api() as api:
        agent = Agent(fleet, new_enrollment_token(api))
        for number, probe in enumerate((*PROBES, BOMB[:200])):
            events = [metric("probe", number, instance=probe), metric(probe, number)]
            assert agent.send(*events).status_code in (200, 400, 422)
            names = {"key": probe, "value": {"stringValue": probe}}
            point = {"asInt": number, "timeUnixNano": str(time.time_ns()), "attributes": [names]}
            whole = {"name": probe, "unit": probe, "description": probe, "gauge": {"dataPoints": [point]}}
            scope = {"scope": {"name": probe, "attributes": [names]}, "schemaUrl": probe, "metrics": [whole]}
            record = {"body": {"stringValue": probe}, "attributes": [names], "severityText": probe, "eventName": probe}
            for path, body in {
                "/v1/metrics": {"resourceMetrics": [{"resource": {"attributes": [names]}, "scopeMetrics": [scope]}]},
                "/v1/logs": {"resourceLogs": [{"scopeLogs": [{"logRecords": [{**record, "severityNumber": 17}]}]}]},
            }.items():
                answer = agent.http.post(path, json=body, headers=agent.headers)
                assert answer.status_code in (200, 400, 422), (path, probe, answer.text)
        found = api.get(f"/edge-agent/agents/{agent.id}/metrics").json()["series"]
    kept = {each["instance"] for each in found if each["name"] == "probe"}
    assert {PROBES[0], PROBES[2], PROBES[3]} <= kept
    assert {each["name"] for each in found} <= {"probe", *PROBES, BOMB[:200]}
