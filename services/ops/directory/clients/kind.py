"""The kind `clients`."""

from kit.resources.kind import Kind
from opsfield.ops.v1.clients_pb2 import Client
from services.ops.directory.clients import rules

CLIENTS = Kind(
    message=Client,
    rules=rules.judge,
    defaults={"status": "active"},
    unique={"clients_name": "name"},
)
