"""The changes of the demo workspace."""

from dataclasses import dataclass

from services.ops.demo.content_runbooks import FOR_FIRMWARE, FOR_RESTARTS

CAUSED_AN_INCIDENT = "Storage controllers to firmware 5.1.2"


@dataclass(frozen=True)
class DemoChange:
    """`assets`: types, of each the client's first one; `window`: start and end in hours from now; `steps`: what was
    done with it, at which hour from now: submit, approve, reject, or the state it went to."""

    title: str
    description: str
    client: str | None
    assets: tuple[str, ...]
    steps: tuple[tuple[float, str], ...]
    window: tuple[float, float] | None = None
    type: str = "NORMAL"
    risk: str = "MEDIUM"
    impact: str = "None outside the window."
    plan: str = ""
    test_plan: str = ""
    backout: str = ""
    runbook: str | None = None
    requested_by: str = "ben.okafor"
    approvals: int = 1
    outcome: str | None = None


CHANGES = (
    DemoChange(
        "Replace the core switch in Bristol", "The old one is out of support in spring.", "ALDER", ("network_device",),
        (), plan="Rack the new switch beside the old one, move the uplinks last.", backout="Move the uplinks back."),
    DemoChange(
        "Split the guest network of the dental practices", "Patients' phones share a network with the X-ray station.",
        "BLUE", ("network_device",), ((-20, "submit"),), risk="HIGH", approvals=2,
        plan="New VLAN 40, own SSID, rules that allow the internet alone.", test_plan="X-ray station not reachable.",
        backout="Bring back the saved configuration."),
    DemoChange(
        "Move the depot's phones to the new SIP trunk", "The present contract ends this quarter.", "CARR", (),
        ((-60, "submit"), (-44, "approve")), plan="Register the trunk, port two numbers, then the rest.",
        backout="Numbers stay forwarded to the old trunk for 14 days.", requested_by="chiara.romano"),
    DemoChange(
        "Open remote desktop to the internet for a supplier", "Supplier wants to maintain the brewing control.",
        "COPP", (), ((-200, "submit"), (-190, "reject")), risk="CRITICAL",
        plan="Port forwarding to the control computer.", backout="Remove the forwarding.",
        outcome="Supplier gets an account on the VPN instead."),
    DemoChange(
        "Encrypt the file server's data volumes", "Asked for by the insurer.", "PEMB", ("server",),
        ((-120, "submit"), (-100, "approve"), (-90, "scheduled")), window=(52, 58), risk="HIGH", approvals=2,
        impact="Shares are read-only for about an hour.",
        plan="Enable encryption volume by volume, keys into the vault.",
        test_plan="Restart, unlock, restore one file.", backout="Restore the volumes from last night's backup."),
    DemoChange(
        "Firewall to FortiOS 7.4.5 (Utrecht)", "Routine update.", "JANS", ("network_device",),
        ((-50, "submit"), (-49, "scheduled")), window=(26, 28), type="STANDARD", risk="LOW", runbook=FOR_FIRMWARE,
        plan="By the runbook."),
    DemoChange(
        "New access points at Hôtel des Calanques", "Guests in the annexe have no signal.", "MIST", ("network_device",),
        ((-150, "submit"), (-140, "approve"), (-130, "scheduled"), (-0.8, "implementing")), window=(-1, 4),
        impact="Wi-Fi of the annexe restarts twice.", plan="Mount, adopt, survey, adjust channels.",
        backout="Old access points stay in place until tomorrow.", requested_by="amira.haddad"),
    DemoChange(
        "Monthly restart of the office server", "Updates of this month.", "HART", ("server",),
        ((-400, "submit"), (-399, "scheduled"), (-370, "implementing"), (-368.8, "completed")), window=(-370.5, -366),
        type="STANDARD", risk="LOW", runbook=FOR_RESTARTS, plan="By the runbook.", outcome="All services are back."),
    DemoChange(
        "Second domain controller as a virtual machine", "One is none.", "BERG", ("server",),
        ((-900, "submit"), (-880, "approve"), (-870, "scheduled"), (-800, "implementing"), (-796, "completed")),
        window=(-801, -790), plan="New guest, promote, move two roles, check replication.",
        test_plan="repadmin shows no errors for a day.", backout="Demote and delete the guest.",
        requested_by="elena.petrova", outcome="Replication is clean."),
    DemoChange(
        "Close the hole in the VPN gateway", "Exploited in the wild since this morning.", "FJORD", ("network_device",),
        ((-560, "submit"), (-559.5, "approve"), (-559, "scheduled"), (-558.5, "implementing"), (-557.9, "completed")),
        window=(-550, -546), type="EMERGENCY", risk="HIGH",
        impact="Remote workers lose their connection for 15 minutes.",
        plan="Install the hotfix, restart, revoke sessions.", backout="Boot the other partition.",
        outcome="Installed ahead of its window; no traces of misuse in the logs."),
    DemoChange(
        "Move the accounting database to the new server", "The old one is slow at the end of the month.", "IVY",
        ("server",), ((-700, "submit"), (-690, "approve"), (-680, "scheduled"), (-650, "implementing"),
                      (-646, "failed")),
        window=(-651, -640), plan="Back up, restore, change the connection, test with the bookkeeper.",
        backout="Change the connection back.",
        outcome="The vendor's licence is bound to the old host; asked for a new one."),
    DemoChange(
        CAUSED_AN_INCIDENT, "Fixes a slow rebuild.", None, (),
        ((-1100, "submit"), (-1080, "approve"), (-1070, "scheduled"), (-984.5, "implementing"), (-983, "failed"),
         (-981.5, "rolled_back")),
        window=(-985, -980), risk="HIGH", plan="Second controller first, then the first.",
        test_plan="Both controllers see all volumes.", backout="Vendor's downgrade by the console.",
        requested_by="david.lindqvist", outcome="Volumes went read-only on failover; downgraded."),
)  # fmt: skip
