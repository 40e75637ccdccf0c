"""Draws a dashboard as a page from what a Prometheus holds, where there is no Grafana: to see whether every query
finds something, and for the pictures in docs/.

    python tools/draw_dashboard.py overview http://127.0.0.1:9090 > overview.html

It reads deploy/observability/grafana/dashboards; variables of a dashboard count as "all".
"""

import json
import sys
import time
from html import escape
from pathlib import Path
from typing import Any

import httpx

DASHBOARDS = Path(__file__).resolve().parent.parent / "deploy" / "observability" / "grafana" / "dashboards"
SECONDS, STEP = 1800, 15
COLUMN, ROW = 50, 30
COLORS = ("#3274d9", "#299c46", "#e0752d", "#bf1b00", "#8f3bb8", "#ba43a9", "#508642", "#967302", "#2f575e", "#58140c")

Series = list[tuple[str, list[tuple[float, float]]]]


def main() -> int:
    """The exit code."""
    name, url = sys.argv[1:3]
    dashboard = json.loads((DASHBOARDS / f"{name}.json").read_text())
    now = time.time()
    with httpx.Client(base_url=url, timeout=30) as http:
        panels = "".join(_panel(http, panel, now) for panel in dashboard["panels"])
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"]) * ROW
    print(
        f"<!doctype html><meta charset=utf-8><title>{escape(dashboard['title'])}</title><style>{_STYLE}</style>"
        f"<h1>{escape(dashboard['title'])} <small>{escape(dashboard['description'])} Drawn by tools/draw_dashboard.py "
        f"from Prometheus, not by Grafana.</small></h1><main style='height:{height}px'>{panels}</main>"
    )
    return 0


def _panel(http: httpx.Client, panel: dict[str, Any], now: float) -> str:
    place = panel["gridPos"]
    box = (
        f"left:{place['x'] * COLUMN}px;top:{place['y'] * ROW}px;"
        f"width:{place['w'] * COLUMN - 8}px;height:{place['h'] * ROW - 8}px"
    )
    title = escape(panel["title"])
    if panel["type"] == "row":
        return f"<h2 style='{box}'>{title}</h2>"
    if panel["type"] == "alertlist":
        inside = _alerts(http)
    elif panel["type"] == "table":
        inside = _table(_ask(http, panel["targets"][0]["expr"], now), _unit(panel))
    else:
        series = [each for target in panel["targets"] for each in _range(http, target, now)]
        inside = _stat(series, panel) if panel["type"] == "stat" else _lines(series, panel, now)
    return f"<section style='{box}'><h3>{title}</h3>{inside}</section>"


def _expression(text: str) -> str:
    return text.replace("$__rate_interval", "1m").replace("$job", "opsfield-.+")


def _range(http: httpx.Client, target: dict[str, Any], now: float) -> Series:
    asked = {"query": _expression(target["expr"]), "start": now - SECONDS, "end": now, "step": STEP}
    found: Series = []
    for result in _answer(http, "/api/v1/query_range", asked):
        legend = target["legendFormat"]
        for label, value in result["metric"].items():
            legend = legend.replace("{{" + label + "}}", value)
        found.append((legend, [(at, float(value)) for at, value in result["values"] if value not in ("NaN", "+Inf")]))
    return found


def _ask(http: httpx.Client, expression: str, now: float) -> list[Any]:
    return _answer(http, "/api/v1/query", {"query": _expression(expression), "time": now})


def _answer(http: httpx.Client, path: str, asked: dict[str, Any]) -> list[Any]:
    answer = http.get(path, params=asked).json()
    if answer["status"] != "success":
        raise SystemExit(f"{asked['query']}: {answer['error']}")
    result: list[Any] = answer["data"]["result"]
    return result


def _alerts(http: httpx.Client) -> str:
    alerts = http.get("/api/v1/alerts").json()["data"]["alerts"]
    lines = [f"<li><b>{escape(each['labels']['alertname'])}</b> {each['state']}" for each in alerts]
    return f"<ul>{''.join(lines) or '<li>none'}</ul>"


def _table(rows: list[Any], unit: str) -> str:
    sorted_rows = sorted(((float(row["value"][1]), row["metric"]) for row in rows), key=lambda row: -row[0])
    lines = [
        f"<tr><td>{escape(' '.join(metric.values()))}<td class=n>{_written(value, unit)}"
        for value, metric in sorted_rows
        if value == value
    ]
    return f"<table>{''.join(lines) or '<tr><td>nothing'}</table>"


def _stat(series: Series, panel: dict[str, Any]) -> str:
    values = [value for _, points in series for _, value in points]
    value = values[-1] if values else 0.0
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    color = next(step["color"] for step in reversed(steps) if step["value"] is None or value >= step["value"])
    return f"<p class='stat {color}'>{_written(value, _unit(panel))}</p>"


def _lines(series: Series, panel: dict[str, Any], now: float) -> str:
    width, height = panel["gridPos"]["w"] * COLUMN - 80, panel["gridPos"]["h"] * ROW - 90
    top = max((value for _, points in series for _, value in points), default=0) or 1
    drawn, legends = [], []
    for (legend, points), color in zip(series, COLORS * (len(series) // len(COLORS) + 1), strict=False):
        path = " ".join(
            f"{(at - now + SECONDS) / SECONDS * width:.1f},{height - value / top * height:.1f}" for at, value in points
        )
        drawn.append(f"<polyline points='{path}' stroke='{color}'/>")
        legends.append(f"<span style='color:{color}'>▬ {escape(legend)}</span>")
    return (
        f"<div class=top>{_written(top, _unit(panel))}</div>"
        f"<svg width={width} height={height}>{''.join(drawn)}</svg><div class=legend>{' '.join(legends[:14])}</div>"
    )


def _unit(panel: dict[str, Any]) -> str:
    config = panel["fieldConfig"]
    overrides = [each["value"] for found in config["overrides"] for each in found["properties"] if each["id"] == "unit"]
    return str(overrides[0] if overrides else config["defaults"]["unit"])


def _written(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{value:.2%}"
    if unit == "s":
        return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
    return f"{value:.3g}" + (" /s" if unit == "reqps" else "")


_STYLE = """
body { font: 13px sans-serif; background: #f4f5f5; margin: 12px; color: #24292e }
small { font-size: 13px; font-weight: normal; color: #666 } h1 { font-size: 20px; margin: 4px }
main { position: relative; width: 1200px } h2, section { position: absolute; margin: 0; box-sizing: border-box }
section { background: #fff; border: 1px solid #dfe1e5; overflow: hidden; padding: 6px } h2 { font-size: 15px }
h3 { font-size: 13px; margin: 0 0 4px } polyline { fill: none; stroke-width: 1.5 }
svg { border-bottom: 1px solid #ccc; border-left: 1px solid #ccc; margin-left: 8px } ul { padding-left: 18px }
.top { font-size: 11px; color: #777; margin-left: 8px } .legend { font-size: 11px } .n { text-align: right }
table { width: 100%; font-size: 12px } td { border-bottom: 1px solid #eee } td.n { white-space: nowrap }
.stat { font-size: 30px; margin: 0; padding: 14px; text-align: center; color: #fff }
.green { background: #299c46 } .orange { background: #e0752d } .red { background: #bf1b00 }
"""


if __name__ == "__main__":
    sys.exit(main())
