"""The runbooks of the demo workspace."""

from opsfield.ops.v1.runbooks_pb2 import Runbook, RunbookInput, RunbookStep

# The runbook that helps with tickets of a category, by its title.
FOR_CATEGORY = {
    "Email": "Mail does not arrive",
    "Network": "Site without internet",
    "Server": "Volume out of space",
    "Security": "Account taken over",
    "Onboarding": "New starter",
    "Offboarding": "Leaver",
}
FOR_FIRMWARE = "Firewall firmware update"
FOR_RESTARTS = "Monthly server restart"
FOR_BACKUPS = "Restore test"


def _step(title: str, instructions: str, kind: str = "MANUAL", minutes: int = 5, rollback: str | None = None
          ) -> RunbookStep:  # fmt: skip
    return RunbookStep(
        title=title,
        instructions=instructions,
        kind=kind,
        expected_minutes=minutes,
        rollback=rollback,
        idempotent=kind in ("SCRIPT", "HTTP"),
    )


def _input(name: str, description: str, kind: str = "TEXT") -> RunbookInput:
    return RunbookInput(name=name, description=description, type=kind, required=True)


# Each with the state it is in.
RUNBOOKS: tuple[tuple[str, Runbook], ...] = (
    ("published", Runbook(
        title="Mail does not arrive", category="Email", tags=["mail"],
        description="Finds out where a message was stopped, and lets the next one through.",
        inputs=[_input("recipient", "Address that gets nothing"), _input("sender", "Address that sent it")],
        steps=[
            _step("Trace the message", "Run a message trace for sender and recipient over the last 48 hours."),
            _step("Read the verdict", "Bounced, quarantined, or delivered to another folder? Note the code."),
            _step("Check SPF, DKIM and DMARC", "dig +short TXT {{sender_domain}}, compare with the header.", "SCRIPT"),
            _step("Release or allow", "Release from quarantine. Allow a sender only when SPF and DKIM pass.",
                  rollback="Remove the entry from the allow list."),
        ])),
    ("published", Runbook(
        title="Site without internet", category="Network", tags=["network", "on-call"],
        description="From the alert to a working line, on the backup if need be.",
        inputs=[_input("firewall", "Firewall of the site", "ASSET")],
        steps=[
            _step("Ask the site", "Power on the firewall? Lights on the provider's box?"),
            _step("Fail over", "Switch the default route to the mobile line.", "SCRIPT", 3,
                  rollback="Switch the default route back to wan1."),
            _step("Report to the provider", "Open a fault with the circuit number from the site's notes.", minutes=15),
            _step("Go back", "After an hour without loss, switch back and tell the client.", minutes=10),
        ])),
    ("published", Runbook(
        title="Volume out of space", category="Server", tags=["server"],
        description="Makes room without losing anything, then finds out what grew.",
        inputs=[_input("server", "The server", "ASSET"), _input("volume", "Drive letter or mount point")],
        steps=[
            _step("See what grew", "Largest folders and files changed in the last week.", "SCRIPT", 10),
            _step("Remove what may go", "Temporary files, old installers, shadow copies older than 14 days.", "SCRIPT"),
            _step("Extend the volume", "Only when the datastore has 20 % free.", "APPROVAL", 15),
            _step("Set the threshold", "Warn at 85 %, alarm at 93 %."),
        ])),
    ("published", Runbook(
        title="Account taken over", category="Security", tags=["security", "on-call"],
        description="Locks the attacker out first, then looks at what was done.",
        inputs=[_input("user", "Sign-in name")],
        steps=[
            _step("Block and revoke", "Block sign-in and revoke all sessions.", "SCRIPT", 2, "Unblock sign-in."),
            _step("Reset", "New password by phone, register the second factor again.", minutes=15),
            _step("Look for traces", "Mailbox rules, forwarding, consented apps, sign-ins of 30 days.", minutes=30),
            _step("Tell the client", "Name what was read or sent. Data protection contact decides on a report."),
        ])),
    ("published", Runbook(
        title="New starter", category="Onboarding", tags=["accounts"],
        description="Account, device and access, ready the day before.",
        inputs=[_input("name", "Full name"), _input("starts_on", "First day"), _input("manager", "Who decides")],
        steps=[
            _step("Create the account", "From the template of the department.", "SCRIPT", 5, "Delete the account."),
            _step("Assign licences", "Only what the template says; more needs the manager's word.", "APPROVAL"),
            _step("Prepare the laptop", "Image, updates, encryption on, asset assigned to the contact.", minutes=60),
            _step("Hand over", "First sign-in together, second factor, printer, phone.", minutes=30),
        ])),
    ("published", Runbook(
        title="Leaver", category="Offboarding", tags=["accounts"],
        description="Takes access away on time and keeps what must be kept.",
        inputs=[_input("user", "Sign-in name"), _input("leaves_at", "Last hour")],
        steps=[
            _step("Disable", "At the agreed hour: disable, revoke sessions, wipe the mobile.", "SCRIPT", 5),
            _step("Keep the mailbox", "Convert to shared, delegate to the manager, review in 90 days."),
            _step("Take back the device", "Set the asset to in stock, remove the contact.", minutes=10),
        ])),
    ("published", Runbook(
        title=FOR_FIRMWARE, category="Network", tags=["maintenance"], required_role="OPS_ENGINEER",
        description="Routine update of a single firewall outside working hours.",
        inputs=[_input("firewall", "The firewall", "ASSET"), _input("version", "Version to install")],
        steps=[
            _step("Save the configuration", "Export it and attach it to the change.", "SCRIPT"),
            _step("Install", "Upload, verify the checksum, install, wait for the restart.", "SCRIPT", 20,
                  "Boot the other partition."),
            _step("Test", "Internet, tunnels, phones, and one remote worker.", minutes=15),
        ])),
    ("published", Runbook(
        title=FOR_RESTARTS, category="Server", tags=["maintenance"],
        description="Installs the month's updates and restarts in the right order.",
        inputs=[_input("server", "The server", "ASSET")],
        steps=[
            _step("Check the backup", "Last night's job must be good, or stop here."),
            _step("Install and restart", "Guests first, then the host.", "SCRIPT", 45),
            _step("Check the services", "All automatic services run; sign in once.", "SCRIPT"),
        ])),
    ("draft", Runbook(
        title="Move a site to a new provider", category="Network",
        description="Collects what has to be known before the day of the move.",
        steps=[_step("List what has a fixed address", "Tunnels, allow lists at vendors, DNS records.", minutes=45)])),
    ("in_review", Runbook(
        title=FOR_BACKUPS, category="Backup", tags=["maintenance"],
        description="Proves every quarter that a file and a whole machine come back.",
        steps=[
            _step("Restore a file", "A random file of last week, compare its hash.", minutes=15),
            _step("Restore a machine", "Into the isolated network, sign in, note the time it took.", minutes=90),
        ])),
    ("deprecated", Runbook(
        title="Set up a scanner with SMTP basic authentication", category="Hardware",
        description="Only for devices that cannot do better; the mail provider ends it.",
        steps=[_step("Create an application password", "Note it in the vault, not in the ticket.")])),
    ("archived", Runbook(
        title="Renew a BlackBerry certificate", category="Mobile",
        description="The last of these devices is gone.",
        steps=[_step("Export the request", "From the management console.")])),
)  # fmt: skip
