"""Asking a model: what is sent to its endpoint, and what of its answers counts."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.agent_runtime.models.endpoint import MOST_TRIES, EndpointModel
from services.agent_runtime.models.model import Answered, Unanswered
from services.agent_runtime.reasoners.reasoner import Question
from services.agent_runtime.reasoners.schemas import record, word
from services.agent_runtime.tests.endpoint import Endpoint, serving

QUESTION = Question("Which colour?", {"text": "The sky."}, record("It.", colour=word("A colour.", "blue", "grey")))
BLUE = '{"colour": "blue"}'


@asynccontextmanager
async def model(endpoint: Endpoint, *, api_key: str | None = "k-1") -> AsyncIterator[EndpointModel]:
    asking = EndpointModel(endpoint.url, "small", api_key=api_key, timeout=10)
    yield asking
    await asking.close()


async def answer_of(endpoint: Endpoint) -> Answered | Unanswered:
    async with model(endpoint) as asking:
        return await asking.ask(QUESTION)


async def test_a_question_and_its_answer() -> None:
    async with serving(BLUE) as endpoint:
        assert await answer_of(endpoint) == Answered("small", {"colour": "blue"}, 1)
    (asked,) = endpoint.asked
    assert (asked["model"], asked["temperature"]) == ("small", 0)
    assert asked["response_format"]["json_schema"]["schema"] == QUESTION.schema
    assert "tools" not in asked
    system, user = asked["messages"]
    assert "Which colour?" in system["content"]
    assert json.dumps(QUESTION.material) in user["content"]
    assert endpoint.keys == ["Bearer k-1"]


@pytest.mark.parametrize("said", [f"```json\n{BLUE}\n```", f"Sure! {BLUE}", f"\n {BLUE} "])
async def test_a_fence_or_a_greeting_around_it_does_no_harm(said: str) -> None:
    async with serving(said) as endpoint:
        assert await answer_of(endpoint) == Answered("small", {"colour": "blue"}, 1)


@pytest.mark.parametrize(
    "said",
    [
        "blue",
        "",
        "{",
        '["blue"]',
        '{"colour": "green"}',
        '{"colour": "blue", "more": 1}',
        "{}",
        '{"colour": ' + "[" * 9000,
    ],
)
async def test_what_does_not_keep_to_the_schema_is_asked_again(said: str) -> None:
    async with serving(said, BLUE) as endpoint:
        assert await answer_of(endpoint) == Answered("small", {"colour": "blue"}, 2)
    assert "does not keep to the schema" in endpoint.asked[1]["messages"][-1]["content"]


async def test_a_model_that_never_keeps_to_it_has_not_answered() -> None:
    async with serving('{"colour": "green"}') as endpoint:
        answer = await answer_of(endpoint)
    assert isinstance(answer, Unanswered)
    assert (answer.tries, len(endpoint.asked)) == (MOST_TRIES, MOST_TRIES)
    assert "$.colour" in answer.reason


@pytest.mark.parametrize("status", [401, 404, 500])
async def test_an_endpoint_that_refuses_has_not_answered(status: int) -> None:
    async with serving(status) as endpoint:
        answer = await answer_of(endpoint)
    assert isinstance(answer, Unanswered)
    assert str(status) in answer.reason
    assert "sky" not in answer.reason


@pytest.mark.parametrize("said", [{"choices": []}, {"choices": [{"message": None}]}, {}])
async def test_a_completion_without_content_is_no_answer(said: dict[str, object]) -> None:
    async with serving(said) as endpoint:
        assert isinstance(await answer_of(endpoint), Unanswered)


@pytest.mark.parametrize(
    "said",
    [
        b"<html>Log in</html>",
        b'{"choices": [{"index": 0, "mess',
        b"null",
        b"[]",
        b'"blue"',
        b"\xff",
        b"[" * 90_000,
        b'{"choices": {"0": "blue"}}',
        b'{"choices": ["blue"]}',
        b'{"choices": [{"message": {"content": [{"type": "text", "text": "blue"}]}}]}',
        b'{"choices": [{"message": {"content": "\\ud83d"}}]}',
    ],
)
async def test_what_is_no_completion_is_no_answer(said: bytes) -> None:
    async with serving(said) as endpoint:
        answer = await answer_of(endpoint)
    assert isinstance(answer, Unanswered)
    assert (answer.tries, len(endpoint.asked)) == (1, 1)
    assert "blue" not in answer.reason


@pytest.mark.parametrize("said", ['{"share": NaN}', '{"share": Infinity}', '{"share": 1e999}', '{"text": "\\ud83d"}'])
async def test_what_is_no_json_is_no_answer_where_the_schema_takes_it(said: str) -> None:
    question = Question("How much?", {}, {"type": "object"})
    async with serving(said) as endpoint, model(endpoint) as asking:
        assert isinstance(await asking.ask(question), Unanswered)


async def test_nobody_at_the_endpoint_is_no_answer() -> None:
    async with serving(BLUE) as endpoint:
        pass
    assert isinstance(await answer_of(endpoint), Unanswered)


async def test_an_endpoint_that_takes_no_schema_is_asked_for_json() -> None:
    async with serving(400, BLUE) as endpoint, model(endpoint, api_key=None) as asking:
        assert await asking.ask(QUESTION) == Answered("small", {"colour": "blue"}, 1)
        assert await asking.ask(QUESTION) == Answered("small", {"colour": "blue"}, 1)
    assert [each["response_format"]["type"] for each in endpoint.asked] == ["json_schema", "json_object", "json_object"]
