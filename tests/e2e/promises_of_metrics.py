"""What Prometheus must say after the known run of test_prometheus.py: for every series a question and its answer.

The run: a generator killed in a call whose result is found by asking, two generated videos and one created, one whose
workflow fails, one import whose source does not answer, one that is still rendered, long beyond its deadline; a wrong
password; an event of unknown type, which media gets once more; one live stream, and before it one whose token ended.
"""

RENDERED_ON = {
    "count(reelway_dependency_up)": "== 20",
    "count(reelway_dependency_up == 1)": "== 20",
    'sum(reelway_videos{status="ready"})': "== 4",
    'sum(reelway_videos{status="failed"})': "== 2",
    'sum(reelway_videos{status="processing"})': "== 1",
    'sum(reelway_videos{status="pending"})': "== 0",
    'sum(reelway_stuck_attempts{reason="overdue"})': "== 1",
    'sum(reelway_stuck_attempts{reason="unknown"})': "== 0",
    'sum(reelway_streams{service="notifier"})': "== 1",
    'sum(reelway_reannounced_total{type="VideoRequested"})': "> 0",
}
"""While that one video is still rendered."""

ENDED = {
    # what every service does
    'sum(reelway_http_requests_total{method="POST", route="/api/video/generate-video", status="202"})': "== 5",
    'sum(reelway_http_requests_total{route="/api/webhook/video-complete", status="202"})': "== 3",
    'sum(reelway_http_request_seconds_count{route="/api/webhook/video-complete"})': "== 3",
    'histogram_quantile(0.5, reelway_http_request_seconds_bucket{route="/api/webhook/video-complete"})': "< 5",
    'sum(reelway_events_handled_total{service="media", type="WorkflowCompleted", outcome="handled"})': ">= 4",
    'sum(reelway_event_handling_seconds_count{service="notifier", topic="video.assets"})': ">= 8",
    'sum(reelway_event_handling_seconds_sum{service="notifier"})': "> 0",
    'sum(reelway_events_published_total{service="gateway", topic="video.requests"})': ">= 7",
    'sum(reelway_events_published_total{service="media", topic="video.assets"})': ">= 9",
    "sum(reelway_oldest_unhandled_event_seconds)": "== 0",
    "count(reelway_consumer_lag)": ">= 8",
    "sum(reelway_consumer_lag)": "== 0",
    "count(reelway_consumers_renewed_total)": "== 17",
    "sum(reelway_consumers_renewed_total)": "== 0",
    'sum(reelway_unknown_events_total{topic="video.requests"})': "== 3",
    'sum(reelway_dead_letters_total{topic="video.requests", reason="unknown_type"})': "== 4",
    'max(reelway_dead_letters_in_a_row{topic="video.requests"})': "== 0",
    "sum(reelway_consuming_stopped)": "== 0",
    'sum(reelway_redriven_total{service="media", topic="video.requests", outcome="dead_letter"})': "== 1",
    "sum(reelway_outbox_documents)": "== 0",
    "max(reelway_outbox_oldest_seconds)": "== 0",
    'sum(reelway_jobs_total{service="media", kind="transfer", outcome="done"})': ">= 5",
    'sum(reelway_jobs_total{outcome="failed"}) or vector(0)': "== 0",
    "count(reelway_lease_takeovers_total)": "== 7",
    'sum(reelway_lease_takeovers_total{service="generator", kind="job"})': "== 1",
    "count(reelway_jobs_due_oldest_seconds)": "== 5",
    "max(reelway_jobs_due_oldest_seconds)": "< 10",
    "count(reelway_jobs_leased_oldest_seconds)": "== 5",
    "max(reelway_jobs_leased_oldest_seconds)": "< 60",
    'sum(reelway_database_command_seconds_count{service="gateway", command="insert", outcome="ok"})': ">= 7",
    'count(count by (service) (reelway_database_command_seconds_sum{command="update"} > 0))': "== 4",
    # the gateway
    'sum(reelway_videos_accepted_total{kind="generate"})': "== 5",
    'sum(reelway_videos_accepted_total{kind="create"})': "== 1",
    'sum(reelway_videos_accepted_total{kind="import"})': "== 1",
    'sum(reelway_videos_ended_total{status="ready", code=""})': "== 4",
    'sum(reelway_videos_ended_total{status="failed", code="WORKFLOW_FAILED"})': "== 1",
    'sum(reelway_videos_ended_total{status="failed", code="SOURCE_UNREACHABLE"})': "== 1",
    'sum(reelway_videos_ended_total{status="failed", code="CANCELLED"})': "== 1",
    "sum(reelway_videos_ended_total)": "== 7",
    'sum(reelway_videos{status="ready"})': "== 4",
    'sum(reelway_videos{status="failed"})': "== 3",
    'sum(reelway_videos{status="processing"})': "== 0",
    'sum(reelway_video_seconds_count{kind="generate"})': "== 3",
    'sum(reelway_video_seconds_count{kind="create"})': "== 1",
    "sum(reelway_video_seconds_sum)": "> 0.5",
    'sum(reelway_webhooks_total{purpose="complete", outcome="stored"})': "== 3",
    'sum(reelway_webhooks_total{purpose="error", outcome="stored"})': "== 1",
    'sum(reelway_callback_judged_seconds_count{purpose="complete"})': "== 3",
    'sum(reelway_logins_total{outcome="ok"})': "== 1",
    'sum(reelway_logins_total{outcome="refused"})': "== 1",
    # the generator
    'sum(reelway_dispatches_total{workflow="generate", outcome="taken"})': "== 4",
    'sum(reelway_dispatches_total{workflow="create", outcome="taken"})': "== 1",
    'sum(reelway_dispatch_seconds_count{workflow="generate"})': "== 4",
    "sum(reelway_dispatch_seconds_sum)": "> 0",
    "max(reelway_dispatch_seconds_sum / reelway_dispatch_seconds_count)": "< 10",
    'sum(reelway_callbacks_total{purpose="complete", outcome="applied"})': "== 3",
    'sum(reelway_callbacks_total{purpose="error", outcome="applied"})': "== 1",
    'sum(reelway_engine_answers_total{said="running"})': "> 0",
    'sum(reelway_engine_answers_total{said="over"})': "> 0",
    'sum(reelway_reconciled_total{outcome="result"})': "== 1",
    'sum(reelway_run_stops_total{outcome="stopped"})': "== 1",
    "sum(reelway_stuck_attempts)": "== 0",
    # media
    'sum(reelway_transfers_total{outcome="ready"})': "== 4",
    'sum(reelway_transfers_total{outcome="failed"})': "== 1",
    'sum(reelway_transfers_total{outcome="again"})': "> 0",
    "sum(reelway_transfer_bytes_total)": "== {stored_bytes}",
    "sum(reelway_transfer_seconds_count)": "== 4",
    "sum(reelway_storage_uploaded_bytes_total)": "== {stored_bytes}",
    'sum(reelway_storage_request_seconds_count{operation="upload", outcome="ok"})': "== 4",
    'sum(reelway_storage_request_seconds_count{operation="put", outcome="ok"})': "== 4",
    'sum(reelway_storage_request_seconds_sum{operation="upload"})': "> 0",
    "sum(reelway_storage_used_bytes)": "== {stored_bytes}",
    "sum(reelway_objects_swept_total)": "> 0",
    # the notifier
    "sum(reelway_streams)": "== 2",  # of one listener: the gateway passes it on
    'sum(reelway_notifications_stored_total{type="complete"})': "== 4",
    'sum(reelway_notifications_stored_total{type="error"})': "== 3",
    'sum(reelway_stream_events_total{type="complete"})': "== 4",
    'sum(reelway_streams_cut_total{reason="token_expired"})': "== 1",
    # what prometheus_client brings
    'max(process_resident_memory_bytes{job="reelway"})': "> 10000000",
}
"""After it was cancelled; `{stored_bytes}` is what the gallery says the ready videos have."""
