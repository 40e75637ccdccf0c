"""The settings of the contract (protos/opsfield/platform/v1/settings.proto): their keys, their defaults, what differs.

A key is written as in JSON: `serviceDesk.reopenDays`. A settings message holds what was set; `with_defaults` fills in
the rest.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from kit import contract, validation
from kit.contract import ContractError
from kit.errors import Problem
from opsfield.options.v1 import policy_pb2

Settings = TypeVar("Settings", bound=Message)


@dataclass(frozen=True)
class SettingKey:
    """`fields` lead from the settings message to the setting; `changed_by` are role words."""

    name: str
    fields: tuple[FieldDescriptor, ...]
    default: Any
    changed_by: frozenset[str]

    def value(self, settings: Message) -> Any:
        """What was set; None when nothing was."""
        group = _group(settings, self.fields)
        last = self.fields[-1]
        if last.is_repeated:
            return list(getattr(group, last.name)) or None
        return getattr(group, last.name) if group.HasField(last.name) else None


@cache
def keys(message: contract.MessageType) -> tuple[SettingKey, ...]:
    """The keys of PlatformSettings or WorkspaceSettings, in the order of the proto. Raises ContractError when one of
    them has no default, or one that its own limits refuse."""
    found = tuple(_keys(message, ()))  # type: ignore[arg-type]
    try:
        validation.check(_defaults(message, found))
    except Problem as problem:
        raise ContractError(f"{message.full_name}: a default is not valid: {problem.errors}") from problem
    return found


def with_defaults(settings: Settings) -> Settings:
    """A copy in which every setting has a value."""
    filled = _defaults(settings.DESCRIPTOR, keys(settings.DESCRIPTOR))
    for key in keys(settings.DESCRIPTOR):
        if (value := key.value(settings)) is not None:
            _set(filled, key, value)
    return filled  # type: ignore[return-value]


def overridden(settings: Message) -> list[str]:
    """The keys whose value differs from the default."""
    return [key.name for key in keys(settings.DESCRIPTOR) if key.value(settings) not in (None, key.default)]


def changed(before: Settings, after: Settings) -> list[SettingKey]:
    """The keys for which something else holds."""
    old, new = with_defaults(before), with_defaults(after)
    return [key for key in keys(before.DESCRIPTOR) if key.value(old) != key.value(new)]


def _keys(message: Descriptor, above: tuple[FieldDescriptor, ...]) -> Iterator[SettingKey]:
    for field in message.fields:
        path = (*above, field)
        options = contract.setting_options(field)
        if options is not None:
            name = ".".join(each.json_name for each in path)
            roles = frozenset(policy_pb2.Role.Name(role).lower() for role in options.changed_by)
            yield SettingKey(name, path, _default(field, options.default), roles)
        elif field.message_type is not None and not field.is_repeated:
            yield from _keys(field.message_type, path)
        else:
            raise ContractError(f"{field.full_name} is among the settings but has no (setting) option")


def _default(field: FieldDescriptor, text: str) -> Any:
    if field.is_repeated:
        if text:
            raise ContractError(f"{field.full_name}: the default of a list is the empty one")
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ContractError(f"{field.full_name} needs a default, as JSON") from error
    return contract.enum_words(field)[value] if field.enum_type else value


def _defaults(message: contract.MessageType, found: tuple[SettingKey, ...]) -> Message:
    settings = message_factory.GetMessageClass(message)()  # type: ignore[arg-type]
    for key in found:
        # Also a group of nothing but empty lists is there.
        _group(settings, key.fields).SetInParent()
        if key.default is not None:
            _set(settings, key, key.default)
    return settings


def _set(settings: Message, key: SettingKey, value: Any) -> None:
    group, last = _group(settings, key.fields), key.fields[-1]
    if last.is_repeated:
        getattr(group, last.name).extend(value)
        return
    try:
        setattr(group, last.name, value)
    except (TypeError, ValueError) as error:
        raise ContractError(f"{last.full_name}: the default {value!r} is of another type") from error


def _group(settings: Message, fields: tuple[FieldDescriptor, ...]) -> Message:
    group = settings
    for each in fields[:-1]:
        group = getattr(group, each.name)
    return group
