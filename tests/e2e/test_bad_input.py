"""Bad input gets a clear answer and changes nothing."""

import pytest

from tests.platform import Api, assert_problem, new_key

NO_ONE = "01890000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[1]",
        b"null",
        b'{"name": "a", "name": "b"}',
        b'{"paymentTermsDays": NaN}',
        b'{"paymentTermsDays": 1e400}',
        b'{"name": "a\\u0000b"}',
        b'{"name": "\\ud800"}',
        b'{"name": "\xff"}',
        b"[" * 5000,
        b'{"paymentTermsDays": ' + b"9" * 5000 + b"}",
    ],
)
def test_malformed_json_is_refused(api: Api, raw: bytes) -> None:
    answer = api.post("/clients", content=raw, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert api.get("/clients").json()["page"]["total"] == 0


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"name": None}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a", "nmae": "b"}, "nmae"),
        ({"name": "a", "payment_terms_days": 3}, "payment_terms_days"),
        ({"name": "a", "paymentTermsDays": "30"}, "paymentTermsDays"),
        ({"name": "a", "paymentTermsDays": 30.5}, "paymentTermsDays"),
        ({"name": "a", "paymentTermsDays": 366}, "paymentTermsDays"),
        ({"name": "a", "paymentTermsDays": True}, "paymentTermsDays"),
        ({"name": "a", "status": "ACTIVE"}, "status"),
        ({"name": "a", "status": "status_unspecified"}, "status"),
        ({"name": "a", "status": 3}, "status"),
        ({"name": "a", "currency": "eur"}, "currency"),
        ({"name": "a", "hourlyRate": 95.5, "currency": "EUR"}, "hourlyRate"),
        ({"name": "a", "hourlyRate": "95.5"}, "currency"),
        ({"name": "a", "email": "nobody"}, "email"),
        ({"name": "a", "tags": ["ok", ""]}, "tags[1]"),
        ({"name": "a", "tags": ["t"] * 51}, "tags"),
        ({"name": "a", "billingAddress": {"town": "Cork"}}, "billingAddress.town"),
        ({"name": "a", "billingAddress": {"country": "Ireland"}}, "billingAddress.country"),
        ({"name": "a", "id": NO_ONE}, "id"),
        ({"name": "a", "version": 7}, "version"),
    ],
)
def test_a_wrong_field_is_named(api: Api, body: dict[str, object], path: str) -> None:
    problem = assert_problem(api.post("/clients", json=body), 422, "validation-failed")
    assert path in [error["path"] for error in problem["errors"]], problem
    assert api.get("/clients").json()["page"]["total"] == 0


def test_all_errors_are_told_at_once(api: Api) -> None:
    body = {"subject": "", "clientId": "x", "priority": "urgent", "tier": 9, "extra": 1}
    problem = assert_problem(api.post("/tickets", json=body), 422, "validation-failed")
    assert {error["path"] for error in problem["errors"]} == set(body)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "offset=-1", "sortBy=nothing", "sortOrder=up", "status=done", "colour=red",
     "limit=1&limit=2", "q=%00", "clientId=1"],
)  # fmt: skip
def test_a_wrong_query_is_refused(api: Api, query: str) -> None:
    problem = assert_problem(api.get(f"/tickets?{query}"), 422, "validation-failed")
    assert problem["errors"]


@pytest.mark.parametrize("path", ["/execute/triage.classify", "/execute/nobody.knows"])
@pytest.mark.parametrize(
    "value",
    ["9" * 309, "-" + "9" * 4000, '{"a":' * 33 + "1" + "}" * 33, "[" * 49 + "]" * 49],
    ids=["large", "negative", "objects", "lists"],
)
def test_an_input_that_nobody_can_keep_is_refused(api: Api, path: str, value: str) -> None:
    body = f'{{"input": {{"n": {value}}}}}'
    answer = api.post(path, content=body.encode(), headers={"content-type": "application/json"})
    problem = assert_problem(answer, 422, "validation-failed")
    assert [error["path"] for error in problem["errors"]] == ["input"]


def test_an_input_as_deep_as_it_may_be_is_looked_at(api: Api) -> None:
    body = '{"input": {"n": ' + '{"a":' * 29 + "1" + "}" * 29 + "}}"
    answer = api.post("/execute/triage.classify", content=body.encode(), headers={"content-type": "application/json"})
    problem = assert_problem(answer, 422, "validation-failed")
    assert problem["errors"][0]["path"] != "input"


def test_a_reference_to_nothing_is_named(api: Api) -> None:
    problem = assert_problem(api.post("/tickets", json={"subject": "x", "clientId": NO_ONE}), 422, "validation-failed")
    assert problem["errors"][0]["path"] == "clientId"
    assert api.get("/tickets").json()["page"]["total"] == 0


def test_a_key_is_needed_for_every_change(api: Api) -> None:
    for bad in ("", "with space", "ü", "k" * 256):
        answer = api.post("/clients", json={"name": "a"}, headers={"idempotency-key": bad.encode()})
        assert answer.status_code == 400, bad
    assert api.get("/clients").json()["page"]["total"] == 0


def test_only_json_and_only_so_much(api: Api) -> None:
    answer = api.post("/clients", content=b"<client/>", headers={"content-type": "application/xml"})
    assert_problem(answer, 415, "unsupported-media-type")
    large = b'{"name": "' + b"x" * 2_000_000 + b'"}'
    answer = api.post("/clients", content=large, headers={"content-type": "application/json"})
    assert_problem(answer, 413, "content-too-large")


def test_unknown_routes_and_methods(api: Api) -> None:
    assert_problem(api.get("/nothing"), 404, "route-not-found")
    answer = api.request("DELETE", "/tickets")
    assert_problem(answer, 405, "method-not-allowed")
    assert set(answer.headers["allow"].split(", ")) >= {"GET", "POST"}


@pytest.mark.parametrize("etag", ["3", 'W/"3"', '"x"', '"1", "2"'])
def test_a_malformed_if_match_is_refused(api: Api, etag: str) -> None:
    path = f"/tickets/{api.new_ticket()['id']}"
    answer = api.patch(path, json={"tier": 2}, headers={"if-match": etag}, key=new_key())
    assert answer.status_code == 400
    assert api.get(path).json()["version"] == 1


def test_a_text_that_looks_like_sql_is_only_a_text(api: Api) -> None:
    nasty = "Robert'); DROP TABLE tickets; -- 100% _under_ \\ back"
    ticket = api.new_ticket(subject=nasty)
    for part in ("'); drop", "100% _und", "\\ back"):
        assert [each["id"] for each in api.get("/tickets", params={"q": part}).json()["data"]] == [ticket["id"]]
    assert api.get("/tickets", params={"q": "100_ "}).json()["page"]["total"] == 0
