"""What an edge policy may say."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from math import isfinite
from typing import Any
from urllib.parse import urlsplit

from kit.errors import FieldError, Invalid

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_METRIC = re.compile(r"[A-Za-z0-9._/-]+")
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):([0-9]{1,5})")
_LAST_PORT = 65535


def judge(before: dict[str, Any] | None, after: dict[str, Any], now: datetime) -> None:
    """Raises Invalid for a scope that changes or is none, and for collectors, thresholds and checks that make no sense,
    each at its place."""
    del now
    errors = [
        *_scope_errors(before, after),
        *_collector_errors(after["collectors"]),
        *_threshold_errors(after["thresholds"]),
        *_check_errors(after["checks"]),
    ]
    if errors:
        raise Invalid.fields(*errors)


def _scope_errors(before: dict[str, Any] | None, after: dict[str, Any]) -> Iterator[FieldError]:
    if before is not None:
        for field, path in (("scope", "scope"), ("scope_id", "scopeId")):
            if after[field] != before[field]:
                yield FieldError(path, "cannot be changed: it says whom the policy is for")
    elif after["scope"] == "workspace" and after["scope_id"] is not None:
        yield FieldError("scopeId", "must be left out: the policy is for the whole workspace")
    elif after["scope"] != "workspace" and after["scope_id"] is None:
        yield FieldError("scopeId", f"is required: it says which {after['scope']} the policy is for")


def _collector_errors(collectors: list[str | None]) -> Iterator[FieldError]:
    for index, collector in enumerate(collectors):
        if collector is None:
            yield FieldError(f"collectors[{index}]", "must name a collector")
        elif collector in collectors[:index]:
            yield FieldError(f"collectors[{index}]", "is in the list already")


def _threshold_errors(thresholds: list[dict[str, Any]]) -> Iterator[FieldError]:
    yield from _name_errors("thresholds", thresholds)
    for index, threshold in enumerate(thresholds):
        place = f"thresholds[{index}]"
        if not _METRIC.fullmatch(threshold["metric"]):
            yield FieldError(f"{place}.metric", "must be letters, digits, dots, dashes, slashes and underscores")
        raise_at = threshold["raise_at"]
        clear_at = threshold.get("clear_at", raise_at)
        if not isfinite(raise_at):
            yield FieldError(f"{place}.raiseAt", "must be a finite number")
        elif not isfinite(clear_at):
            yield FieldError(f"{place}.clearAt", "must be a finite number")
        elif threshold["operator"] == "above" and clear_at > raise_at:
            yield FieldError(f"{place}.clearAt", "must not be above raiseAt")
        elif threshold["operator"] == "below" and clear_at < raise_at:
            yield FieldError(f"{place}.clearAt", "must not be below raiseAt")


def _check_errors(checks: list[dict[str, Any]]) -> Iterator[FieldError]:
    yield from _name_errors("checks", checks)
    for index, check in enumerate(checks):
        if wrong := _wrong_target(check["type"], check["target"]):
            yield FieldError(f"checks[{index}].target", wrong)


def _name_errors(field: str, items: Iterable[dict[str, Any]]) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, item in enumerate(items):
        name = item["name"]
        if not _NAME.fullmatch(name):
            yield FieldError(f"{field}[{index}].name", "must be letters, digits, dots, dashes and underscores")
        elif name in seen:
            yield FieldError(f"{field}[{index}].name", "is in the list already")
        seen.add(name)


def _wrong_target(check_type: str, target: str) -> str | None:
    if check_type == "tcp" and not _is_host_and_port(target):
        return 'must be a host and a port, such as "mail.example.com:25"'
    if check_type == "http" and not _is_web_address(target):
        return "must be an http or https URL"
    if check_type == "process" and not target.strip():
        return "must be the name of a process"
    return None


def _is_host_and_port(text: str) -> bool:
    found = _HOST_AND_PORT.fullmatch(text)
    return found is not None and 0 < int(found[2]) <= _LAST_PORT


def _is_web_address(text: str) -> bool:
    try:
        address = urlsplit(text)
        # Reading the port is what checks it.
        is_complete = bool(address.hostname) and address.port != 0
    except ValueError:
        return False
    return is_complete and address.scheme in ("http", "https") and not re.search(r"\s", text)
