"""A list that every service has a part of: all are asked at once, and their answers merged.

Each service sorts its own rows, so the first `offset + limit` of each hold the page that was asked for.
"""

import asyncio
from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from google.protobuf.message import Message

from gateway.parameters import listed
from kit import contract
from kit.calls import Invoke, Passport, Reply
from kit.contract import ContractError, Rpc
from opsfield.common.v1 import page_pb2


class FanOut:
    """Asks every service for its part. `calls`: how each is asked. One that cannot answer fails the whole, as a list
    that is silently shorter would be a lie."""

    def __init__(self, rpc: Rpc, calls: Mapping[str, Invoke]) -> None:
        """Raises ContractError when the rpc is no list."""
        resource, request = listed(rpc.descriptor.output_type), rpc.descriptor.input_type.fields_by_name
        if resource is None or "limit" not in request or "offset" not in request:
            raise ContractError(f"{rpc.path}: only lists can be asked of every service")
        self._calls = calls
        self._fields = {field.json_name: field for field in resource.fields}
        self._request_class = rpc.request_class
        self._response_class = rpc.response_class
        self._most = int(contract.field_options(request["limit"]).maximum)

    async def __call__(self, request: Any, passport: Passport) -> Reply:
        parts = await self._ask_all(request, passport)
        first = parts[0][0]
        rows = self._sorted([row for pages in parts for page in pages for row in page.data], first.sort)
        rows = rows[request.offset : request.offset + request.limit]
        page = page_pb2.Page(
            limit=request.limit,
            offset=request.offset,
            returned=len(rows),
            total=sum(pages[0].page.total for pages in parts),
        )
        return Reply(self._response_class(data=rows, page=page, sort=first.sort, filters=first.filters))

    async def _ask_all(self, request: Any, passport: Passport) -> list[list[Any]]:
        # As opposed to gather, a group does not leave calls running behind a failed one.
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._ask(call, request, passport)) for call in self._calls.values()]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        return [task.result() for task in tasks]

    async def _ask(self, call: Invoke, request: Any, passport: Passport) -> list[Any]:
        """The pages of one service that hold its first `offset + limit` rows."""
        wanted, offset = request.offset + request.limit, 0
        pages: list[Any] = []
        while not pages or (offset < wanted and offset < pages[0].page.total and pages[-1].data):
            part: Any = self._request_class()
            part.CopyFrom(request)
            part.offset, part.limit = offset, min(wanted - offset, self._most)
            page: Any = (await call(part, passport)).message
            pages.append(page)
            offset += len(page.data)
        return pages

    def _sorted(self, rows: list[Message], sort: page_pb2.Sort) -> list[Message]:
        """Rows without the value come last, whichever the order."""
        field = self._fields[sort.by]
        value = attrgetter(field.name)
        if field.message_type is not None:
            value = attrgetter(f"{field.name}.seconds", f"{field.name}.nanos")
        has_value = [row for row in rows if not field.has_presence or row.HasField(field.name)]
        without = [row for row in rows if field.has_presence and not row.HasField(field.name)]
        return sorted(has_value, key=value, reverse=sort.order == page_pb2.DESC) + without
