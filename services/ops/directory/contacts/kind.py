"""The kind `contacts`."""

from kit.resources.kind import Kind
from opsfield.ops.v1.contacts_pb2 import Contact
from services.ops.directory.contacts import rules

CONTACTS = Kind(
    message=Contact,
    rules=rules.judge,
    defaults={"status": "active"},
    unique={"contacts_email": "email", "contacts_primary": "isPrimary"},
)
