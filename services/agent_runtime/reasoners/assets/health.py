"""assets.health: how well assets are, the worst first, and which should be replaced. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import Any

from services.agent_runtime.reasoners import times
from services.agent_runtime.reasoners.assets.score import Health, health_of
from services.agent_runtime.reasoners.evidence import evidence, rule
from services.agent_runtime.reasoners.reasoner import ProposedAction, Result
from services.agent_runtime.reasoners.text import shortened

Row = dict[str, Any]

# Worse than that, and out of warranty: somebody should look at replacing it.
REPLACE_BELOW = 50
TAG = "replacement"
_MOST_PROPOSED = 10
_MOST_TOLD = 200
_DAYS = timedelta(days=90)
_OUT_OF_USE = ("ordered", "retired", "disposed")
_DONE = ("resolved", "closed")


def reason(input_: Row, data: Row) -> Result:
    """`data`: now, assets, alerts (firing and acknowledged), tickets (the latest)."""
    del input_
    now = times.instant(data["now"]) or datetime.fromtimestamp(0, UTC)
    used = [each for each in data["assets"] if each["lifecycle"] not in _OUT_OF_USE and each["status"] != "retired"]
    alerts = _by_asset((each["assetId"], each) for each in data["alerts"])
    recent = [each for each in data["tickets"] if _is_recent(each, now)]
    tickets = _by_asset((asset_id, each) for each in recent for asset_id in each["assetIds"] or ())
    judged = [health_of(each, alerts[each["id"]], tickets[each["id"]], now) for each in used]
    judged.sort(key=lambda health: (health.score, str(health.asset["name"]), str(health.asset["id"])))
    bands = Counter(health.band for health in judged)
    output = {
        "asOf": times.written(now),
        "assetsJudged": len(judged),
        "outOfUse": len(data["assets"]) - len(judged),
        "meanScore": round(fmean(health.score for health in judged)) if judged else None,
        "counts": {band: bands[band] for band in ("critical", "poor", "fair", "good")},
        "assets": [_told(health) for health in judged[:_MOST_TOLD]],
    }
    rules = [
        rule(f"{health.asset['name']}: {fault.rule}", fault.points, fault.reason)
        for health in judged[:_MOST_TOLD]
        for fault in health.faults
    ]
    looked_at = evidence(rules, assets=used, alerts=data["alerts"], tickets=recent)
    asked_for = {
        asset_id
        for each in data["tickets"]
        if each["status"] not in _DONE and TAG in (each["tags"] or ())
        for asset_id in _named_in(each, judged)
    }
    replaced = [each for each in judged if _is_to_replace(each) and each.asset["id"] not in asked_for]
    return Result(output, looked_at, tuple(_proposal(health, alerts) for health in replaced[:_MOST_PROPOSED]))


def _is_to_replace(health: Health) -> bool:
    return health.score < REPLACE_BELOW and health.has("warranty ended")


def _named_in(ticket: Row, judged: Iterable[Health]) -> Iterable[str]:
    """The assets that a ticket is about: linked to it, or named by their id in what a proposal once wrote."""
    yield from ticket["assetIds"] or ()
    yield from (each.asset["id"] for each in judged if each.asset["id"] in (ticket["description"] or ""))


def _proposal(health: Health, alerts: dict[str, list[Row]]) -> ProposedAction:
    asset = health.asset
    lines = [
        f"{asset['name']} ({' '.join(filter(None, (asset['manufacturer'], asset['model'])))}, serial number "
        f"{asset['serialNumber'] or 'unknown'}) has a health of {health.score} out of 100 and no warranty any more.",
        *(f"- {fault.reason}" for fault in health.faults),
        f"Asset: {asset['id']}",
    ]
    parameters = {
        "subject": shortened(f"Replace {asset['name']}: health {health.score}, out of warranty", 200),
        "description": "\n".join(lines),
        "clientId": asset["clientId"],
        "priority": "medium",
        "category": "Hardware",
        "source": "agent",
        "tags": [TAG],
        **{name: asset[name] for name in ("siteId", "contactId") if asset[name]},
    }
    if unanswered := [each["id"] for each in alerts[asset["id"]] if not each["ticketId"]]:
        parameters["alertIds"] = unanswered
    summary = f"Ask for a replacement of {asset['name']}: {' '.join(fault.reason for fault in health.faults)}"
    return ProposedAction("create_ticket", parameters, shortened(summary, 500))


def _is_recent(ticket: Row, now: datetime) -> bool:
    created = times.instant(ticket["createdAt"])
    return created is not None and now - created <= _DAYS


def _by_asset(found: Iterable[tuple[Any, Row]]) -> defaultdict[Any, list[Row]]:
    grouped = defaultdict[Any, list[Row]](list)
    for asset_id, row in found:
        grouped[asset_id].append(row)
    return grouped


def _told(health: Health) -> Row:
    asset = health.asset
    return {
        "assetId": asset["id"],
        "name": asset["name"] or "",
        "clientId": asset["clientId"],
        "type": asset["type"],
        "score": health.score,
        "band": health.band,
        "faults": [{"rule": each.rule, "points": each.points, "reason": each.reason} for each in health.faults],
    }
