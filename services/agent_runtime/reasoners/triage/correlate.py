"""triage.correlate: which alerts are one incident. Pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.agent_runtime.reasoners import times
from services.agent_runtime.reasoners.evidence import evidence, rule
from services.agent_runtime.reasoners.reasoner import ProposedAction, Result
from services.agent_runtime.reasoners.text import shortened
from services.agent_runtime.reasoners.triage.grouping import Group, groups_of

Row = dict[str, Any]

# Fewer are a ticket each, not an incident.
LEAST_OF_INCIDENT = 3
_MOST_INCIDENTS = 20
_MOST_IDS = 200
_SEVERITIES = ("info", "warning", "high", "critical")
_MANY_CLIENTS = 3
# What others stand behind.
_UPSTREAM = ("network_device", "server", "virtual_machine")


def reason(input_: Row, data: Row) -> Result:
    """`data`: now, alerts (firing and acknowledged), assets, clients, incidents (those that are not over)."""
    wanted = input_.get("alertIds")
    alerts = [each for each in data["alerts"] if wanted is None or each["id"] in wanted]
    missing = sorted(set(wanted or ()) - {each["id"] for each in alerts})
    assets = {each["id"]: each for each in data["assets"]}
    names = {each["id"]: each["name"] or "" for each in data["clients"]}
    told = {alert_id: each for each in data["incidents"] for alert_id in each["alertIds"] or ()}
    groups = groups_of(alerts, {key: each["siteId"] for key, each in assets.items()})
    written = [_group(group, assets, names, told) for group in groups]
    output = {
        "groups": written,
        "alone": sorted(each["id"] for each in alerts if not any(each in group.alerts for group in groups)),
        "leftOut": missing,
        "alertsConsidered": len(alerts),
    }
    rules = [
        rule(f"group {number}", group.score, reason_)
        for number, group in enumerate(groups, start=1)
        for reason_ in group.reasons
    ]
    looked_at = evidence(rules, alerts=alerts, assets=data["assets"], incidents=data["incidents"])
    proposals = [
        _incident(group, each, names, data["now"])
        for group, each in zip(groups, written, strict=True)
        if len(group.alerts) >= LEAST_OF_INCIDENT and each["incidentId"] is None
    ]
    return Result(output, looked_at, tuple(proposals[:_MOST_INCIDENTS]))


def _group(group: Group, assets: dict[str, Row], names: dict[str, str], told: dict[str, Row]) -> Row:
    incident = next((told[each["id"]] for each in group.alerts if each["id"] in told), None)
    began = [at for at in map(_began, group.alerts) if at is not None]
    clients = sorted({str(each["clientId"]) for each in group.alerts if each["clientId"]})
    return {
        "alertIds": [each["id"] for each in group.alerts],
        "clientIds": clients,
        "title": _title(group, [names[client] for client in clients if names.get(client)]),
        "severity": _severity(group, len(clients)),
        "score": round(group.score, 2),
        "startedAt": times.written(min(began)) if began else None,
        "likelyCauseAlertId": _cause(group.alerts, assets),
        "incidentId": incident["id"] if incident else None,
        "reasons": group.reasons,
    }


def _incident(group: Group, written: Row, names: dict[str, str], now: str) -> ProposedAction:
    parameters: Row = {
        "title": written["title"],
        "severity": written["severity"],
        "alertIds": written["alertIds"][:_MOST_IDS],
        "clientIds": written["clientIds"][:_MOST_IDS],
        "summary": _summary(group, names),
    }
    if written["startedAt"] is not None:
        # A source's clock may be ahead of ours.
        parameters["startedAt"] = min(written["startedAt"], now)
    summary = f"One incident of {len(group.alerts)} alerts, score {group.score:.2f}: {group.reasons[0]}"
    return ProposedAction("create_incident", parameters, shortened(summary, 500))


def _title(group: Group, clients: Sequence[str]) -> str:
    count, rules = len(group.alerts), Counter(each["rule"] for each in group.alerts if each["rule"])
    what = rules.most_common(1)[0][0] if rules else None
    where = f"at {clients[0]}" if len(clients) == 1 else f"at {len(clients)} clients" if clients else ""
    head = next((each["title"] for each in group.alerts if each["rule"] == "mass-offline"), None)
    title = head or (f"{what}: {count} alerts" if len(rules) == 1 else f"{count} alerts at once")
    return shortened(f"{title} {where}".strip(), 200)


def _summary(group: Group, names: dict[str, str]) -> str:
    lines = [
        f"- {each['severity']}: {shortened(str(each['title'] or ''), 120)}"
        f" ({names.get(str(each['clientId'])) or 'no client'}, since {each['firstSeenAt']})"
        for each in group.alerts[:30]
    ]
    return "\n".join(["Alerts that seem to have one cause.", *group.reasons, "", *lines])


def _severity(group: Group, clients: int) -> str:
    worst = max(
        (_SEVERITIES.index(each["severity"]) for each in group.alerts if each["severity"] in _SEVERITIES), default=1
    )
    if _SEVERITIES[worst] == "critical":
        return "sev1" if clients >= _MANY_CLIENTS else "sev2"
    if clients >= _MANY_CLIENTS:
        return "sev2"
    return "sev3" if worst >= 1 else "sev4"


def _cause(alerts: Sequence[Row], assets: dict[str, Row]) -> str | None:
    """The alert to look at first: the earliest of what the others stand behind, else the earliest."""

    def order(alert: Row) -> tuple[int, str, str]:
        type_ = assets.get(alert["assetId"], {}).get("type")
        rank = _UPSTREAM.index(type_) if type_ in _UPSTREAM else len(_UPSTREAM)
        return rank, str(alert["firstSeenAt"] or "~"), str(alert["id"])

    return min(alerts, key=order)["id"] if alerts else None


def _began(alert: Row) -> datetime | None:
    return times.instant(alert["firstSeenAt"])
