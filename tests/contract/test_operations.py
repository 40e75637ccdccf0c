"""docs/operations.md: what its commands name is there, in the overlay `prod`, in the image's entrypoint, in the
contract, so that the runbook cannot rot."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from devstack.layout import REPOSITORY
from tests.contract.test_kubernetes import consumer_groups

RUNBOOK = REPOSITORY / "docs" / "operations.md"
KINDS = {
    "cluster": "Cluster",
    "deploy": "Deployment",
    "deployment": "Deployment",
    "externalsecret": "ExternalSecret",
    "hpa": "HorizontalPodAutoscaler",
    "job": "Job",
    "scaledobject": "ScaledObject",
    "scheduledbackup": "ScheduledBackup",
}
# What an operator makes while it runs; an overlay names none.
MADE_AT_WORK = {"backup"}
NODE_COMMANDS = {"drain", "uncordon", "config"}
# In plain words, or between backquotes in a table or a sentence.
COMMAND = re.compile(r"^    (.+)$|`(kubectl [^`]+)`", re.MULTILINE)
TOPIC = re.compile(r'topic: "([a-z.-]+)"')
PATHS = re.compile(r"\b(?:k8s|tests|services|docs)/[\w./-]+")

Resource = dict[str, Any]


def commands(program: str) -> list[list[str]]:
    """The words of each command of the runbook that has that program in it, from there on."""
    found = []
    for match in COMMAND.finditer(RUNBOOK.read_text()):
        line = (match[1] or match[2]).partition("    #")[0]
        parts = re.split(r"\s\|\s|(?<=\s)-- ", line)
        found += [shlex.split(part) for part in parts if part.split()[0] == program]
    assert found, f"the runbook has no command of {program}"
    return found


def named(words: list[str]) -> Iterator[tuple[str, str]]:
    """Kind and name of each resource in a command: `job/ops-prepare`, `hpa gateway`."""
    for position, word in enumerate(words):
        kind, slash, name = word.partition("/")
        if slash and kind in KINDS:
            yield kind, name
        elif word in KINDS and position + 1 < len(words) and not words[position + 1].startswith("-"):
            yield word, words[position + 1]


def label_of(words: list[str]) -> tuple[str, str] | None:
    if "-l" not in words:
        return None
    name, _, value = words[words.index("-l") + 1].partition("=")
    return name, value


@pytest.fixture(scope="module")
def cluster() -> list[Resource]:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not there")
    overlay = REPOSITORY / "k8s" / "overlays" / "prod"
    done = subprocess.run(["kubectl", "kustomize", str(overlay)], capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module")
def entrypoint() -> ModuleType:
    spec = util.spec_from_file_location("entrypoint", REPOSITORY / "deploy" / "image" / "entrypoint.py")
    assert spec
    assert spec.loader
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_resource_that_a_command_names_is_there(cluster: list[Resource]) -> None:
    there = {(each["kind"], each["metadata"]["name"]) for each in cluster}
    asked = [(KINDS[kind], name) for words in commands("kubectl") for kind, name in named(words)]
    assert len(asked) > 10
    assert set(asked) <= there


def test_every_label_that_a_command_selects_by_selects_something(cluster: list[Resource]) -> None:
    for words in commands("kubectl"):
        if label := label_of(words):
            kinds = {KINDS[word] for word in words if word in KINDS} or {each["kind"] for each in cluster}
            assert any(
                each["kind"] in kinds and each["metadata"].get("labels", {}).get(label[0]) == label[1]
                for each in cluster
            ), words


def test_every_command_of_kubectl_names_something_that_was_looked_for() -> None:
    for words in commands("kubectl"):
        known = set(words) & (NODE_COMMANDS | MADE_AT_WORK | {"-k", "--all", "kustomize", "kafka-brokers-0"})
        assert known or label_of(words) or list(named(words)), words


def test_the_broker_that_a_command_runs_on_is_there(cluster: list[Resource]) -> None:
    # Strimzi names pods <cluster>-<pool>-<number>.
    pods = {
        f"{each['metadata']['labels']['strimzi.io/cluster']}-{each['metadata']['name']}-0"
        for each in cluster
        if each["kind"] == "KafkaNodePool"
    }
    asked = {words[2] for words in commands("kubectl") if words[1] == "exec" and "/" not in words[2]}
    assert asked == pods


def test_every_secret_whose_rotation_is_told_is_there_and_none_is_forgotten(cluster: list[Resource]) -> None:
    text = RUNBOOK.read_text()
    secrets = {each["metadata"]["name"] for each in cluster if each["kind"] == "ExternalSecret"}
    # Told once for all programs: with ops for an example.
    programs = {each["metadata"]["name"] for each in cluster if each["kind"] == "Deployment"}
    for name in secrets:
        of_program = re.sub(rf"^({'|'.join(programs)})-(key|database|database-owner)$", r"ops-\2", name)
        assert f"`{of_program}`" in text or f"opsfield/{of_program}`" in text, name


def test_every_command_of_the_image_is_one(entrypoint: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    became: list[str] = []

    def become(module: str, *_arguments: str) -> int:
        became.append(module)
        return 0

    monkeypatch.setattr(entrypoint, "_become", become)
    for words in commands("opsfield"):
        assert entrypoint.main(words[1:]) == 0, words
    assert set(became) == {"kit.replay", "kit.redrive", "services.platform.secrets.rewrap"}
    assert all(util.find_spec(module) for module in became)
    assert entrypoint.main(["no-such"]) == entrypoint.MISTAKE


def test_every_topic_and_consumer_is_one() -> None:
    topics = {topic for file in (REPOSITORY / "protos").rglob("*.proto") for topic in TOPIC.findall(file.read_text())}
    for words in commands("opsfield"):
        if words[1] == "replay":
            assert words[2] in topics
            assert words[words.index("--consumer") + 1] in consumer_groups()
        elif "--topic" in words:
            assert words[words.index("--topic") + 1] in topics


def test_every_file_that_it_names_is_there() -> None:
    paths = set(PATHS.findall(RUNBOOK.read_text()))
    assert len(paths) >= 4
    for path in paths:
        assert (REPOSITORY / path.rstrip(".")).exists(), path
    for link in re.findall(r"\]\(([\w./-]+\.md)", RUNBOOK.read_text()):
        assert (Path(RUNBOOK.parent) / link).exists(), link
