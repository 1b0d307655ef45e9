"""The page of metrics is what the metrics are, named as Prometheus' conventions say."""

import re

import pytest

from deploy import metrics_page
from deploy.settings_page import ROOT
from shared.wiring.metrics import Metrics, Series

CATALOGUE = Metrics().catalogue


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "metrics.md").read_text() == metrics_page.page(), "run: make docs"


def test_the_catalogue_is_what_is_exposed() -> None:
    metrics = Metrics()
    exposed = {metric.name for metric in metrics.registry.collect() if metric.name.startswith("reelway_")}
    assert {series.name.removesuffix("_total") for series in metrics.catalogue} == exposed


@pytest.mark.parametrize("series", CATALOGUE, ids=lambda series: series.name)
def test_names_follow_the_conventions(series: Series) -> None:
    assert re.fullmatch(r"reelway_[a-z]+(_[a-z]+)*", series.name)
    assert series.name.endswith("_total") == (series.kind == "counter")
    assert series.kind != "histogram" or series.name.endswith("_seconds")
    assert len(series.meaning) > 5
