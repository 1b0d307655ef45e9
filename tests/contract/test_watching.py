"""Alerts and dashboards ask for series that exist, and alerts fire when they should: promtool's word."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from shared.wiring.metrics import Metrics

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
CATALOGUE = {
    f"{series.name}{part}": series
    for series in Metrics().catalogue
    for part in (("_bucket", "_sum", "_count") if series.kind == "histogram" else ("",))
}
BESIDE = {"up", "process_cpu_seconds_total", "process_resident_memory_bytes"}
WORDS = {"and", "or", "unless", "offset"}
GROUPS = r"\b(?:by|without|on|ignoring|group_left|group_right) *\(([^)]*)\)"
FROM_PROMETHEUS = {"service", "job", "instance", "le", "alertstate", "alertname"}
NOT_HERE = "promtool is not here: install the package prometheus"

promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason=NOT_HERE)


def run(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)  # noqa: S607
    assert done.returncode == 0, done.stdout + done.stderr


@promtool
def test_prometheus_takes_its_configuration() -> None:
    run("check", "config", str(PROMETHEUS / "prometheus.yml"))


@promtool
def test_each_alert_fires_in_its_bad_hour_and_none_in_a_good_one() -> None:
    run("test", "rules", str(Path(__file__).with_name("alerts.yml")))


def board(file: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(file.read_text())
    return read


def questions() -> list[tuple[str, str]]:
    """Return the name and the PromQL of every alert and every panel."""
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    asked = [(rule["alert"], rule["expr"]) for group in groups for rule in group["rules"]]
    for file in DASHBOARDS:
        panels = board(file)["panels"]
        asked += [(f"{file.stem}: {panel['title']}", part["expr"]) for panel in panels for part in panel["targets"]]
    return asked


def asked_for(question: str) -> set[str]:
    """Return the name of every metric in PromQL: what is left without functions, words, labels, ranges and texts."""
    bare = re.sub(rf"\{{[^}}]*\}}|\[[^\]]*\]|{GROUPS}", " ", re.sub(r'"[^"]*"', "", question))
    return set(re.findall(r"\b[a-zA-Z_:][\w:]*\b(?!\s*\()", bare)) - WORDS


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ('max by (topic) (kafka_consumergroup_lag{group="a{}"}) > 0', {"kafka_consumergroup_lag"}),
        ("sum(relway_videos) or vector(0)", {"relway_videos"}),
        ("rate(process_cpu_seconds[5m] offset 15m) and on (job) up", {"process_cpu_seconds", "up"}),
        ("histogram_quantile(0.9, sum by (le) (rate(a_bucket[1h]))) * 3600", {"a_bucket"}),
    ],
)
def test_every_metric_of_a_question_is_seen(question: str, names: set[str]) -> None:
    assert asked_for(question) == names


@pytest.mark.parametrize(("name", "question"), questions(), ids=lambda value: value[:40])
def test_only_what_the_catalogue_has_is_asked_for(name: str, question: str) -> None:
    asked = asked_for(question) - BESIDE
    assert asked <= set(CATALOGUE), name
    labels = {label for series in asked for label in CATALOGUE[series].labels}
    named = set(re.findall(r"(\w+) *(?:=~?|!=|!~) *\"", question))
    assert not re.search(r"['`]", question), "texts stand in double quotes, so that this test reads them"
    for group in re.findall(GROUPS, question):
        named |= set(re.findall(r"\w+", group))
    assert named <= labels | FROM_PROMETHEUS, name


def panels() -> list[Any]:
    return [
        pytest.param(panel, id=f"{file.stem}: {panel['title']}")
        for file in DASHBOARDS
        for panel in board(file)["panels"]
    ]


@pytest.mark.parametrize("panel", panels())
def test_a_panel_shows_the_unit_of_what_it_asks_for(panel: dict[str, Any]) -> None:
    names = {name for target in panel["targets"] for name in asked_for(target["expr"]) - BESIDE}
    asked = {CATALOGUE[name].name for name in names}
    unit = panel["fieldConfig"]["defaults"]["unit"]
    of_bytes = any(re.search(r"_bytes(_total)?$", name) for name in asked)
    of_seconds = bool(asked) and all(name.endswith("_seconds") for name in asked)
    if not asked:
        assert unit in ("short", "bytes")
    elif of_bytes:
        assert unit in ("bytes", "Bps")
    else:
        assert (unit == "s") == of_seconds


@pytest.mark.parametrize("panel", panels())
def test_a_legend_names_only_labels_that_the_answer_has(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        kept = {
            label for group in re.findall(r"\bby \(([^)]*)\)", target["expr"]) for label in re.findall(r"\w+", group)
        }
        whole = not re.search(r"\b(sum|max|min|count|histogram_quantile)\b", target["expr"])
        assert whole or set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= kept, target


@promtool
def test_every_panel_can_be_asked(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": question} for number, (_, question) in enumerate(questions())]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    run("check", "rules", str(tmp_path / "panels.yml"))


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_a_dashboard_can_be_read(file: Path) -> None:
    panels = board(file)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["description"] for panel in panels)
    assert {panel["datasource"]["uid"] for panel in panels} == {"prometheus"}
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert len({(place["x"], place["y"]) for place in places}) == len(places)


def test_what_to_watch_has_an_alert_or_the_page_says_that_it_has_none() -> None:
    watched = {metric for name, rule in questions() if name.startswith("Reelway") for metric in asked_for(rule)}
    chapter = (ROOT / "docs" / "operations.md").read_text().partition("## What to watch")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(reelway_\w+).*$", chapter, re.MULTILINE)
    without = re.findall(r"^\| `(reelway_\w+).*no rule.*$", chapter, re.MULTILINE)
    assert rows
    assert [name for name in rows if (name in watched) == (name in without)] == []


def test_every_alert_says_what_to_do_and_is_tested() -> None:
    alerts = re.findall(r"alert: (\w+)", (PROMETHEUS / "alerts.yml").read_text())
    assert len(alerts) == len(re.findall(r"^ {10}action: \S", (PROMETHEUS / "alerts.yml").read_text(), re.MULTILINE))
    tests = Path(__file__).with_name("alerts.yml").read_text()
    assert [alert for alert in alerts if tests.count(alert) != 2] == []
