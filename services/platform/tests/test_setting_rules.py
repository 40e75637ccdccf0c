"""Which setting may be changed by whom, and what a settings message means."""

from dataclasses import dataclass

import pytest

from kit import setting_keys
from kit.errors import Forbidden
from opsfield.platform.v1.settings_pb2 import PlatformSettings, ServiceDesk, WorkspaceSettings
from services.platform.setting_versions import rules


@dataclass
class Key:
    name: str
    changed_by: frozenset[str]


DESK = Key("desk", frozenset({"data_admin"}))
HUB = Key("hub", frozenset({"integration_admin", "data_admin"}))


@pytest.mark.parametrize("roles", [{"data_admin"}, {"msp_admin"}, {"data_admin", "viewer"}])
def test_those_who_may_change_it(roles: set[str]) -> None:
    rules.check_may_change([DESK, HUB], roles)


def test_those_who_may_not_are_told_of_each_setting() -> None:
    with pytest.raises(Forbidden) as refused:
        rules.check_may_change([DESK, HUB], {"integration_admin"})
    assert [error.path for error in refused.value.errors] == ["desk"]


@pytest.mark.parametrize("message", [PlatformSettings, WorkspaceSettings])
def test_every_setting_has_a_valid_default_and_someone_who_may_change_it(
    message: type[PlatformSettings | WorkspaceSettings],
) -> None:
    found = setting_keys.keys(message.DESCRIPTOR)
    assert found
    for key in found:
        assert key.changed_by
        assert key.value(setting_keys.with_defaults(message())) == key.default
        assert key.value(message()) is None


def test_what_was_set_stands_above_the_default() -> None:
    settings = WorkspaceSettings(service_desk=ServiceDesk(reopen_days=0))
    assert setting_keys.with_defaults(settings).service_desk.reopen_days == 0
    assert setting_keys.overridden(settings) == ["serviceDesk.reopenDays"]
    assert setting_keys.overridden(WorkspaceSettings(service_desk=ServiceDesk(reopen_days=30))) == []
    assert [key.name for key in setting_keys.changed(WorkspaceSettings(), settings)] == ["serviceDesk.reopenDays"]
    same = WorkspaceSettings(service_desk=ServiceDesk(reopen_days=30))
    assert setting_keys.changed(WorkspaceSettings(), same) == []
