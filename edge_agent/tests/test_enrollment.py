"""Enrolling: one machine, one identity, whatever happens; and a clear sentence where it cannot be."""

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from edge_agent.tests.agent import Agent
from edge_agent.tests.platform_server import ENROLL, TOKEN, Platform, Trouble


def test_the_key_is_private_and_the_identity_is_the_platforms(platform: Platform, fresh: Agent) -> None:
    done = fresh.enroll(platform.url, TOKEN)
    assert done.returncode == 0, done.stderr
    (agent_id,) = platform.agents.values()
    assert fresh.status()["enrolledAs"]["agentId"] == agent_id
    assert stat.S_IMODE(fresh.state_dir.stat().st_mode) == 0o700
    for path in fresh.state_dir.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert not (fresh.state_dir / "enrolling.key").exists()


def test_a_crash_at_each_step_and_another_try_end_with_one_identity(platform: Platform, fresh: Agent) -> None:
    for step in range(1, 50):
        done = fresh.with_wishes(kill_at=step).enroll(platform.url, TOKEN)
        if done.returncode != -9:
            break
    assert step > 5
    # It was enrolled by the try that got through, or by one that died just after.
    assert done.returncode == 0 or "Already enrolled" in done.stderr
    assert len(platform.agents) == 1
    assert fresh.status()["enrolledAs"]["agentId"] in platform.agents.values()


@pytest.mark.parametrize("trouble", [Trouble(lose_answer=True), Trouble(lose_request=True), Trouble(status=503)])
def test_a_lost_answer_and_another_try_end_with_one_identity(
    platform: Platform, fresh: Agent, trouble: Trouble
) -> None:
    platform.trouble = lambda route: trouble
    done = fresh.enroll(platform.url, TOKEN)
    assert done.returncode == 1
    assert _is_one_sentence(done.stderr)
    platform.trouble = lambda route: None
    assert fresh.enroll(platform.url, TOKEN).returncode == 0
    assert len(platform.agents) == 1
    keys = {each.headers["idempotency-key"] for each in platform.requests}
    assert len(keys) == 1


def test_it_waits_for_a_platform_that_is_busy(platform: Platform, fresh: Agent) -> None:
    troubles = [Trouble(status=503, headers={"Retry-After": "1"}), Trouble(lose_answer=True)]
    platform.trouble = lambda route: troubles.pop() if troubles else None
    done = fresh.command("enroll", "--url", platform.url, "--token", TOKEN, "--wait", "20")
    assert done.returncode == 0, done.stderr
    assert platform.routes() == [ENROLL] * 3


def test_the_token_may_come_from_standard_input(platform: Platform, fresh: Agent) -> None:
    assert fresh.command("enroll", "--url", platform.url, "--token", "-", stdin=f"{TOKEN}\n").returncode == 0


def test_a_second_identity_needs_force(platform: Platform, fresh: Agent) -> None:
    fresh.enroll(platform.url, TOKEN)
    first = fresh.status()["enrolledAs"]["agentId"]
    refused = fresh.enroll(platform.url, TOKEN)
    assert refused.returncode == 1
    assert "Already enrolled" in refused.stderr
    assert fresh.status()["enrolledAs"]["agentId"] == first
    assert fresh.enroll(platform.url, TOKEN, "--force").returncode == 0
    assert fresh.status()["enrolledAs"]["agentId"] != first
    assert len(platform.agents) == 2


def test_a_forced_enrollment_that_fails_leaves_the_identity(platform: Platform, fresh: Agent) -> None:
    fresh.enroll(platform.url, TOKEN)
    before = (fresh.state_dir / "identity.json").read_bytes()
    platform.trouble = lambda route: Trouble(lose_answer=True)
    assert fresh.enroll(platform.url, TOKEN, "--force").returncode == 1
    assert (fresh.state_dir / "identity.json").read_bytes() == before
    platform.trouble = lambda route: None
    assert fresh.enroll(platform.url, TOKEN, "--force").returncode == 0
    assert len(platform.agents) == 2


def test_what_was_spooled_for_another_workspace_is_not_sent_to_the_new_one(platform: Platform, fresh: Agent) -> None:
    fresh.enroll(platform.url, TOKEN)
    spooled = fresh.state_dir / "spool" / "000000000001.1.key.batch"
    spooled.parent.mkdir()
    spooled.write_bytes(b"{}\nx")
    assert fresh.enroll(platform.url, TOKEN, "--force").returncode == 0
    assert spooled.exists()
    assert fresh.enroll(platform.url, "other.right-token", "--force").returncode == 0
    assert not spooled.exists()


def test_hardware_id_can_be_named_and_left_out(platform: Platform, fresh: Agent) -> None:
    fresh.enroll(platform.url, TOKEN, "--hardware-id", "rack 7")
    fresh.enroll(platform.url, TOKEN, "--force", "--hardware-id", "")
    first, second = (json.loads(each.body) for each in platform.requests)
    assert first["hardwareId"] == "rack 7"
    assert "hardwareId" not in second


@pytest.mark.parametrize(
    "url",
    [
        "ftp://platform",
        "platform.example",
        "https://",
        "https://user:word@platform.example",
        "https://platform.example:port",
        "https://platform.example:99999",
        "https://platform.example?x=1",
        "https://[::1",
        "https://" + "x" * 70 + ".example",
        "http://platform.example",
        "http://10.0.0.1:8080",
        "",
    ],
)
def test_a_bad_url_is_a_mistake(fresh: Agent, url: str) -> None:
    done = fresh.enroll(url, TOKEN)
    assert done.returncode == 2, done.stderr
    assert _is_one_sentence(done.stderr)
    assert not fresh.state_dir.exists()


@pytest.mark.parametrize("token", ["", "no-dot", ".x", "x.", "a b.c", "a.ä", "a." + "x" * 200])
def test_a_bad_token_is_a_mistake(fresh: Agent, token: str) -> None:
    done = fresh.enroll("https://platform.invalid", token)
    assert done.returncode == 2, done.stderr
    assert _is_one_sentence(done.stderr)


def test_http_to_elsewhere_can_be_allowed(fresh: Agent) -> None:
    done = fresh.enroll("http://platform.invalid", TOKEN, "--insecure-http")
    assert done.returncode == 1
    assert "platform.invalid" in done.stderr


def test_each_refusal_is_one_sentence(platform: Platform, fresh: Agent) -> None:
    refused = fresh.enroll(platform.url, "acme.wrong-token")
    assert refused.returncode == 1
    assert "unknown, expired or used up" in refused.stderr
    assert _is_one_sentence(refused.stderr)
    assert fresh.enroll(platform.url + "/elsewhere", TOKEN).returncode == 1
    platform.trouble = lambda route: Trouble(status=201, body=b"<html>Welcome</html>")
    nobody = fresh.enroll(platform.url, TOKEN)
    assert nobody.returncode == 1
    assert "is the URL right?" in nobody.stderr
    assert _is_one_sentence(nobody.stderr)


def test_nobody_there_is_one_sentence(fresh: Agent) -> None:
    done = fresh.enroll("https://127.0.0.1:1", TOKEN)
    assert done.returncode == 1
    assert "takes no connections" in done.stderr
    assert _is_one_sentence(done.stderr)


def test_a_place_that_cannot_be_used_is_one_sentence(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = Agent(tmp_path / "file" / "state").enroll(platform.url, TOKEN)
    assert done.returncode == 1
    assert "Not a directory" in done.stderr
    assert _is_one_sentence(done.stderr)
    assert platform.agents == {}


def test_damaged_files_are_told_of(platform: Platform, fresh: Agent) -> None:
    fresh.enroll(platform.url, TOKEN)
    for content in (b"", b"{}", b"[]", b"\xff", b'{"url": 1}'):
        (fresh.state_dir / "identity.json").write_bytes(content)
        for command in ("run", "status", "token"):
            done = fresh.command(command)
            assert done.returncode == 1
            assert "is damaged" in done.stderr
            assert _is_one_sentence(done.stderr)
    assert fresh.enroll(platform.url, TOKEN, "--force").returncode == 0


def test_tls_is_checked(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    with Platform(tls=(certificate, key)) as platform:
        distrusting = Agent(tmp_path / "state").enroll(platform.url, TOKEN)
        assert distrusting.returncode == 1
        assert "is not trusted" in distrusting.stderr
        assert _is_one_sentence(distrusting.stderr)
        trusting = Agent(tmp_path / "state").enroll(platform.url, TOKEN, "--ca-file", str(certificate))
        assert trusting.returncode == 0, trusting.stderr
        # The file is remembered.
        assert Agent(tmp_path / "state").command("token").returncode == 0


def test_a_certificate_file_that_is_none_is_one_sentence(fresh: Agent, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for name in ("missing.pem", "empty.pem"):
        done = fresh.enroll("https://platform.invalid", TOKEN, "--ca-file", str(tmp_path / name))
        assert done.returncode == 1
        assert _is_one_sentence(done.stderr)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_writes_belongs_to_whom_the_directory_does(platform: Platform, fresh: Agent) -> None:
    fresh.state_dir.mkdir()
    os.chown(fresh.state_dir, 4711, 4712)
    assert fresh.enroll(platform.url, TOKEN).returncode == 0
    for path in fresh.state_dir.iterdir():
        assert (path.stat().st_uid, path.stat().st_gid) == (4711, 4712), path


def test_a_token_for_a_collector_is_printed_alone(platform: Platform, agent: Agent) -> None:
    done = agent.command("token", "--days", "90")
    assert done.returncode == 0
    assert done.stdout.startswith("secret-")
    assert len(done.stdout.splitlines()) == 1
    assert json.loads(platform.requests[-1].body)["validMinutes"] == 129_600
    for days in ("0", "91", "x", "-1", "1.5"):
        assert agent.command("token", f"--days={days}").returncode == 2
    platform.revoked = True
    refused = agent.command("token")
    assert refused.returncode == 1
    assert _is_one_sentence(refused.stderr)


def _is_one_sentence(text: str) -> bool:
    return len(text.strip().splitlines()) == 1 and text.strip().endswith((".", "?")) and "Traceback" not in text


def _certificate(directory: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "platform")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (directory / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return directory / "certificate.pem", directory / "key.pem"
