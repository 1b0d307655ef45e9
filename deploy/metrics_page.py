"""Writes docs/metrics.md from the catalogue of metrics: python -m deploy.metrics_page > docs/metrics.md."""

import sys

from shared.wiring.metrics import Metrics, Series

HEAD = """# Metrics

What every service says at `/metrics` on its own port: all have the same list, and what one has nothing to do with is
0 there. Units are in the names: seconds, bytes, or a count. A histogram has its buckets, `_sum` and `_count`. Beside
these there are the usual `process_*` and `python_info`. Which of them to worry about, and when:
[operations.md](operations.md#what-to-watch).

| the question | the series |
|---|---|
| videos by state | `reelway_videos` |
| success and failure rates by code | `reelway_videos_ended_total` |
| processing time | `reelway_video_seconds`; of it the transfer: `reelway_transfer_seconds` |
| storage used | `reelway_storage_used_bytes` |
| n8n's time to answer our webhook calls | `reelway_dispatch_seconds` |
| our time to answer n8n's webhooks | `reelway_http_request_seconds{route=~"/api/webhook/.*"}` |
| S3 speed | `reelway_storage_request_seconds`; for uploads `reelway_storage_uploaded_bytes_total` over its seconds |
| database time | `reelway_database_command_seconds` |
| consumer lag | `reelway_consumer_lag`, `reelway_oldest_unhandled_event_seconds` |
| outbox age and length | `reelway_outbox_oldest_seconds`, `reelway_outbox_documents` |
| leases taken over | `reelway_lease_takeovers_total` |
| SSE connections | `reelway_streams{service="notifier"}`: the gateway counts those it passes on once more |
| stuck jobs | `reelway_jobs_due_oldest_seconds`, `reelway_jobs_leased_oldest_seconds`, `reelway_stuck_attempts` |
| what nobody answers for | `reelway_video_stage_oldest_seconds`, `reelway_callback_unjudged_oldest_seconds` |

What is read from a database or from Kafka is the same number in every replica: ask for the `max`, not the sum. These
are `reelway_videos`, `reelway_storage_used_bytes`, `reelway_stuck_attempts` and what nobody answers for (every 15 s,
more rarely where counting takes long; the first two are absent while the database can't say), the outbox, the lag, the
oldest unhandled event (every 10 s: since when it has been seen to wait) and the ages of jobs.
Counters begin anew with each process, which `rate` and `increase` know. No label holds a user's or a video's id: the
values are few and known, whatever is sent from outside.

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
