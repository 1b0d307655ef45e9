"""The alerts watch series that exist, and fire when they should: promtool's word."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from shared.wiring.metrics import Metrics

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
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


def test_every_series_that_is_watched_is_in_the_catalogue() -> None:
    known = {sample for metric in Metrics().registry.collect() for sample in (metric.name, f"{metric.name}_total")}
    asked = set(re.findall(r"\breelway_\w+", (PROMETHEUS / "alerts.yml").read_text()))
    assert asked - known == set()


def test_every_alert_says_what_to_do_and_is_tested() -> None:
    alerts = re.findall(r"alert: (\w+)", (PROMETHEUS / "alerts.yml").read_text())
    assert len(alerts) == len(re.findall(r"^ {10}action: \S", (PROMETHEUS / "alerts.yml").read_text(), re.MULTILINE))
    tests = Path(__file__).with_name("alerts.yml").read_text()
    assert [alert for alert in alerts if tests.count(alert) != 2] == []
