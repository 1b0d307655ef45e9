"""Writes docs/metrics.md from the catalogue of metrics: python -m deploy.metrics_page > docs/metrics.md."""

import sys

from shared.wiring.metrics import Metrics, Series

HEAD = """# Metrics

What every service says at `/metrics` on its own port. Units are in the names: seconds, bytes, or a count. A histogram
has its buckets, `_sum` and `_count`. Beside these there are the usual `process_*` and `python_info`. Which of them to
worry about, and when: [operations.md](operations.md#what-to-watch).

This page is written by `make docs` from the catalogue in shared/wiring/metrics.py; a test holds it to it.

| series | type | labels | meaning |
|---|---|---|---|
"""


def page() -> str:
    """Return the page: one row for each series, those of every service first."""
    return HEAD + "".join(map(_row, Metrics().catalogue))


def _row(series: Series) -> str:
    labels = ", ".join(f"`{label}`" for label in series.labels)
    return f"| `{series.name}` | {series.kind} | {labels} | {series.meaning} |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
