"""An answer that is put together from the answers of several services, which are asked at once."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from kit import contract
from kit.calls import Invoke, Passport, Reply
from kit.contract import ContractError, Rpc
from kit.errors import Problem, Unavailable

UNAVAILABLE = "unavailable"
"""The field of the result that names the services whose part is missing."""


@dataclass(frozen=True)
class _Part:
    rpc: Rpc
    call: Invoke

    async def ask(self, request: Message, passport: Passport) -> Message | Problem:
        """Its answer, or the problem when its service cannot answer. Raises any other Problem."""
        taken = self.rpc.descriptor.input_type.fields_by_name
        fields = {field.name: value for field, value in request.ListFields() if field.name in taken}
        try:
            return (await self.call(self.rpc.request_class(**fields), passport)).message
        except Problem as problem:
            if problem.status != Unavailable.status:
                raise
            return problem


class Gather:
    """Asks the rpcs that the policy of `rpc` names. A part whose service cannot answer is left out and the service
    named; what a service refuses, the whole is refused for."""

    def __init__(self, rpc: Rpc, rpcs: Mapping[str, Rpc], call: Callable[[Rpc], Invoke]) -> None:
        """`rpcs`: the whole contract by path; `call`: how one of them is asked. Raises ContractError when the parts do
        not make up the whole."""
        if unknown := sorted(set(rpc.policy.gathers) - set(rpcs)):
            raise ContractError(f"{rpc.path} gathers what there is not: {', '.join(unknown)}")
        parts = [rpcs[path] for path in rpc.policy.gathers]
        _check(rpc, parts)
        self._parts = [_Part(each, call(each)) for each in parts]
        self._response_class = rpc.response_class

    async def __call__(self, request: Message, passport: Passport) -> Reply:
        """Raises Unavailable when no service can answer, or the first other Problem."""
        given: dict[str, Any] = {}
        missing: dict[str, Problem] = {}
        answers = await self._ask_all(request, passport)
        for part, answer in zip(self._parts, answers, strict=True):
            if isinstance(answer, Problem):
                missing[part.rpc.owner] = answer
            else:
                given |= {field.name: value for field, value in answer.ListFields()}
        if all(isinstance(answer, Problem) for answer in answers):
            raise _none_answers(missing)
        return Reply(self._response_class(**given, **{UNAVAILABLE: sorted(missing)}))

    async def _ask_all(self, request: Message, passport: Passport) -> list[Message | Problem]:
        # As opposed to gather, a group does not leave calls running behind one that was refused.
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(part.ask(request, passport)) for part in self._parts]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        return [task.result() for task in tasks]


def _none_answers(problems: Mapping[str, Problem]) -> Unavailable:
    pause = min(problem.retry_after or 1 for problem in problems.values())
    return Unavailable(f"None of the services can answer: {', '.join(sorted(problems))}.", retry_after=pause)


def _check(rpc: Rpc, parts: list[Rpc]) -> None:
    """Raises ContractError. A field of the result comes from one part, and can be seen to be missing."""
    if rpc.owner != contract.GATEWAY or rpc.mutates:
        raise ContractError(f"{rpc.path}: only what the gateway reads can be gathered")
    for part in parts:
        _check_policy(rpc, part)
        _check_request(rpc.descriptor.input_type, part)
        _check_answer(rpc.descriptor.output_type, part)
    _check_completeness(rpc, parts)


def _check_policy(rpc: Rpc, part: Rpc) -> None:
    if not part.policy.gathered or part.owner not in contract.SERVICES or part.mutates:
        raise ContractError(f"{part.path}: no service's read that is marked as gathered, so no part of {rpc.path}")
    if (part.access, part.policy.tenancy) != (rpc.access, rpc.policy.tenancy) or not rpc.roles <= part.roles:
        raise ContractError(f"{part.path} must be open to whoever may call {rpc.path}")


def _check_request(whole: Descriptor, part: Rpc) -> None:
    for field in part.descriptor.input_type.fields:
        sent = whole.fields_by_name.get(field.name)
        if sent is None and contract.is_required(field):
            raise ContractError(f"{field.full_name} is required, but {whole.full_name} has no such field")
        if sent is not None:
            _check_same(field, sent)


def _check_answer(whole: Descriptor, part: Rpc) -> None:
    for field in part.descriptor.output_type.fields:
        place = whole.fields_by_name.get(field.name)
        if place is None or field.name == UNAVAILABLE:
            raise ContractError(f"{field.full_name} has no place in {whole.full_name}")
        _check_same(field, place)
        if not place.has_presence:
            raise ContractError(f"{place.full_name} could not be told from a missing part: make it optional")


def _check_same(one: FieldDescriptor, other: FieldDescriptor) -> None:
    if _form(one) != _form(other):
        raise ContractError(f"{one.full_name} and {other.full_name} must be of one type and JSON name")


def _form(field: FieldDescriptor) -> tuple[object, ...]:
    return field.type, field.is_repeated, field.message_type, field.enum_type, field.json_name


def _check_completeness(rpc: Rpc, parts: list[Rpc]) -> None:
    whole = rpc.descriptor.output_type
    named = whole.fields_by_name.get(UNAVAILABLE)
    if named is None or named.type != FieldDescriptor.TYPE_STRING or not named.is_repeated:
        raise ContractError(f"{whole.full_name} needs a list of strings called {UNAVAILABLE}")
    given = [field.name for part in parts for field in part.descriptor.output_type.fields]
    if twice := sorted({name for name in given if given.count(name) > 1}):
        raise ContractError(f"{whole.full_name}: more than one part gives {', '.join(twice)}")
    if never := sorted(set(whole.fields_by_name) - {UNAVAILABLE, *given}):
        raise ContractError(f"{whole.full_name}: no part gives {', '.join(never)}")
    taken = {field.name for part in parts for field in part.descriptor.input_type.fields}
    if unused := sorted(set(rpc.descriptor.input_type.fields_by_name) - taken):
        raise ContractError(f"{rpc.descriptor.input_type.full_name}: no part takes {', '.join(unused)}")
