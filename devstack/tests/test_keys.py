"""The keys by which the programs of a local platform know each other."""

import json
import stat

import jwt

from devstack import keys
from devstack.layout import Layout


def test_what_a_program_signs_the_trust_file_verifies(layout: Layout) -> None:
    published = jwt.PyJWKSet.from_json(layout.trust.read_text())
    for name in keys.SIGNERS:
        token = jwt.encode({"sub": "x"}, layout.key(name).read_text(), algorithm="EdDSA")
        assert jwt.decode(token, published[name].key, algorithms=["EdDSA"]) == {"sub": "x"}


def test_the_trust_file_names_every_signer_and_holds_no_private_part(layout: Layout) -> None:
    published = json.loads(layout.trust.read_text())["keys"]
    assert [key["kid"] for key in published] == list(keys.SIGNERS)
    assert all("d" not in key and key["crv"] == "Ed25519" for key in published)


def test_secrets_are_made_once_and_are_their_owners_alone(layout: Layout) -> None:
    paths = [layout.jwt_secret, layout.database_password, *(layout.key(name) for name in keys.SIGNERS)]
    before = [path.read_bytes() for path in paths]
    keys.ensure_secrets(layout)
    assert [path.read_bytes() for path in paths] == before
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert len(layout.jwt_secret.read_bytes()) >= 32
