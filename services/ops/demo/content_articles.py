"""The knowledge articles of the demo workspace."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DemoArticle:
    """`client`: short name of the one client that may read it."""

    title: str
    category: str
    body: str
    visibility: str = "ALL_CLIENTS"
    client: str | None = None
    state: str = "published"
    tags: tuple[str, ...] = ()


ARTICLES = (
    DemoArticle("How to reach the service desk", "General", """\
Write to the portal or call us, Monday to Friday from 8 to 18.

If work has stopped for more than one person, **please call**: a call is answered at once, an e-mail within an
hour.

Have ready: your name, the label on the device (such as `ALDER1007`), and what you see on the screen.
"""),
    DemoArticle("Set up your second factor on a new phone", "Security", """\
1. Install the authenticator app on the new phone.
2. Open the security page of your account on a computer where you are signed in.
3. Choose *Add sign-in method*, then *Authenticator app*, and scan the code.
4. Remove the old phone from the list.

Lost the old phone and not signed in anywhere? Call us; we check who you are and reset it.
""", tags=("mfa",)),
    DemoArticle("How to tell a phishing mail", "Security", """\
Look at three things before you click:

- **The sender's address**, not the name. Banks do not write from free mail services.
- **The link's target**: rest the pointer on it, and read it from the right end of the host name.
- **The pressure**: "today", "last warning", "confidential" are how they keep you from asking.

Clicked already? Call us at once. Nobody will blame you, and minutes count.
""", tags=("phishing",)),
    DemoArticle("Connect to the office from home", "Network", """\
Start *VPN* from the task bar, sign in with your usual account and confirm on your phone. Your drives appear
after about ten seconds.

If they do not, close the VPN, wait for a minute and connect again. If that does not help, send us the time of
the attempt.
""", tags=("vpn",)),
    DemoArticle("Print from your laptop", "Printing", """\
Printers are found by their floor: add a printer and search for the label on the device.

Jobs wait until you hold your card to the reader; they are deleted after 24 hours.
"""),
    DemoArticle("Request a new laptop", "Hardware", """\
Ask through the portal with the name of the user, the first day and what is run on it. Standard models are in
stock and are ready within three working days; others take about two weeks.
"""),
    DemoArticle("Opening the vault room in Stuttgart", "Sites", """\
The rack stands in room U1.04. Keys are at the gate, against signature; the alarm is switched off by the shift
lead.

Power: the left strip is on the battery, the right one is not.
""", visibility="ONE_CLIENT", client="BERG", tags=("site",)),
    DemoArticle("Till does not accept vouchers", "Software", """\
Close the till program on both tills, start the left one first and wait for the blue line, then start the
right one. Vouchers work again.

The vendor's correction is planned with the next release.
""", visibility="ONE_CLIENT", client="ORCH"),
    DemoArticle("Passwords of network devices: where and how", "Internal", """\
Every device has its own password in the vault, named like the asset. Never in tickets, notes or chat.

After an emergency, the one that was used is changed on the next working day.
""", visibility="INTERNAL"),
    DemoArticle("SPF, DKIM and DMARC in ten minutes", "Internal", """\
**SPF** says which servers may send for a domain; keep it under ten look-ups. **DKIM** signs; rotate the keys
once a year. **DMARC** says what to do when both fail: begin with `p=none`, read the reports for a month, then
go to `quarantine` and `reject`.
""", visibility="INTERNAL", tags=("mail",)),
    DemoArticle("What to write into a resolution", "Internal", """\
One sentence on the cause, one on what was done, one on how it was checked. Whoever reads it in a year has
neither you nor the device at hand.
""", visibility="INTERNAL", state="draft"),
    DemoArticle("Windows 7 on the measuring stations", "Internal", """\
Isolated network, no internet, files by the transfer share only. Replaced in spring; kept for the history.
""", visibility="INTERNAL", state="archived"),
)  # fmt: skip
