"""What Tactical RMM's API answers (1.x), an object in each line: `jq -c '.[]'` makes that of its arrays. Agents name
their client and site, so names stand for ids here as well."""

from ipaddress import ip_address

from services.integrations.imports.profiles.profile import (
    Profile,
    at_client,
    changed,
    emptied,
    shortened,
    words,
)

# What makers leave in their firmware where a serial number should be.
_NO_SERIAL = (
    "n/a", "none", "0", "default string", "to be filled by o.e.m.", "system serial number", "not specified",
    "not applicable", "invalid", "unknown",
)  # fmt: skip


def _first_address(text: str) -> str:
    """Of a list of addresses, with or without the length of their networks."""
    for each in text.replace(",", " ").split():
        try:
            return str(ip_address(each.partition("/")[0]))
        except ValueError:
            continue
    return ""


CLIENTS = Profile(
    name="tactical-rmm.clients",
    kind="clients",
    format="jsonl",
    described="GET /clients/",
    mapping=(("name", "name"),),
    external_id="name",
    required=frozenset(),
)

SITES = Profile(
    name="tactical-rmm.sites",
    kind="sites",
    format="jsonl",
    described="GET /clients/sites/",
    mapping=(("name", "name"), ("client_name", "clientId")),
    external_id="client_name / name",
    required=frozenset(),
    steps=(at_client("client_name / name", "name", "client_name"),),
)

AGENTS = Profile(
    name="tactical-rmm.agents",
    kind="assets",
    format="jsonl",
    described="GET /agents/",
    mapping=(
        ("client_name", "clientId"),
        ("site_name", "siteId"),
        ("hostname", "name"),
        ("hostname", "hostname"),
        ("monitoring_type", "type"),
        ("operating_system", "operatingSystem"),
        ("make_model", "model"),
        ("serial_number", "serialNumber"),
        ("local_ips", "ipAddress"),
        ("maintenance_mode", "maintenanceMode"),
        ("description", "notes"),
    ),
    external_id="agent_id",
    required=frozenset(),
    steps=(
        at_client("site_name", "site_name", "client_name"),
        words("monitoring_type", {"server": "server", "workstation": "workstation"}),
        shortened("operating_system", 100),
        shortened("make_model", 100),
        emptied("serial_number", *_NO_SERIAL),
        changed("local_ips", _first_address),
    ),
)

PROFILES = (CLIENTS, SITES, AGENTS)
