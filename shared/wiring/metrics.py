"""The metric catalogue: every series any service exposes, with its unit in its name."""

from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
OUTSIDE = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
LONG = (0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600, 900, 1200, 1800, 2700, 3600)
"""What is done in here takes a SHORT time, a storage or n8n OUTSIDE up to its time limit, a whole video LONG."""


@dataclass(frozen=True, slots=True)
class Series:
    """One entry of the catalogue, for those who ask for it."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...]


class Metrics:
    """The series of one process, in a registry of its own so that several can live in one test."""

    def __init__(self) -> None:
        # They would be a second series beside each counter, which nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        self.catalogue: list[Series] = []
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            self.catalogue.append(Series(f"reelway_{name}", "counter", text, labels))
            return Counter(f"reelway_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            self.catalogue.append(Series(f"reelway_{name}", "gauge", text, labels))
            return Gauge(f"reelway_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...] = SHORT) -> Histogram:
            self.catalogue.append(Series(f"reelway_{name}", "histogram", text, labels))
            return Histogram(f"reelway_{name}", text, labels, buckets=buckets, registry=registry)

        # every service
        self.http_requests = counter("http_requests_total", "HTTP answers", "method", "route", "status")
        self.http_seconds = histogram("http_request_seconds", "Time to answer", "method", "route")
        self.dependency_up = gauge("dependency_up", "1 while a dependency answers its probe", "dependency")
        self.events_handled = counter("events_handled_total", "Events consumed", "topic", "type", "outcome")
        self.event_seconds = histogram("event_handling_seconds", "Time to handle one event", "topic")
        self.events_published = counter("events_published_total", "Events confirmed by Kafka", "topic")
        self.unhandled_seconds = gauge(
            "oldest_unhandled_event_seconds", "How long a message has waited, as looks tell", "topic"
        )
        self.consumer_lag = gauge("consumer_lag", "Messages that this service's group has not handled", "topic")
        self.consumers_renewed = counter("consumers_renewed_total", "Times that consumers stood still", "topic")
        self.unknown_events = counter("unknown_events_total", "Events of a type this version does not know", "topic")
        self.dead_letters = counter("dead_letters_total", "Messages given up", "topic", "reason")
        self.dead_letters_in_a_row = gauge("dead_letters_in_a_row", "Given up since one was handled", "topic")
        self.consuming_stopped = gauge("consuming_stopped", "1 after too many dead letters in a row")
        self.redriven = counter("redriven_total", "Dead letters that came back", "topic", "outcome")
        self.outbox_documents = gauge("outbox_documents", "Documents with unpublished events", "collection")
        self.outbox_oldest_seconds = gauge("outbox_oldest_seconds", "Age of the oldest unpublished event", "collection")
        self.jobs = counter("jobs_total", "Leased jobs ended", "kind", "outcome")
        self.lease_takeovers = counter("lease_takeovers_total", "Leases taken from dead owners", "kind")
        self.jobs_due_seconds = gauge("jobs_due_oldest_seconds", "How long a job has waited for a worker", "collection")
        self.jobs_leased_seconds = gauge("jobs_leased_oldest_seconds", "How long a worker is at one", "collection")
        self.database_seconds = histogram(
            "database_command_seconds", "Time the database took to answer", "command", "outcome"
        )

        # gateway
        self.videos = gauge("videos", "Videos in the galleries now", "status")
        self.videos_accepted = counter("videos_accepted_total", "Requests for videos accepted", "kind")
        self.videos_ended = counter("videos_ended_total", "Attempts that ended", "status", "code")
        self.video_seconds = histogram("video_seconds", "From an attempt's request to ready", "kind", buckets=LONG)
        self.video_stage_seconds = gauge(
            "video_stage_oldest_seconds", "How long nothing was heard of a video in this stage", "stage"
        )
        self.reannounced = counter("reannounced_total", "Events published again for want of an answer", "type")
        self.webhooks = counter("webhooks_total", "Webhooks received", "purpose", "outcome")
        self.callback_seconds = histogram(
            "callback_judged_seconds", "From arrival to judgement", "purpose", buckets=LONG
        )
        self.callback_oldest_seconds = gauge(
            "callback_unjudged_oldest_seconds", "How long a webhook has waited for its judgement"
        )
        self.logins = counter("logins_total", "Log-in attempts", "outcome")

        # generator
        self.dispatches = counter("dispatches_total", "Calls to the workflow engine", "workflow", "outcome")
        self.dispatch_seconds = histogram(
            "dispatch_seconds", "Time the workflow engine took to answer", "workflow", buckets=OUTSIDE
        )
        self.callbacks = counter("callbacks_total", "Callbacks judged", "purpose", "outcome")
        self.engine_answers = counter("engine_answers_total", "What n8n said of an attempt when asked", "said")
        self.reconciled = counter("reconciled_total", "Attempts that asking n8n moved on", "outcome")
        self.run_stops = counter("run_stops_total", "Unwanted runs that n8n was asked to stop", "outcome")
        self.stuck_attempts = gauge("stuck_attempts", "Attempts unknown or beyond their first deadline", "reason")

        # media
        self.transfers = counter("transfers_total", "Transfers ended", "outcome")
        self.transfer_bytes = counter("transfer_bytes_total", "Bytes stored")
        self.transfer_seconds = histogram("transfer_seconds", "Time a transfer took", buckets=LONG)
        self.storage_seconds = histogram(
            "storage_request_seconds",
            "Time the storage took, its source's left out",
            "operation",
            "outcome",
            buckets=OUTSIDE,
        )
        self.uploaded_bytes = counter("storage_uploaded_bytes_total", "Bytes the storage took in these uploads")
        self.storage_used = gauge("storage_used_bytes", "Size of the videos that are stored now", "bucket")
        self.objects_swept = counter("objects_swept_total", "Orphaned objects deleted")

        # notifier
        self.streams = gauge("streams", "Open live streams")
        self.notifications_stored = counter("notifications_stored_total", "Notifications stored", "type")
        self.stream_events = counter("stream_events_total", "Events written to live streams", "type")
        self.streams_cut = counter("streams_cut_total", "Streams ended by the server", "reason")

    def render(self) -> bytes:
        """Return every series in Prometheus' text format."""
        return generate_latest(self.registry)
