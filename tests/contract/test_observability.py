"""Alerts and dashboards ask only for metrics and labels that the code has, and `promtool`, where it is installed, takes
the rules and finds that they fire when they should."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from devstack.layout import REPOSITORY
from kit import metrics

FOLDER = REPOSITORY / "deploy" / "observability"
DASHBOARDS = sorted((FOLDER / "grafana" / "dashboards").glob("*.json"))
RULES = [rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
PROMTOOL = shutil.which("promtool")
PANELS = {"row", "stat", "timeseries", "table", "alertlist"}


def series() -> set[str]:
    """The names that Prometheus gives to what the code measures."""
    found: set[str] = set()
    for each in vars(metrics).values():
        if isinstance(each, metrics.Gauge):
            found.add(prometheus_name(each.name, each.unit))
        elif hasattr(each, "_name") and hasattr(each, "_unit"):
            name = prometheus_name(each._name, each._unit)
            if hasattr(each, "record"):
                found |= {f"{name}_{part}" for part in ("bucket", "count", "sum")}
            else:
                found.add(name if type(each).__name__.endswith("UpDownCounter") else f"{name}_total")
    return found


def prometheus_name(name: str, unit: str) -> str:
    """By OpenTelemetry's rules: underscores, and the unit at the end unless it is only a word in braces."""
    return name.replace(".", "_") + ("_seconds" if unit == "s" else "")


def attributes() -> set[str]:
    """The labels that the code gives, as far as they stand in it as words."""
    code = "\n".join(
        path.read_text() for folder in ("kit", "gateway", "services") for path in (REPOSITORY / folder).rglob("*.py")
    )
    return {word.replace(".", "_") for word in re.findall(r'"([a-z_.]+)"', code)} | {"job", "instance", "le"}


def expressions() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", ()):
                yield f"{path.stem}: {panel['title']}", target["expr"]


EXPRESSIONS = list(expressions())
SERIES, ATTRIBUTES = series(), attributes()


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS, ids=[where for where, _ in EXPRESSIONS])
def test_what_is_asked_for_is_measured(where: str, expression: str) -> None:
    del where
    bare = re.sub(r'"[^"]*"', "", expression)
    asked = set(re.findall(r"\b(?:[a-z]+_)+[a-z_]+\b(?!\s*[({]?\s*\()", bare))
    labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", bare))
    for inside in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", bare):
        labels |= set(re.findall(r"\w+", inside))
    names = asked - labels - {"histogram_quantile", "last_over_time", "__rate_interval"}
    assert names, "it asks for nothing"
    assert names <= SERIES
    assert labels <= ATTRIBUTES


def test_a_label_is_never_an_id() -> None:
    labels = {word for _, expression in EXPRESSIONS for word in re.findall(r"\w+", expression)}
    assert not {each for each in labels if "workspace" in each or each.endswith("_id")}


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    file, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    titles = re.findall(r"^## (.*)$", (REPOSITORY / file).read_text(), re.MULTILINE)
    assert anchor in {title.lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", DASHBOARDS, ids=[path.stem for path in DASHBOARDS])
def test_a_dashboard_is_whole(path: Path) -> None:
    dashboard = json.loads(path.read_text())
    panels = dashboard["panels"]
    assert dashboard["uid"] == f"opsfield-{path.stem}"
    assert {panel["type"] for panel in panels} <= PANELS
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, f"{panel['title']} lies over another panel"
        taken |= cells
        assert all(target["datasource"]["uid"] == "prometheus" for target in panel.get("targets", ()))


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (on Debian: the package prometheus)")
def test_the_rules_fire_when_they_should() -> None:
    assert PROMTOOL
    for command in (("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")):
        result = subprocess.run([PROMTOOL, *command], cwd=FOLDER, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
