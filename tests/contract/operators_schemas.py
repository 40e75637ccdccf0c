"""The schemas that Kubernetes operators have for their kinds: out of their Go modules, which hold their CRDs."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

# The group of the API: the module that defines it, and where in it the CRDs are.
_MODULES = {
    "gateway.networking.k8s.io": ("sigs.k8s.io/gateway-api@v1.4.0", "config/crd/standard"),
    "keda.sh": ("github.com/kedacore/keda/v2@v2.18.3", "config/crd/bases"),
    "external-secrets.io": ("github.com/external-secrets/external-secrets@v1.3.2", "config/crds/bases"),
    "postgresql.cnpg.io": ("github.com/cloudnative-pg/cloudnative-pg@v1.30.0", "config/crd/bases"),
    "barmancloud.cnpg.io": ("github.com/cloudnative-pg/plugin-barman-cloud@v0.15.0", "config/crd/bases"),
}
# Written in Java: its CRDs are made when it is built.
WITHOUT_SCHEMA = {"kafka.strimzi.io"}


def are_available() -> bool:
    """Whether modules can be had on this machine."""
    return shutil.which("go") is not None


def schema_of(resource: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of a resource's kind, which allows no fields that it does not know. Raises LookupError where its
    operator has no such kind or version."""
    group, _, version = resource["apiVersion"].partition("/")
    for each in _definition(group, resource["kind"])["versions"]:
        if each["name"] == version:
            return _closed(each["schema"]["openAPIV3Schema"], root=True)
    raise LookupError(f"{resource['apiVersion']} has no {resource['kind']}")


@cache
def _definition(group: str, kind: str) -> dict[str, Any]:
    for file in _folder(group).glob("*.yaml"):
        text = file.read_text()
        if f"kind: {kind}\n" in text:
            for crd in yaml.load_all(text, yaml.CSafeLoader):
                spec = crd["spec"] if crd and crd["kind"] == "CustomResourceDefinition" else None
                if spec and (spec["group"], spec["names"]["kind"]) == (group, kind):
                    return dict(spec)
    raise LookupError(f"{group} has no {kind}")


@cache
def _folder(group: str) -> Path:
    module, folder = _MODULES[group]
    done = subprocess.run(["go", "mod", "download", "-json", module], capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    if "Dir" not in found:
        raise OSError(f"{module}: {found.get('Error', done.stderr)}")
    return Path(found["Dir"]) / folder


def _closed(schema: dict[str, Any], *, root: bool = False) -> dict[str, Any]:
    """The schema with all objects closed whose fields are told, as the API server prunes what it does not know."""
    schema = dict(schema)
    if "properties" in schema:
        schema["properties"] = {name: _closed(each) for name, each in schema["properties"].items()}
        if root:
            schema["properties"]["metadata"] = {"type": "object"}
        if not schema.get("x-kubernetes-preserve-unknown-fields") and "additionalProperties" not in schema:
            schema["additionalProperties"] = False
    if isinstance(schema.get("additionalProperties"), dict):
        schema["additionalProperties"] = _closed(schema["additionalProperties"])
    if isinstance(schema.get("items"), dict):
        schema["items"] = _closed(schema["items"])
    return schema
