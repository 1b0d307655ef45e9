"""Taking progress reports: the first of each execution is stored, for it may bring the executionId; the rest fly by."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from services.gateway.store.receipts import Receipts, ReceiptTakenError
from services.gateway.store.videos import Videos
from services.gateway.workflow.callbacks import Received, Webhook, receipt_id_of
from shared.contracts.events import Event, ProgressReported, event_id
from shared.wiring.metrics import Metrics

REMEMBERED_RUNS = 10_000

Send = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class _Run:
    received: Received
    user_id: str


class ProgressReports:
    """Passes reports on; `send` neither blocks nor promises delivery."""

    def __init__(self, receipts: Receipts, videos: Videos, send: Send, metrics: Metrics) -> None:
        self._receipts = receipts
        self._videos = videos
        self._send = send
        self._metrics = metrics
        self._runs: OrderedDict[str, _Run] = OrderedDict()

    async def progressed(self, webhook: Webhook) -> Received:
        """Take one report. All reports of one execution share a receipt."""
        receipt_id = receipt_id_of("progress", webhook.video_id, str(webhook.attempt), webhook.execution_id)
        run = self._runs.get(receipt_id)
        if run is None:
            run = await self._look_up(receipt_id, webhook)
            first = _event(event_id(receipt_id, webhook.attempt or 0, "progress_reported"), run, webhook)
            first = first.model_copy(update={"receipt_id": receipt_id})
            try:
                await self._receipts.add(webhook.receipt(receipt_id, run.received.matched), first)
            except ReceiptTakenError:
                self._remember(receipt_id, run)
            else:
                self._remember(receipt_id, run)
                self._metrics.webhooks.labels(purpose="progress", outcome="stored").inc()
                return run.received
        self._send(_event(uuid4().hex, run, webhook))
        self._metrics.webhooks.labels(purpose="progress", outcome="passed_on").inc()
        return run.received

    async def _look_up(self, receipt_id: str, webhook: Webhook) -> _Run:
        known = await self._videos.known(webhook.video_id or "")
        return _Run(Received(receipt_id, known is not None), known.user_id if known else "")

    def _remember(self, receipt_id: str, run: _Run) -> None:
        self._runs[receipt_id] = run
        if len(self._runs) > REMEMBERED_RUNS:
            self._runs.popitem(last=False)


def _event(its_id: str, run: _Run, webhook: Webhook) -> ProgressReported:
    return ProgressReported.model_validate(
        {
            **webhook.fields,
            "id": its_id,
            "video_id": webhook.video_id,
            "user_id": run.user_id,
            "attempt": webhook.attempt,
            "execution_id": webhook.execution_id,
        }
    )
