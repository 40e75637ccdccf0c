"""Values and keys open where they belong, with what they were sealed by, and nowhere else."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Internal, Unavailable
from services.platform.secrets import envelope
from services.platform.secrets.envelope import Envelopes, Place
from services.platform.secrets.key_encryption import LocalKeys, Wrapped, parse
from services.platform.secrets.keys import PLATFORM_SECRETS, WORKSPACE_SECRETS, find

KEY, OTHER = b"k" * 32, b"o" * 32
PLACE = Place("acme", "payments.stripe", 3)


def line(name: str, key: bytes = KEY) -> str:
    return f"{name} {base64.b64encode(key).decode()}"


@given(st.text())
def test_what_is_sealed_opens_again(value: str) -> None:
    assert envelope.open_value(KEY, envelope.seal_value(KEY, value, PLACE), PLACE) == value


@pytest.mark.parametrize(
    "place",
    [Place("acm", "epayments.stripe", 3), Place("acme", "payments.stripe", 2), Place("acme", "payments.strip", 3)],
)
def test_a_value_opens_in_its_own_place_only(place: Place) -> None:
    sealed = envelope.seal_value(KEY, "value", PLACE)
    with pytest.raises(Internal):
        envelope.open_value(KEY, sealed, place)
    with pytest.raises(Internal):
        envelope.open_value(OTHER, sealed, PLACE)
    with pytest.raises(Internal):
        envelope.open_value(KEY, sealed[:-1] + bytes([sealed[-1] ^ 1]), PLACE)


def test_equal_values_are_sealed_differently_and_have_one_fingerprint() -> None:
    assert envelope.seal_value(KEY, "value", PLACE) != envelope.seal_value(KEY, "value", PLACE)
    assert envelope.fingerprint(KEY, "value") == envelope.fingerprint(KEY, "value")
    assert len({envelope.fingerprint(key, value) for key in (KEY, OTHER) for value in ("value", "valuf")}) == 4


async def test_a_data_key_is_bound_to_its_workspace_its_id_and_its_key() -> None:
    envelopes = Envelopes(LocalKeys(lambda: f"{line('a')}\n{line('b')}"))
    data_key, wrapped = await envelopes.new_data_key("acme", "1")
    assert await envelopes.open_data_key("acme", "1", wrapped) == data_key
    assert wrapped.kek_id == "a"
    for workspace, number, altered in (
        ("acme", "2", wrapped),
        ("other", "1", wrapped),
        ("acme", "1", Wrapped("b", wrapped.blob)),
    ):
        with pytest.raises(Internal):
            await envelopes.open_data_key(workspace, number, altered)
    with pytest.raises(Unavailable):
        await envelopes.open_data_key("acme", "1", Wrapped("c", wrapped.blob))


async def test_a_key_that_is_added_to_the_file_is_used_without_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(line("a"))
    envelopes = Envelopes(LocalKeys.from_file(file))
    data_key, wrapped = await envelopes.new_data_key("acme", "1")
    file.write_text(f"{line('b', OTHER)}\n{line('a')}")
    again = await envelopes.rewrap("acme", "1", wrapped)
    assert again.kek_id == "b"
    assert await envelopes.open_data_key("acme", "1", again) == data_key
    file.write_text("broken")
    assert await envelopes.open_data_key("acme", "1", again) == data_key


@pytest.mark.parametrize(
    "text",
    ["", "# nothing", "a", "a c2hvcnQ=", f"{line('a')}\n{line('a')}", f"{line('a')}\nb !!!", line("a/b"), "c2VjcmV0"],
)
def test_keys_that_are_none_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="key-encryption key") as refused:
        parse(text)
    assert not any(word in str(refused.value) for word in text.split() if len(word) > 6)


def test_the_first_key_is_the_current_one_whatever_separates_them() -> None:
    assert list(parse(f"# comment\n\n {line('b')}\n{line('a')}\n")) == ["b", "a"]
    assert list(parse(f"{line('b')},{line('a')}")) == ["b", "a"]


def test_a_family_of_keys_takes_one_word() -> None:
    assert find("notifications.noc-1", WORKSPACE_SECRETS)
    for key in ("notifications.", "notifications.*", "notifications.a.b", "notifications.A", "payments"):
        assert find(key, WORKSPACE_SECRETS) is None
    assert find("payments.stripe", PLATFORM_SECRETS) is None


def test_each_secret_says_whose_and_what_it_is() -> None:
    for each in (*PLATFORM_SECRETS, *WORKSPACE_SECRETS):
        assert each.used_by
        assert each.description.endswith(".")
