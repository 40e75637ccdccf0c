"""Who may change which setting."""

from collections.abc import Collection, Iterable
from typing import Protocol

from kit.errors import FieldError, Forbidden


class Key(Protocol):
    """A setting: its name as in JSON, the role words that may change it."""

    @property
    def name(self) -> str: ...

    @property
    def changed_by(self) -> frozenset[str]: ...


def check_may_change(changed: Iterable[Key], roles: Collection[str]) -> None:
    """Raises Forbidden, naming every setting that none of the roles may change."""
    if "msp_admin" in roles:
        return
    errors = [
        FieldError(key.name, f"may be changed by {', '.join(sorted(key.changed_by))} only")
        for key in changed
        if key.changed_by.isdisjoint(roles)
    ]
    if errors:
        names = ", ".join(error.path for error in errors)
        raise Forbidden(f"These settings are not yours to change: {names}.", code="setting-not-yours", errors=errors)
