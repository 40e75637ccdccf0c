"""What is promised to the clients of the demo workspace."""

from datetime import date

from opsfield.ops.v1.sla_policies_pb2 import SlaCalendar, SlaHoliday, SlaPolicy, SlaTargets, SlaWindow

DEFAULT = "Business hours"
# Clients with a promise round the clock: those that never close.
ROUND_THE_CLOCK = ("BERG", "MIST")
_DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY")
# Of days that stay the same each year.
_HOLIDAYS = (
    ("01-01", "New Year's Day"),
    ("05-01", "May Day"),
    ("12-25", "Christmas Day"),
    ("12-26", "St Stephen's Day"),
)
# priority: minutes to the first response and to the resolution
_IN_BUSINESS_HOURS = {"CRITICAL": (30, 240), "HIGH": (60, 540), "MEDIUM": (240, 1_620), "LOW": (540, 2_700)}
_ALWAYS = {"CRITICAL": (15, 240), "HIGH": (30, 480), "MEDIUM": (240, 2_880), "LOW": (720, 7_200)}


def business_hours(today: date) -> SlaPolicy:
    """The policy of all clients that have none of their own."""
    calendar = SlaCalendar(
        time_zone="Europe/London",
        windows=[SlaWindow(day=day, opens="08:00", closes="18:00") for day in _DAYS],
        holidays=[
            SlaHoliday(date=f"{year}-{day}", name=name)
            for year in (today.year - 1, today.year, today.year + 1)
            for day, name in _HOLIDAYS
        ],
    )
    return SlaPolicy(
        name=DEFAULT,
        description="Monday to Friday, 8 to 18. What waits for the client or a vendor does not count.",
        calendar=calendar,
        targets=_targets(_IN_BUSINESS_HOURS),
        is_default=True,
    )


def round_the_clock(client_name: str, client_id: str) -> SlaPolicy:
    """The policy of one client."""
    return SlaPolicy(
        name=f"24×7 {client_name}",
        description="Every hour of every day, for sites that never close.",
        calendar=SlaCalendar(time_zone="UTC", always_open=True),
        targets=_targets(_ALWAYS),
        warn_percent=70,
        client_id=client_id,
    )


def _targets(minutes: dict[str, tuple[int, int]]) -> list[SlaTargets]:
    return [
        SlaTargets(priority=priority, first_response_minutes=first, resolution_minutes=last)
        for priority, (first, last) in minutes.items()
    ]
