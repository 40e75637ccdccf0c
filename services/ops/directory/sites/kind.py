"""The kind `sites`."""

from kit.resources.kind import Kind
from opsfield.ops.v1.sites_pb2 import Site
from services.ops.directory.sites import rules

SITES = Kind(
    message=Site,
    rules=rules.judge,
    unique={"sites_name": "name", "sites_primary": "isPrimary"},
)
