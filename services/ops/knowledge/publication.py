"""Content that is published as a whole, and stays readable as published while the next edition is written."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Publication:
    """`content` names the fields that are published together. A kind that has this keeps what was last published in
    its field `published`, and has the states draft, published and archived among others."""

    content: tuple[str, ...]

    def withdraw(self, before: dict[str, Any] | None, after: dict[str, Any]) -> None:
        """Make what is published a draft when its content is edited. Comes before the lifecycle is checked."""
        if (
            before is not None
            and before["status"] == after["status"] == "published"
            and self.copy(before) != self.copy(after)
        ):
            after["status"] = "draft"

    def forget(self, before: dict[str, Any] | None, after: dict[str, Any]) -> bool:
        """Let what is taken back from the archive begin anew, as never published; whether that is so."""
        is_back = before is not None and before["status"] == "archived" and after["status"] != "archived"
        if is_back:
            after["published"] = None
        return is_back

    def copy(self, row: dict[str, Any]) -> dict[str, Any]:
        """The content of a row, by field."""
        return {name: row[name] for name in self.content}


def is_new(before: dict[str, Any] | None, after: dict[str, Any]) -> bool:
    """Whether this change publishes."""
    return after["status"] == "published" and (before is None or before["status"] != "published")
