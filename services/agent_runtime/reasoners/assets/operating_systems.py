"""Until when operating systems get security updates without paying extra. As of 2026-01.

Sources, each read per product: learn.microsoft.com/lifecycle (fixed policy: extended end date; modern policy:
retirement), ubuntu.com/about/release-cycle (standard support), wiki.debian.org/LTS, access.redhat.com/support/policy,
blog.centos.org, the lifecycle matrix of VMware by Broadcom. Apple publishes no dates: macOS is not judged.
"""

import re
from datetime import date

# The first that matches counts: the special ones stand before the general ones.
_ENDS: tuple[tuple[str, date], ...] = tuple(
    (pattern, date.fromisoformat(day))
    for pattern, day in (
        (r"windows server 2025", "2034-10-10"),
        (r"windows server 2022", "2031-10-14"),
        (r"windows server 2019", "2029-01-09"),
        (r"windows server 2016", "2027-01-12"),
        (r"windows server 2012", "2023-10-10"),
        (r"windows server 2008", "2020-01-14"),
        (r"windows server 2003", "2015-07-14"),
        (r"windows 10 .*(ltsc|ltsb).*2021|windows 10 .*2021.*ltsc", "2027-01-12"),
        (r"windows 10 .*(ltsc|ltsb).*2019|windows 10 .*2019.*ltsc", "2029-01-09"),
        (r"windows 10 .*(ltsc|ltsb).*2016|windows 10 .*2016.*lts[bc]", "2026-10-13"),
        (r"windows 10\b", "2025-10-14"),
        (r"windows 8\.1", "2023-01-10"),
        (r"windows 8\b", "2016-01-12"),
        (r"windows 7\b", "2020-01-14"),
        (r"windows vista", "2017-04-11"),
        (r"windows xp", "2014-04-08"),
        (r"ubuntu.* 24\.04", "2029-05-31"),
        (r"ubuntu.* 22\.04", "2027-05-31"),
        (r"ubuntu.* 20\.04", "2025-05-31"),
        (r"ubuntu.* 18\.04", "2023-05-31"),
        (r"ubuntu.* 16\.04", "2021-04-30"),
        (r"debian.* 12\b", "2028-06-30"),
        (r"debian.* 11\b", "2026-08-31"),
        (r"debian.* 10\b", "2024-06-30"),
        (r"debian.* 9\b", "2022-06-30"),
        (r"centos.* 8\b", "2021-12-31"),
        (r"centos.* 7\b", "2024-06-30"),
        (r"(red hat|rhel).* 7\b", "2024-06-30"),
        (r"(red hat|rhel).* 8\b", "2029-05-31"),
        (r"esxi? 6\.", "2022-10-15"),
        (r"esxi? 7\.", "2025-10-02"),
        (r"esxi? 8\.", "2027-10-11"),
    )
)
_COMPILED = tuple((re.compile(pattern), day) for pattern, day in _ENDS)


def support_ends(operating_system: object) -> date | None:
    """The last day on which it gets security updates; None for what the table does not know."""
    if not isinstance(operating_system, str):
        return None
    name = operating_system.casefold()
    return next((day for pattern, day in _COMPILED if pattern.search(name)), None)
