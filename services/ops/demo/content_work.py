"""What the clients of the demo workspace ask for, and what is said about it."""

# category, priority, subject, description, resolution
WORK = (
    ("Email", "medium", "Outlook asks for the password again and again", "Started after the password change on Monday.",
     "Removed the stale credential from Credential Manager and signed in again."),
    ("Email", "high", "Mail to one supplier bounces", "550 5.7.1, SPF check failed according to the bounce.",
     "Added the new relay to the SPF record; delivery confirmed."),
    ("Email", "low", "Please set up a shared mailbox for accounts", "Owner: office manager. Members: finance team.",
     "Created the shared mailbox and delegated it."),
    ("Network", "critical", "Internet down at the head office", "Router shows no WAN link since 08:10.",
     "Provider had a fibre cut; failed over to LTE and back after the repair."),
    ("Network", "medium", "Wi-Fi drops in the meeting rooms", "Video calls freeze, worst in the afternoon.",
     "Moved two access points to other channels and lowered transmit power."),
    ("Network", "high", "VPN connects but no file shares", "Split tunnel; DNS suffix missing on the client.",
     "Pushed the DNS suffix by policy; shares resolve again."),
    ("Hardware", "medium", "Laptop battery swollen", "Touchpad is being pushed up.",
     "Device swapped from stock; battery sent for recycling."),
    ("Hardware", "low", "Second monitor for a new colleague", "27 inch, USB-C with charging.",
     "Delivered and connected."),
    ("Hardware", "high", "Label printer does not print in dispatch", "Orders are piling up; red light blinks.",
     "Replaced the print head and re-calibrated the media sensor."),
    ("Server", "critical", "File server out of space", "Volume D: has 0 bytes left, users cannot save.",
     "Removed old shadow copies, extended the volume by 500 GB, alert threshold set to 85 %."),
    ("Server", "high", "Backup failed two nights in a row", "Repository reports a locked file.",
     "Cleared the lock, ran an active full backup, restore of one file tested."),
    ("Server", "medium", "Terminal server is slow after 14:00", "CPU at 100 %, scanner indexing job suspected.",
     "Moved the indexing job to the night."),
    ("Security", "critical", "User clicked a phishing link", "Entered the password on a fake sign-in page.",
     "Password reset, sessions revoked, sign-in logs checked; no mailbox rules found."),
    ("Security", "medium", "MFA for a new phone", "Old phone was lost on the train.",
     "Old method removed, new authenticator registered, device wiped."),
    ("Security", "high", "Antivirus reports a quarantined file", "Macro document in the downloads folder.",
     "File confirmed as malicious, host scanned offline, clean."),
    ("Software", "low", "Install the PDF editor", "Licence is in the portal.", "Installed by policy."),
    ("Software", "medium", "Accounting software cannot reach its database", "Since the update last night.",
     "Firewall rule for the new service port added."),
    ("Software", "high", "Till software crashes when a voucher is used", "Reproducible on both tills.",
     "Vendor hotfix installed on both tills."),
    ("Onboarding", "medium", "New starter next Monday", "Laptop, mail, phone extension, building access.",
     "Account and device handed over on the first day."),
    ("Offboarding", "medium", "Leaver on Friday", "Keep the mailbox for 90 days, forward to the manager.",
     "Account disabled, mailbox converted, laptop back in stock."),
    ("Telephony", "medium", "Calls drop after 30 seconds", "Only outbound, only from the branch.",
     "SIP ALG switched off on the branch router."),
    ("Telephony", "low", "Change the holiday greeting", "New text is attached.", "Recorded and scheduled."),
)  # fmt: skip
PLACES = (
    "reception",
    "finance",
    "the warehouse",
    "the second floor",
    "sales",
    "the workshop",
    "management",
    "the branch",
)
# What the staff first says to the client.
ANSWERS = (
    "Thank you for letting us know. I am looking at it now and will get back to you within the hour.",
    "Hello, I have taken this on. Could you keep the device switched on so that I can connect remotely?",
    "Thanks, we can reproduce it here. I will keep you posted.",
    "I have your ticket. Is anyone else in the office affected as well?",
    "Good morning, this is scheduled for today. I will call you before I start.",
    "Received, thank you. I am checking the logs first and will come back with a plan.",
)
# What the staff notes for itself, by category.
NOTES = {
    "Email": ("Message trace shows the rejections since 06:40.", "Modern authentication is on, licence is assigned."),
    "Network": ("Firewall log attached to the asset. No packet loss up to the provider's edge.",
                "Channel 11 is crowded at this site, three neighbours with strong signals."),
    "Hardware": ("Warranty checked with the manufacturer, covered.", "Swapped with a loan device in the meantime."),
    "Server": ("Checked event log, disk queue and last reboot. Nothing else unusual.",
               "Snapshot taken before the change, to be removed tomorrow."),
    "Security": ("Sign-in log exported and stored. No sign-ins from abroad.",
                 "Reported to the client's data protection contact by phone."),
    "Software": ("Vendor case opened, they know the fault.", "Works on a clean profile, so it is the local cache."),
    "Onboarding": ("Licences are in stock, laptop is imaged.", "Access list confirmed with the manager."),
    "Offboarding": ("Sessions revoked at the agreed time.", "Shared passwords of the team are being rotated."),
    "Telephony": ("SIP trace taken during a test call.", "Porting and numbers are fine, it is the router."),
}  # fmt: skip
# What the client answers when the ticket waits for that.
REPLIES = (
    "Sorry for the delay, I was out of the office. Now would be a good time.",
    "It is still the same here. You can reach me until five.",
    "Yes, please go ahead.",
    "Here is the screenshot you asked for. It happened twice this morning.",
    "I have asked my colleague, she has the same problem.",
)
REOPENED = (
    "Unfortunately it is back since this morning.",
    "It worked for an hour and then the same message came again.",
)
QUESTIONS = (
    "Could you tell us when we may restart the device?",
    "Please send us the exact wording of the message, a photo is fine.",
    "We need your approval for the replacement part before we go on.",
)
VENDOR_NOTES = (
    "Case with the manufacturer is open, part is on its way.",
    "Provider's second level has it, next update promised for tomorrow.",
)
WORK_NOTES = ("Remote session with the user", "Analysis and repair", "On site, device replaced", "Follow-up and test")
# What monitoring says when such a thing begins: of a subject, the type of asset, and the rule that fires.
ALARMED = {
    "Internet down at the head office": ("network_device", "wan-link"),
    "File server out of space": ("server", "disk-free"),
    "Backup failed two nights in a row": ("server", "backup-job"),
    "Terminal server is slow after 14:00": ("server", "cpu-load"),
    "Label printer does not print in dispatch": ("printer", "printer-state"),
}
# What tickets of a category are about.
CONCERNED = {
    "Email": ("laptop", "workstation"),
    "Network": ("network_device",),
    "Hardware": ("laptop", "workstation", "printer"),
    "Server": ("server", "virtual_machine"),
    "Security": ("laptop", "workstation"),
    "Software": ("laptop", "workstation", "virtual_machine"),
}
