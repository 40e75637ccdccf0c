"""BulkService."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message

from kit import validation
from kit.errors import FieldError, Invalid, Malformed, Problem
from kit.resources.convert import row_of
from kit.resources.handlers import ResourceHandlers
from kit.resources.kind import Row
from kit.unit_of_work import UnitOfWork
from opsfield.ops.v1.bulk_pb2 import CreatedResource, CreateResourcesRequest, CreateResourcesResponse


class BulkHandlers:
    """`kinds`: the handlers of each kind, by its name."""

    def __init__(self, kinds: Mapping[str, ResourceHandlers]) -> None:
        self._kinds = kinds

    async def create_resources(self, request: CreateResourcesRequest, work: UnitOfWork) -> CreateResourcesResponse:
        handlers = self._kinds.get(request.kind)
        if handlers is None:
            raise Invalid.fields(FieldError("kind", f"must be one of {', '.join(sorted(self._kinds))}"))
        results = [CreatedResource() for _ in request.resources]
        rows: dict[int, Row] = {}
        for place, packed in enumerate(request.resources):
            try:
                rows[place] = _row(packed, handlers)
            except Problem as problem:
                results[place] = CreatedResource(problem=problem.message())
        created = await handlers.insert_many(work, list(rows.values()))
        for place, result in zip(rows, created, strict=True):
            results[place] = _result(result)
        return CreateResourcesResponse(results=results)


def _row(packed: AnyMessage, handlers: ResourceHandlers) -> Row:
    message = handlers.kind.message()
    try:
        if not packed.Unpack(message):
            raise Malformed(f"A {message.DESCRIPTOR.name} was expected, not a {packed.TypeName()}.")
    except DecodeError as error:
        raise Malformed("The message cannot be read.") from error
    validation.check(message)
    return row_of(message, handlers.kind.writable)


def _result(result: Message | Problem) -> CreatedResource:
    if isinstance(result, Problem):
        return CreatedResource(problem=result.message())
    resource: Any = result
    return CreatedResource(id=resource.id)
