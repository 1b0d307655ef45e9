"""Taking webhooks: stored raw before they are answered, deduplicated, passed on to the generator, who judges them."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from services.gateway.store.history import History
from services.gateway.store.receipts import Receipt, Receipts, ReceiptTakenError
from services.gateway.store.videos import Known, Videos
from shared.access.callback_urls import Purpose
from shared.contracts.events import CallbackJudged, CompletionReported, Event, WorkflowErrorReported, event_id
from shared.wiring.metrics import Metrics

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Webhook:
    """One authenticated webhook as received; `key` is what its sender calls it, `fields` what its event takes over."""

    purpose: Purpose
    body: bytes
    authenticated_by: str
    key: str | None
    video_id: str | None
    attempt: int | None
    execution_id: str | None
    fields: Mapping[str, Any]

    @property
    def body_hash(self) -> str:
        """Return the SHA-256 of the body in hex."""
        return hashlib.sha256(self.body).hexdigest()

    def receipt(self, receipt_id: str, matched: bool) -> Receipt:
        """Return the receipt to store."""
        return Receipt(
            receipt_id=receipt_id,
            purpose=self.purpose,
            matched=matched,
            video_id=self.video_id,
            attempt=self.attempt,
            execution_id=self.execution_id,
            authenticated_by=self.authenticated_by,
            body=self.body,
            body_hash=self.body_hash,
        )


@dataclass(frozen=True, slots=True)
class Received:
    """What the sender is told."""

    receipt_id: str
    matched: bool


def receipt_id_of(*what: str | None) -> str:
    """Return the id of the receipt of this very thing, however often it is received."""
    said = "\n".join(part or "-" for part in what)
    return f"receipt_{hashlib.sha256(said.encode()).hexdigest()[:32]}"


class Callbacks:
    """Stores webhooks with the event each causes. A repeat changes nothing and is told the same."""

    def __init__(self, receipts: Receipts, videos: Videos, history: History, metrics: Metrics) -> None:
        self._receipts = receipts
        self._videos = videos
        self._history = history
        self._metrics = metrics

    async def completed(self, webhook: Webhook) -> Received:
        """Take the news that a video is ready or failed."""
        return await self._take(webhook, _completion)

    async def failed(self, webhook: Webhook) -> Received:
        """Take the news that a workflow broke."""
        return await self._take(webhook, _workflow_error)

    async def judged(self, event: CallbackJudged) -> None:
        """Note what the generator says came of a webhook."""
        if event.outcome == "adopted" and event.video_id is not None and event.attempt is not None:
            await self._videos.adopted(event.video_id, event.attempt)
        waited = await self._receipts.judged(event.receipt_id, event.outcome, event.report_id)
        if waited is not None:
            self._metrics.callback_seconds.labels(purpose=event.purpose).observe(max(0.0, waited.total_seconds()))

    async def _take(self, webhook: Webhook, about: Callable[[Webhook, int | None, str], Event]) -> Received:
        known = await self._videos.known(webhook.video_id) if webhook.video_id is not None else None
        matched = known is not None if webhook.video_id is not None else await self._runs_as(webhook.execution_id)
        newest = known.attempt if known else None
        make = partial(about, webhook, newest)
        # What names neither itself nor an attempt is about the newest one: a later attempt may well say the same again.
        unnamed = f"newest {newest}" if newest and webhook.key is None else None
        attempt = unnamed if webhook.attempt is None else str(webhook.attempt)
        said = (webhook.purpose, webhook.video_id, attempt, webhook.key or webhook.body_hash)
        try:
            return await self._store(webhook, receipt_id_of(*said), matched, make)
        except ReceiptTakenError as taken:
            if taken.body_hash == webhook.body_hash:
                self._count(webhook, "repeated")
                _warn_of_repeat(webhook, known)
                return Received(receipt_id_of(*said), taken.matched)
        # A key that its sender uses for different news must not make us lose any.
        log.warning("webhook.key_reused", purpose=webhook.purpose, video_id=webhook.video_id)
        other = receipt_id_of(*said, webhook.body_hash)
        try:
            return await self._store(webhook, other, matched, make)
        except ReceiptTakenError as taken:
            self._count(webhook, "repeated")
            return Received(other, taken.matched)

    async def _store(self, webhook: Webhook, receipt_id: str, matched: bool, make: Callable[[str], Event]) -> Received:
        await self._receipts.add(webhook.receipt(receipt_id, matched), make(receipt_id))
        self._count(webhook, "stored" if matched else "unmatched")
        return Received(receipt_id, matched)

    async def _runs_as(self, execution_id: str | None) -> bool:
        return execution_id is not None and await self._history.knows_execution(execution_id)

    def _count(self, webhook: Webhook, outcome: str) -> None:
        self._metrics.webhooks.labels(purpose=webhook.purpose, outcome=outcome).inc()


def _warn_of_repeat(webhook: Webhook, known: Known | None) -> None:
    """Say that a key which is the same for every attempt hides what is reported about the later ones."""
    if webhook.key is not None and webhook.attempt is None and known is not None and known.attempt > 1:
        log.warning("webhook.repeat_after_retry", purpose=webhook.purpose, video_id=webhook.video_id)


def _completion(webhook: Webhook, newest: int | None, receipt_id: str) -> CompletionReported:
    reported = _reported(webhook, receipt_id, "completion_reported")
    return CompletionReported.model_validate({**reported, "newest": newest})


def _workflow_error(webhook: Webhook, _: int | None, receipt_id: str) -> WorkflowErrorReported:
    return WorkflowErrorReported.model_validate(_reported(webhook, receipt_id, "workflow_error_reported"))


def _reported(webhook: Webhook, receipt_id: str, transition: str) -> dict[str, Any]:
    return {
        **webhook.fields,
        "id": event_id(receipt_id, webhook.attempt or 0, transition),
        "receipt_id": receipt_id,
        "video_id": webhook.video_id,
        "attempt": webhook.attempt,
        "execution_id": webhook.execution_id,
    }
