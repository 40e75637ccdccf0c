"""Problems on their way from a service to the gateway, and failures that are no problem of the service's own."""

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import status_pb2
from grpc.aio import AioRpcError, Metadata

from kit import errors
from kit.errors import FieldError, Problem
from opsfield.common.v1 import problem_pb2

CLASSES = [
    errors.Malformed,
    errors.Unauthenticated,
    errors.Forbidden,
    errors.NotFound,
    errors.MethodNotAllowed,
    errors.Conflict,
    errors.IllegalTransition,
    errors.PreconditionFailed,
    errors.TooLarge,
    errors.UrlTooLong,
    errors.UnsupportedMediaType,
    errors.Invalid,
    errors.TooManyRequests,
    errors.HeadersTooLarge,
    errors.Internal,
    errors.Unavailable,
]


def failed_call(code: grpc.StatusCode, details: bytes | None = None) -> AioRpcError:
    trailing = Metadata(("x-other", "1"))
    if details is not None:
        trailing.add(errors.STATUS_DETAILS, details)
    return AioRpcError(code, Metadata(), trailing, details="")


def carried(problem: Problem) -> Problem:
    """The problem as the gateway gets it."""
    return errors.from_rpc_error(failed_call(problem.grpc_status, errors.to_status_details(problem, "c-1")), "ops")


def test_every_class_of_problem_is_tried_here() -> None:
    assert {each.__name__ for each in CLASSES} == {
        each.__name__
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, Problem) and each is not Problem
    }


def test_of_very_many_errors_the_first_ones_arrive() -> None:
    """gRPC would drop all of the problem otherwise."""
    sent = errors.Invalid.fields(*(FieldError(f"lines[{each}].unitPrice", "x" * 90) for each in range(10_000)))
    assert len(errors.to_status_details(sent, "c-1")) < 5000
    got = carried(sent)
    assert 20 < len(got.errors) < 100
    assert got.errors == sent.errors[: len(got.errors)]
    assert got.detail.endswith("lines[9].unitPrice and 9990 more).")


@pytest.mark.parametrize("problem_class", CLASSES)
def test_a_problem_arrives_as_it_was_sent(problem_class: type[Problem]) -> None:
    sent = problem_class("What happened.", errors=[FieldError("tags[2]", "is too long"), FieldError("name", "is ä")])
    got = carried(sent)
    assert got.message(instance="/x", correlation_id="c") == sent.message(instance="/x", correlation_id="c")
    assert got.status == problem_class.status
    assert got.title == problem_class.title
    assert got.grpc_status is sent.grpc_status


def test_a_more_telling_code_arrives_too() -> None:
    assert carried(errors.Conflict("Taken.", code="already-exists")).code == "already-exists"


@pytest.mark.parametrize("problem_class", [errors.Conflict, errors.TooManyRequests, errors.Unavailable])
def test_when_to_try_again_arrives_too(problem_class: type[Problem]) -> None:
    assert carried(problem_class("Later.", retry_after=30)).retry_after == 30


def test_what_is_unavailable_always_says_when_to_try_again() -> None:
    assert carried(errors.Unavailable("Down.")).retry_after == 1


def test_what_will_not_get_better_says_nothing_of_trying_again() -> None:
    assert carried(errors.NotFound("Nothing there.")).retry_after is None


def test_the_status_is_one_that_any_grpc_client_understands() -> None:
    status = status_pb2.Status.FromString(errors.to_status_details(errors.NotFound("Nothing there."), "c-1"))
    problem = problem_pb2.Problem()
    assert status.code == grpc.StatusCode.NOT_FOUND.value[0]
    assert status.message == "Nothing there."
    assert status.details[0].Unpack(problem)
    assert (problem.correlation_id, problem.type) == ("c-1", "/problems/not-found")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (grpc.StatusCode.UNAVAILABLE, "unavailable"),
        (grpc.StatusCode.CANCELLED, "unavailable"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "timeout"),
        (grpc.StatusCode.UNIMPLEMENTED, "not-offered"),
    ],
)
def test_a_service_that_does_not_answer_is_unavailable(code: grpc.StatusCode, expected: str) -> None:
    problem = errors.from_rpc_error(failed_call(code), "ops")
    assert (problem.status, problem.code) == (503, expected)
    assert problem.retry_after
    assert "ops" in problem.detail


def test_any_other_failure_tells_the_caller_nothing() -> None:
    for failure in (
        failed_call(grpc.StatusCode.UNKNOWN),
        failed_call(grpc.StatusCode.INTERNAL, status_pb2.Status(message="secret").SerializeToString()),
        failed_call(grpc.StatusCode.INTERNAL, status_pb2.Status(details=[any_pb2.Any()]).SerializeToString()),
    ):
        problem = errors.from_rpc_error(failure, "ops")
        assert (problem.status, problem.detail) == (500, "Something went wrong on our side.")
