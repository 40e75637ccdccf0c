"""Finds the handler of a path: a tree of path segments, so that the number of routes does not matter.

A segment of a template is exact (`tickets`), a parameter (`{id}`), or both (`{agent}.{reasoner}`). The more exact one
wins; a later segment that does not match leads back to the next.
"""

import re
from dataclasses import dataclass, field

from gateway.exchange import Handler, HeaderList
from kit.errors import MethodNotAllowed, NotFound

_PARAMETER = re.compile(r"\{([a-z][a-z0-9_]*)\}")


class MethodRefused(MethodNotAllowed):
    """405; `headers` say which methods there are (RFC 9110, 15.5.6)."""

    def __init__(self, method: str, allowed: list[str]) -> None:
        super().__init__(f"{method} is not offered here, only {', '.join(allowed)}.")
        self.headers: HeaderList = [(b"allow", ", ".join(allowed).encode())]


@dataclass
class _Node:
    exact: dict[str, "_Node"] = field(default_factory=dict)
    patterns: list[tuple[re.Pattern[str], "_Node"]] = field(default_factory=list)
    parameter: "_Node | None" = None
    handlers: dict[str, tuple[tuple[str, ...], Handler]] = field(default_factory=dict)


_Found = tuple[_Node, tuple[str, ...]]


class Router:
    """Templates go in at start-up, paths are looked up after that."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, method: str, template: str, handler: Handler) -> None:
        """Raises ValueError when the template is taken already or is none."""
        names = tuple(_PARAMETER.findall(template))
        if not template.startswith("/") or len(set(names)) < len(names) or template.count("{") != len(names):
            raise ValueError(f"{template} is no path template")
        node = self._root
        for segment in template[1:].split("/"):
            node = _child(node, segment)
        if method in node.handlers:
            raise ValueError(f"two handlers for {method} {template}")
        node.handlers[method] = (names, handler)

    def find(self, method: str, path: str) -> tuple[Handler, dict[str, str]]:
        """The handler and the texts of the path's parameters. Raises NotFound or MethodRefused."""
        found = _walk(self._root, path.split("/"), 1, ())
        if found is None:
            raise NotFound("There is nothing at this path.", code="route-not-found")
        node, values = found
        if method not in node.handlers:
            raise MethodRefused(method, sorted(node.handlers))
        names, handler = node.handlers[method]
        return handler, dict(zip(names, values, strict=True))


def _child(node: _Node, segment: str) -> _Node:
    if "{" not in segment:
        return node.exact.setdefault(segment, _Node())
    if _PARAMETER.fullmatch(segment):
        node.parameter = node.parameter or _Node()
        return node.parameter
    literals = _PARAMETER.split(segment)[::2]
    pattern = re.compile("([^/]+?)".join(re.escape(literal) for literal in literals), re.DOTALL)
    for known, child in node.patterns:
        if known.pattern == pattern.pattern:
            return child
    child = _Node()
    node.patterns.append((pattern, child))
    return child


def _walk(node: _Node, segments: list[str], index: int, values: tuple[str, ...]) -> _Found | None:
    if index == len(segments):
        return (node, values) if node.handlers else None
    segment = segments[index]
    exact = node.exact.get(segment)
    if exact and (found := _walk(exact, segments, index + 1, values)):
        return found
    for pattern, child in node.patterns:
        if (match := pattern.fullmatch(segment)) and (
            found := _walk(child, segments, index + 1, values + match.groups())
        ):
            return found
    if node.parameter and segment:
        return _walk(node.parameter, segments, index + 1, (*values, segment))
    return None
