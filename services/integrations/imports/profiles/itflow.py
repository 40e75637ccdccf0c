"""The CSV exports of ITFlow (26.08): the lists' own, with the columns that its export window offers. They hold no ids,
so names stand for them: a client's, and at a client a location's, a contact's, an asset's. Tickets have a number."""

from services.integrations.imports.profiles.countries import CODES
from services.integrations.imports.profiles.profile import (
    Profile,
    Step,
    at_client,
    changed,
    emptied,
    joined,
    shortened,
    told_times,
    words,
)

_TYPES = {
    "Laptop": "laptop", "Desktop": "workstation", "Server": "server", "Phone": "other", "Mobile Phone": "mobile",
    "Tablet": "mobile", "Firewall/Router": "network_device", "Switch": "network_device",
    "Access Point": "network_device", "Printer": "printer", "Camera": "other", "TV": "other",
    "Virtual Machine": "virtual_machine", "Other": "other",
}  # fmt: skip
_PRIORITIES = {"Low": "low", "Medium": "medium", "High": "high", "Urgent": "critical"}
_STATUSES = {
    "New": "new", "Open": "open", "On Hold": "waiting_on_client", "Resolved": "resolved", "Closed": "closed",
}  # fmt: skip
_NO_DATE = "0000-00-00"
_DONE = "Resolved in ITFlow."


def _mac_address(text: str) -> str:
    digits = "".join(each for each in text if each not in ":-. ")
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2)) if len(digits) == 12 else text


CLIENTS = Profile(
    name="itflow.clients",
    kind="clients",
    format="csv",
    described="Clients, Export: all clients with their primary location.",
    mapping=(
        ("Client Name", "name"),
        ("Industry", "industry"),
        ("Website", "website"),
        ("Location Phone", "phone"),
        ("Location Address", "billingAddress.line1"),
        ("City", "billingAddress.city"),
        ("State", "billingAddress.region"),
        ("Postal Code", "billingAddress.postalCode"),
        ("Country", "billingAddress.country"),
        ("Hourly Rate", "hourlyRate"),
        ("Currency", "currency"),
        ("Payment Terms", "paymentTermsDays"),
        ("Tax ID", "taxId"),
        ("Abbreviation", "abbreviation"),
    ),
    external_id="Client Name",
    required=frozenset({"Client Name"}),
    steps=(
        shortened("Client Name", 200),
        changed("Website", lambda text: text if "://" in text else f"https://{text}"),
        words("Country", CODES, otherwise=""),
    ),
)

LOCATIONS = Profile(
    name="itflow.locations",
    kind="sites",
    format="csv",
    described="A client's Locations, Export: one file for each client, whose name is given as the default of clientId.",
    mapping=(
        ("Name", "name"),
        ("Address", "address.line1"),
        ("City", "address.city"),
        ("State", "address.region"),
        ("Postal Code", "address.postalCode"),
        ("Phone", "phone"),
        ("Description, Hours", "notes"),
    ),
    external_id="Client / Name",
    required=frozenset({"Name"}),
    steps=(
        at_client("Client / Name", "Name", None),
        joined("Description, Hours", [("Description", ""), ("Hours", "Hours: ")]),
    ),
    needs_client=True,
)

CONTACTS = Profile(
    name="itflow.contacts",
    kind="contacts",
    format="csv",
    described="A client's Contacts, Export: one file for each client, whose name is given as the default of clientId.",
    mapping=(
        ("Name", "name"),
        ("Title", "title"),
        ("Department", "department"),
        ("Email", "email"),
        ("Phone", "phone"),
        ("Mobile", "mobile"),
        ("Location", "siteId"),
    ),
    external_id="Client / Name",
    required=frozenset({"Name"}),
    steps=(
        at_client("Client / Name", "Name", None),
        at_client("Location", "Location", None),
        joined("Phone", [("Phone", ""), ("Ext", "ext. ")], " "),
    ),
    needs_client=True,
)

ASSETS = Profile(
    name="itflow.assets",
    kind="assets",
    format="csv",
    described="Assets, Export, with the column Client; of one client also without it.",
    mapping=(
        ("Client", "clientId"),
        ("Name", "name"),
        ("Type", "type"),
        ("Make", "manufacturer"),
        ("Model", "model"),
        ("Serial Number", "serialNumber"),
        ("Operating System", "operatingSystem"),
        ("Purchase Date", "purchaseDate"),
        ("Warranty Expire", "warrantyExpiresOn"),
        ("Assigned To", "contactId"),
        ("Location", "siteId"),
        ("Primary IP", "ipAddress"),
        ("Primary MAC", "macAddress"),
        ("Description, Physical Location, Notes", "notes"),
    ),
    external_id="Client / Name",
    required=frozenset({"Name"}),
    steps=(
        at_client("Client / Name", "Name", "Client"),
        at_client("Assigned To", "Assigned To", "Client"),
        at_client("Location", "Location", "Client"),
        words("Type", _TYPES, otherwise="other"),
        emptied("Purchase Date", _NO_DATE),
        emptied("Warranty Expire", _NO_DATE),
        emptied("Primary IP", "DHCP"),
        changed("Primary MAC", _mac_address),
        joined(
            "Description, Physical Location, Notes",
            [("Description", ""), ("Physical Location", "Stands at: "), ("Notes", "")],
        ),
    ),
)

TICKETS = Profile(
    name="itflow.tickets",
    kind="tickets",
    format="csv",
    described="Tickets, Export, with the columns Client, Contact and Category; of one client also without Client.",
    mapping=(
        ("Client", "clientId"),
        ("Subject", "subject"),
        ("Priority", "priority"),
        ("Status", "status"),
        ("Contact", "contactId"),
        ("Category", "category"),
        ("Number and times", "description"),
        ("Resolution", "resolution"),
    ),
    external_id="Ticket Number",
    required=frozenset({"Ticket Number", "Priority", "Status", "Subject"}),
    steps=(
        at_client("Contact", "Contact", "Client"),
        words("Priority", _PRIORITIES),
        words("Status", _STATUSES, otherwise="open"),
        told_times("Times", [("Date Opened", "opened"), ("Date Resolved", "resolved"), ("Date Closed", "closed")]),
        joined("Number and times", [("Ticket Number", "In ITFlow "), ("Times", "")], ", "),
        Step("Resolution", ("Status",), lambda cells, _: _DONE if cells["Status"] in ("resolved", "closed") else ""),
    ),
    only_new=frozenset({"status", "description", "resolution"}),
)

PROFILES = (CLIENTS, LOCATIONS, CONTACTS, ASSETS, TICKETS)
