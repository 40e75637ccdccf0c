"""Every error that a caller can be told about, once.

    Problem                     code                      HTTP  gRPC
    ├── Malformed               malformed-request          400  INVALID_ARGUMENT
    ├── Unauthenticated         unauthenticated            401  UNAUTHENTICATED
    ├── Forbidden               forbidden                  403  PERMISSION_DENIED
    ├── NotFound                not-found                  404  NOT_FOUND
    ├── MethodNotAllowed        method-not-allowed         405  UNIMPLEMENTED
    ├── Conflict                conflict                   409  ABORTED
    │   └── IllegalTransition   illegal-transition
    ├── PreconditionFailed      precondition-failed        412  FAILED_PRECONDITION
    ├── TooLarge                content-too-large          413  OUT_OF_RANGE
    ├── UrlTooLong              url-too-long               414  OUT_OF_RANGE
    ├── UnsupportedMediaType    unsupported-media-type     415  INVALID_ARGUMENT
    ├── Invalid                 validation-failed          422  INVALID_ARGUMENT
    ├── TooManyRequests         rate-limited               429  RESOURCE_EXHAUSTED
    ├── HeadersTooLarge         headers-too-large          431  OUT_OF_RANGE
    ├── Internal                internal                   500  INTERNAL
    └── Unavailable             unavailable                503  UNAVAILABLE

A raise may give a more telling `code` than its class has. Bodies follow RFC 9457.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import grpc
from google.rpc import error_details_pb2, status_pb2

from opsfield.common.v1 import problem_pb2

# Where gRPC's rich error model puts a google.rpc.Status (grpc.io/docs/guides/error).
STATUS_DETAILS = "grpc-status-details-bin"
# gRPC drops trailing metadata beyond 8 KiB, and the whole problem with it: of very many errors the first ones travel.
_MOST_ERRORS = 100
_MOST_BYTES = 4000
_MOST_PLACES = 10


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with the input; `path` as the caller wrote it: `address.city`, `tags[2]`."""

    path: str
    message: str


class Problem(Exception):
    """An answer that is not a success; `detail` is a sentence for a person."""

    code = "internal"
    status = 500
    title = "Internal error"
    grpc_status = grpc.StatusCode.INTERNAL

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        errors: Iterable[FieldError] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code
        self.errors = tuple(errors)
        self.retry_after = retry_after

    def message(self, *, instance: str = "", correlation_id: str = "") -> problem_pb2.Problem:
        """The body of the answer."""
        return problem_pb2.Problem(
            type=f"/problems/{self.code}",
            title=self.title,
            status=self.status,
            detail=self.detail,
            instance=instance,
            code=self.code,
            correlation_id=correlation_id,
            errors=[problem_pb2.FieldError(path=error.path, message=error.message) for error in self.errors],
        )


class Malformed(Problem):
    code, status, title = "malformed-request", 400, "Malformed request"
    grpc_status = grpc.StatusCode.INVALID_ARGUMENT


class Unauthenticated(Problem):
    code, status, title = "unauthenticated", 401, "Authentication needed"
    grpc_status = grpc.StatusCode.UNAUTHENTICATED


class Forbidden(Problem):
    code, status, title = "forbidden", 403, "Not allowed"
    grpc_status = grpc.StatusCode.PERMISSION_DENIED


class NotFound(Problem):
    code, status, title = "not-found", 404, "Not found"
    grpc_status = grpc.StatusCode.NOT_FOUND


class MethodNotAllowed(Problem):
    code, status, title = "method-not-allowed", 405, "Method not allowed"
    grpc_status = grpc.StatusCode.UNIMPLEMENTED


class Conflict(Problem):
    code, status, title = "conflict", 409, "Conflict"
    grpc_status = grpc.StatusCode.ABORTED


class IllegalTransition(Conflict):
    code, title = "illegal-transition", "Illegal transition"


class PreconditionFailed(Problem):
    code, status, title = "precondition-failed", 412, "Precondition failed"
    grpc_status = grpc.StatusCode.FAILED_PRECONDITION


class TooLarge(Problem):
    code, status, title = "content-too-large", 413, "Content too large"
    grpc_status = grpc.StatusCode.OUT_OF_RANGE


class UrlTooLong(Problem):
    code, status, title = "url-too-long", 414, "URL too long"
    grpc_status = grpc.StatusCode.OUT_OF_RANGE


class UnsupportedMediaType(Problem):
    code, status, title = "unsupported-media-type", 415, "Unsupported media type"
    grpc_status = grpc.StatusCode.INVALID_ARGUMENT


class Invalid(Problem):
    code, status, title = "validation-failed", 422, "Validation failed"
    grpc_status = grpc.StatusCode.INVALID_ARGUMENT

    @classmethod
    def fields(cls, *errors: FieldError) -> "Invalid":
        """For errors that each have their place in the input."""
        places = ", ".join(error.path for error in errors[:_MOST_PLACES])
        if len(errors) > _MOST_PLACES:
            places += f" and {len(errors) - _MOST_PLACES} more"
        return cls(f"The input is not valid: see errors ({places}).", errors=errors)


class TooManyRequests(Problem):
    code, status, title = "rate-limited", 429, "Too many requests"
    grpc_status = grpc.StatusCode.RESOURCE_EXHAUSTED


class HeadersTooLarge(Problem):
    code, status, title = "headers-too-large", 431, "Headers too large"
    grpc_status = grpc.StatusCode.OUT_OF_RANGE


class Internal(Problem):
    pass


class Unavailable(Problem):
    code, status, title = "unavailable", 503, "Temporarily unavailable"
    grpc_status = grpc.StatusCode.UNAVAILABLE


_CLASSES = (
    Malformed,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    PreconditionFailed,
    TooLarge,
    UrlTooLong,
    UnsupportedMediaType,
    Invalid,
    TooManyRequests,
    HeadersTooLarge,
    Internal,
    Unavailable,
)
_BY_STATUS = {each.status: each for each in _CLASSES}


def to_status_details(problem: Problem, correlation_id: str) -> bytes:
    """The problem as a serialized google.rpc.Status, for the trailing metadata."""
    status = status_pb2.Status(code=problem.grpc_status.value[0], message=problem.detail)
    message = problem.message(correlation_id=correlation_id)
    del message.errors[_MOST_ERRORS:]
    while message.errors and message.ByteSize() > _MOST_BYTES:
        del message.errors[-1]
    status.details.add().Pack(message)
    if problem.retry_after:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.seconds = problem.retry_after
        status.details.add().Pack(retry)
    serialized: bytes = status.SerializeToString()
    return serialized


def from_rpc_error(error: grpc.aio.AioRpcError, service: str) -> Problem:
    """What a failed call to `service` means for the caller: its own problem, or that it cannot be reached."""
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_DETAILS and isinstance(value, bytes):
            return _from_status_details(value)
    if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return Unavailable(f"The {service} service cannot be reached; try again.", retry_after=1)
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Unavailable(f"The {service} service did not answer in time; try again.", code="timeout", retry_after=1)
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return Unavailable(f"The {service} service does not offer this yet.", code="not-offered", retry_after=60)
    return Internal("Something went wrong on our side.")


def _from_status_details(value: bytes) -> Problem:
    message, retry = problem_pb2.Problem(), error_details_pb2.RetryInfo()
    for detail in status_pb2.Status.FromString(value).details:
        detail.Unpack(message)
        detail.Unpack(retry)
    if not message.status:
        return Internal("Something went wrong on our side.")
    problem = _BY_STATUS.get(message.status, Internal)(
        message.detail,
        code=message.code,
        errors=[FieldError(each.path, each.message) for each in message.errors],
        retry_after=retry.retry_delay.seconds or (1 if message.status == Unavailable.status else None),
    )
    problem.title = message.title
    return problem
