"""k8s/: every overlay is valid, and every workload in it keeps the rules, so that a new service cannot forget one."""

import base64
import re
import shutil
import subprocess
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from devstack.compose import prepare
from devstack.layout import GATEWAY, REPOSITORY, SERVICES, module
from tests.contract import operators_schemas

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not there")

PROGRAMS = (*SERVICES, GATEWAY)
OVERLAYS = ("dev", "prod")
KUBERNETES = "1.32"
CORE = {"v1", "apps/v1", "batch/v1", "policy/v1", "autoscaling/v2", "networking.k8s.io/v1"}
# Writes its configuration beside itself.
WRITES = {"kafka"}
NAME, STEP = "app.kubernetes.io/name", "opsfield.dev/step"
Resource = dict[str, Any]


@pytest.fixture(scope="module")
def k8s(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, with the secrets of `dev`."""
    folder = tmp_path_factory.mktemp("cluster") / "k8s"
    shutil.copytree(
        REPOSITORY / "k8s", folder, ignore=lambda path, names: {"secrets"} & set(names) if path.endswith("dev") else ()
    )
    prepare(folder / "overlays" / "dev" / "secrets")
    return folder


@cache
def render(folder: Path) -> tuple[Resource, ...]:
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


@pytest.fixture(params=OVERLAYS)
def cluster(request: pytest.FixtureRequest, k8s: Path) -> tuple[Resource, ...]:
    return render(k8s / "overlays" / request.param)


def of_kind(cluster: tuple[Resource, ...], *kinds: str) -> dict[str, Resource]:
    return {each["metadata"]["name"]: each for each in cluster if each["kind"] in kinds}


def workloads(cluster: tuple[Resource, ...]) -> dict[str, Resource]:
    return of_kind(cluster, "Deployment", "StatefulSet", "Job")


def pod(workload: Resource) -> Resource:
    return dict(workload["spec"]["template"]["spec"])


def pod_labels(workload: Resource) -> dict[str, str]:
    return dict(workload["spec"]["template"]["metadata"]["labels"])


def selects(selector: Resource, labels: dict[str, str]) -> bool:
    """Whether a label selector takes a pod with these labels."""
    for name, value in selector.get("matchLabels", {}).items():
        if labels.get(name) != value:
            return False
    for each in selector.get("matchExpressions", ()):
        assert each["operator"] == "In", "teach this test the other operators"
        if labels.get(each["key"]) not in each["values"]:
            return False
    return True


# Valid


def test_everything_is_what_the_api_takes(cluster: tuple[Resource, ...]) -> None:
    for each in cluster:
        if each["apiVersion"] in CORE:
            kubernetes_validate.validate(each, KUBERNETES, strict=True)


@pytest.mark.skipif(not operators_schemas.are_available(), reason="Go is not there, which fetches their CRDs")
def test_everything_of_operators_is_what_they_take(cluster: tuple[Resource, ...]) -> None:
    for each in cluster:
        group = each["apiVersion"].partition("/")[0]
        if each["apiVersion"] not in CORE and group not in operators_schemas.WITHOUT_SCHEMA:
            jsonschema.validate(each, operators_schemas.schema_of(each))


def test_a_field_that_is_no_field_is_found() -> None:
    wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"port": [{"port": 1}]}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


# Complete


def test_every_program_has_all_that_belongs_to_it(k8s: Path) -> None:
    base = render(k8s / "base")
    names = {
        kind: {name for name in of_kind(base, kind) if name in PROGRAMS}
        for kind in ("Deployment", "Service", "ServiceAccount", "PodDisruptionBudget", "HorizontalPodAutoscaler")
    }
    assert names == {kind: set(PROGRAMS) for kind in names}
    assert set(of_kind(base, "Job")) == {f"{service}-prepare" for service in SERVICES}
    assert set(of_kind(base, "Deployment")) == set(PROGRAMS)


def test_all_that_is_referred_to_is_there(cluster: tuple[Resource, ...]) -> None:
    made = {(kind, name) for kind in ("ConfigMap", "Secret", "ServiceAccount") for name in of_kind(cluster, kind)}
    for each in of_kind(cluster, "ExternalSecret").values():
        target = each["spec"]["target"]
        made.add((target.get("manifest", {}).get("kind", "Secret"), target["name"]))
    for workload in workloads(cluster).values():
        spec = pod(workload)
        wanted = {("ServiceAccount", spec["serviceAccountName"])}
        for container in spec["containers"]:
            for source in container.get("envFrom", ()):
                for kind, field in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
                    if field in source:
                        wanted.add((kind, source[field]["name"]))
            for variable in container.get("env", ()):
                if "configMapKeyRef" in variable.get("valueFrom", {}):
                    wanted.add(("ConfigMap", variable["valueFrom"]["configMapKeyRef"]["name"]))
        for volume in spec.get("volumes", ()):
            if "secret" in volume:
                wanted.add(("Secret", volume["secret"]["secretName"]))
            if "configMap" in volume:
                wanted.add(("ConfigMap", volume["configMap"]["name"]))
        assert wanted <= made, workload["metadata"]["name"]


def test_programs_start_with_what_they_are_given(k8s: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = render(k8s / "overlays" / "dev")
    for name in PROGRAMS:
        given = environment(cluster, of_kind(cluster, "Deployment")[name])
        with monkeypatch.context() as patched:
            for variable in ("ENVIRONMENT", *given):
                patched.delenv(variable, raising=False)
            for variable, value in given.items():
                patched.setenv(variable, value)
            settings = import_module(f"{GATEWAY}.settings" if name == GATEWAY else f"services.{module(name)}.settings")
            settings.Settings()


def environment(cluster: tuple[Resource, ...], workload: Resource) -> dict[str, str]:
    """The variables of its container."""
    maps, secrets = of_kind(cluster, "ConfigMap"), of_kind(cluster, "Secret")
    [container] = pod(workload)["containers"]
    found: dict[str, str] = {}
    for source in container["envFrom"]:
        if "configMapRef" in source:
            found |= maps[source["configMapRef"]["name"]]["data"]
        else:
            data = secrets[source["secretRef"]["name"]]["data"]
            found |= {name: base64.b64decode(value).decode() for name, value in data.items()}
    for variable in container["env"]:
        value = variable.get("value")
        if value is None:
            reference = variable["valueFrom"]["configMapKeyRef"]
            value = maps[reference["name"]]["data"][reference["key"]]
        found[variable["name"]] = value
    return found


def test_the_collector_takes_and_handles_things_as_on_compose() -> None:
    here = yaml.safe_load((REPOSITORY / "k8s/components/opentelemetry/collector.yaml").read_text())
    there = yaml.safe_load((REPOSITORY / "deploy/observability/collector.yaml").read_text())
    assert (here["receivers"], here["processors"]) == (there["receivers"], there["processors"])
    for name, pipeline in there["service"]["pipelines"].items():
        assert here["service"]["pipelines"][name]["processors"] == pipeline["processors"]


# The rules for every workload


def test_no_pod_can_do_what_it_need_not(cluster: tuple[Resource, ...]) -> None:
    """Pod Security "restricted" and a root that is not written to."""
    for name, workload in workloads(cluster).items():
        spec = pod(workload)
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] > 0, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers", "ephemeralContainers"} & set(spec), name
        assert all({"emptyDir", "secret", "configMap"} & set(volume) for volume in spec.get("volumes", ())), name
        for container in spec["containers"]:
            can = container["securityContext"]
            assert can["allowPrivilegeEscalation"] is False, name
            assert can["capabilities"] == {"drop": ["ALL"]}, name
            assert can["readOnlyRootFilesystem"] is True or name in WRITES, name
            assert not any("hostPort" in port for port in container.get("ports", ())), name
    for namespace in of_kind(cluster, "Namespace").values():
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert of_kind(cluster, "Namespace")


def test_no_service_account_has_a_token(cluster: tuple[Resource, ...]) -> None:
    for name, account in of_kind(cluster, "ServiceAccount").items():
        assert account["automountServiceAccountToken"] is False, name
    assert not of_kind(cluster, "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
    for name, deployment in of_kind(cluster, "Deployment").items():
        assert pod(deployment)["serviceAccountName"] == name


def test_every_container_says_what_it_needs_and_gets_no_more_memory(cluster: tuple[Resource, ...]) -> None:
    for name, workload in workloads(cluster).items():
        for container in pod(workload)["containers"]:
            resources = container["resources"]
            assert set(resources["requests"]) == {"cpu", "memory"}, name
            assert "memory" in resources["limits"], name
            assert re.search(r":[\w.-]*\d", container["image"]) or container["image"] == "opsfield:latest", name


def test_every_program_is_looked_after_and_leaves_in_peace(cluster: tuple[Resource, ...]) -> None:
    for name in PROGRAMS:
        deployment = of_kind(cluster, "Deployment")[name]
        spec = pod(deployment)
        [container] = spec["containers"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert "httpGet" in container[probe] if name == GATEWAY else container[probe]["grpc"] == {"port": 7000}
        pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        given = environment_of_base(cluster, deployment)
        takes = pause + float(given["DRAIN_SECONDS"]) + float(given["GRACE_SECONDS"])
        assert spec["terminationGracePeriodSeconds"] > takes + 10
        assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def environment_of_base(cluster: tuple[Resource, ...], workload: Resource) -> dict[str, str]:
    """What its container gets that is in no secret."""
    maps = of_kind(cluster, "ConfigMap")
    found: dict[str, str] = {}
    for source in pod(workload)["containers"][0]["envFrom"]:
        if "configMapRef" in source:
            found |= maps[source["configMapRef"]["name"]]["data"]
    return found


def test_every_program_is_spread_and_not_disrupted_as_a_whole(cluster: tuple[Resource, ...]) -> None:
    for name in PROGRAMS:
        deployment = of_kind(cluster, "Deployment")[name]
        labels = pod_labels(deployment)
        spread = {each["topologyKey"]: each for each in pod(deployment)["topologySpreadConstraints"]}
        assert set(spread) == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        for each in spread.values():
            assert selects(each["labelSelector"], labels)
            assert NAME in each["matchLabelKeys"]
        budget = of_kind(cluster, "PodDisruptionBudget")[name]["spec"]
        assert budget["maxUnavailable"] == 1
        assert selects(budget["selector"], labels)


def test_every_program_in_production_is_there_twice_and_scaled(k8s: Path) -> None:
    cluster = render(k8s / "overlays" / "prod")
    scaled = {
        each["spec"]["scaleTargetRef"]["name"]: each["spec"].get("minReplicas") or each["spec"]["minReplicaCount"]
        for each in cluster
        if each["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")
    }
    assert scaled == dict.fromkeys(PROGRAMS, 2)
    assert not any("replicas" in of_kind(cluster, "Deployment")[name]["spec"] for name in PROGRAMS)


def test_consumers_are_scaled_by_the_groups_that_there_are(k8s: Path) -> None:
    scaled = {
        trigger["metadata"]["consumerGroup"]
        for each in of_kind(render(k8s / "overlays" / "prod"), "ScaledObject").values()
        for trigger in each["spec"]["triggers"]
        if trigger["type"] == "kafka"
    }
    assert scaled == consumer_groups()


def consumer_groups() -> set[str]:
    """The groups of all services' consumers."""
    groups = set()
    for file in (REPOSITORY / "services").rglob("*.py"):
        if "tests" not in file.parts and "return Subscription(" in file.read_text():
            groups.add(import_module(".".join(file.relative_to(REPOSITORY).with_suffix("").parts)).NAME)
    return groups


def test_services_find_each_replica_and_only_their_own(cluster: tuple[Resource, ...]) -> None:
    every = workloads(cluster)
    for name, service in of_kind(cluster, "Service").items():
        selector = {"matchLabels": service["spec"]["selector"]}
        taken = [each for each, workload in every.items() if selects(selector, pod_labels(workload))]
        assert len(taken) == 1, (name, taken)
        if name in SERVICES:
            assert taken == [name]
            assert service["spec"]["clusterIP"] == "None"
            address = environment_of_base(cluster, every[GATEWAY])[f"{name.upper().replace('-', '_')}_ADDRESS"]
            assert address == f"dns:///{name}:{service['spec']['ports'][0]['port']}"


# Who reaches whom


def test_nobody_reaches_anybody_unless_it_is_allowed(cluster: tuple[Resource, ...]) -> None:
    deny = of_kind(cluster, "NetworkPolicy")["deny-all"]["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_services_reach_just_those_whose_address_their_settings_ask_for(cluster: tuple[Resource, ...]) -> None:
    every = workloads(cluster)
    for name in PROGRAMS:
        if name == GATEWAY:
            wanted = set(SERVICES)
        else:
            settings = import_module(f"services.{module(name)}.settings").Settings
            wanted = {each for each in SERVICES if f"{module(each)}_address" in settings.model_fields} - {name}
        labels = pod_labels(every[name])
        assert {other for other in SERVICES if allowed(cluster, labels, pod_labels(every[other]), 7000)} == wanted


def test_the_database_and_kafka_are_reached_by_services_alone(cluster: tuple[Resource, ...]) -> None:
    database, events = {"opsfield.dev/part": "database"}, {"opsfield.dev/part": "events"}
    for name, workload in workloads(cluster).items():
        labels = pod_labels(workload)
        is_job = labels.get(STEP) == "prepare"
        assert leaves(cluster, labels, database, 5432) == (name in SERVICES or is_job), name
        assert leaves(cluster, labels, events, 9092) == (name in SERVICES), name
        for part, port in ((database, 5432), (events, 9092)):
            if leaves(cluster, labels, part, port):
                assert enters(cluster, labels, part, port), name


def test_what_the_first_step_shuts_in_can_look_up_names(cluster: tuple[Resource, ...]) -> None:
    """It is applied by itself, and waited for."""
    prepared = {
        name: policy
        for name, policy in of_kind(cluster, "NetworkPolicy").items()
        if policy["metadata"].get("labels", {}).get("opsfield.dev/step") == "prepare"
    }
    assert len(prepared) > 1
    assert 53 in {port["port"] for rule in prepared["dns"]["spec"]["egress"] for port in rule["ports"]}
    assert prepared["dns"]["spec"]["podSelector"] == {}


def test_what_goes_out_into_the_world_stays_out_of_the_cluster(cluster: tuple[Resource, ...]) -> None:
    blocks = {
        name: peer["ipBlock"]
        for name, policy in of_kind(cluster, "NetworkPolicy").items()
        for rule in policy["spec"].get("egress", ())
        for peer in rule.get("to", ())
        if "ipBlock" in peer
    }
    assert set(blocks) == {"agent-runtime", "gateway", "integrations", "portal"}
    for block in blocks.values():
        assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= set(block["except"])


def allowed(cluster: tuple[Resource, ...], source: dict[str, str], target: dict[str, str], port: int) -> bool:
    return leaves(cluster, source, target, port) and enters(cluster, source, target, port)


def leaves(cluster: tuple[Resource, ...], source: dict[str, str], target: dict[str, str], port: int) -> bool:
    """Whether some policy lets pods with the labels `source` reach pods with the labels `target` there."""
    return _lets(cluster, source, target, "egress", "to", port)


def enters(cluster: tuple[Resource, ...], source: dict[str, str], target: dict[str, str], port: int) -> bool:
    return _lets(cluster, target, source, "ingress", "from", port)


def _lets(
    cluster: tuple[Resource, ...], own: dict[str, str], peer: dict[str, str], way: str, field: str, port: int
) -> bool:
    numbers = {port, {7000: "grpc", 8080: "http", 5432: "postgres", 9092: "kafka"}[port]}
    return any(
        "podSelector" in each and "namespaceSelector" not in each and selects(each["podSelector"], peer)
        for policy in of_kind(cluster, "NetworkPolicy").values()
        if selects(policy["spec"]["podSelector"], own)
        for rule in policy["spec"].get(way, ())
        if not rule.get("ports") or numbers & {each["port"] for each in rule["ports"]}
        for each in rule.get(field, ())
    )
