"""The page of metrics is what the metrics are, named as Prometheus' conventions say."""

import re
import shutil
import subprocess

import pytest

from deploy import metrics_page
from deploy.settings_page import ROOT
from services.generator.settings import GeneratorSettings
from shared.wiring.metrics import Metrics, Series

CATALOGUE = Metrics().catalogue
COOKIES = {"reelway_access", "reelway_refresh"}


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "metrics.md").read_text() == metrics_page.page(), "run: make docs"


def test_the_catalogue_is_what_is_exposed() -> None:
    metrics = Metrics()
    exposed = {metric.name for metric in metrics.registry.collect() if metric.name.startswith("reelway_")}
    assert {series.name.removesuffix("_total") for series in metrics.catalogue} == exposed


def test_nothing_is_said_beside_the_catalogue() -> None:
    metrics = Metrics()
    metrics.transfer_seconds.observe(1)
    metrics.webhooks.labels(purpose="complete", outcome="stored").inc()
    said = {
        re.split(r"[ {]", line)[0] for line in metrics.render().decode().splitlines() if line.startswith("reelway_")
    }
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in said} <= {series.name for series in CATALOGUE}


@pytest.mark.parametrize("series", CATALOGUE, ids=lambda series: series.name)
def test_names_follow_the_conventions(series: Series) -> None:
    assert re.fullmatch(r"reelway_[a-z]+(_[a-z]+)*", series.name)
    assert series.name.endswith("_total") == (series.kind == "counter")
    assert series.kind != "histogram" or series.name.endswith("_seconds")
    assert len(series.meaning) > 5


def test_a_unit_is_a_base_unit_and_stands_at_the_end() -> None:
    for series in CATALOGUE:
        words = series.name.removesuffix("_total").split("_")
        assert not {"ms", "milliseconds", "minutes", "hours", "kb", "mb", "percent", "count", "gauge"} & set(words)
        assert [word for word in words[:-1] if word in ("seconds", "bytes", "ratio")] == []


def test_an_answer_that_n8n_gives_just_in_time_is_seen_as_what_it_took() -> None:
    """No quantile is beyond the last bound: where the time limit is, slow answers look like quicker ones."""
    metrics = Metrics()
    metrics.dispatch_seconds.labels(workflow="generate").observe(1)
    samples = [sample for metric in metrics.dispatch_seconds.collect() for sample in metric.samples]
    bounds = [float(sample.labels["le"]) for sample in samples if "le" in sample.labels]
    limit = GeneratorSettings.model_fields["workflow_answer_timeout"].default.total_seconds()
    assert max(bound for bound in bounds if bound < float("inf")) > limit


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not here: install the package prometheus")
def test_prometheus_finds_nothing_to_say_about_them() -> None:
    command = ["promtool", "check", "metrics"]
    done = subprocess.run(command, input=Metrics().render(), capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_the_pages_name_no_series_that_there_is_not() -> None:
    known = {series.name for series in CATALOGUE} | COOKIES
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        named = {
            re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\breelway_[a-z_]+", page.read_text())
        }
        assert named <= known, page
