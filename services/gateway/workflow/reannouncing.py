"""Asking again: a broker can lose what it has confirmed, so whoever made a promise asks until the answer is known.

What is asked again has the same id. Whoever acted on it long ago tells its answer once more, and so on down the line:
the generator what the workflow came to, media what became of the file, the notifier what its user was told.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from services.gateway.domain import FOREVER, Stage, told_enough
from services.gateway.outcomes import is_answer
from services.gateway.store.receipts import passed_on
from services.gateway.store.view_documents import to_video
from services.gateway.workflow.asking import asked, deleted, unanswered
from shared.contracts.events import Event
from shared.delivery.leases import Lease, backoff
from shared.delivery.outbox import Document, Outbox
from shared.wiring.metrics import Metrics
from shared.wiring.tracing import enter_trace

Unanswered = Callable[[Document], Sequence[Event]]
"""Returns the events that a document still waits for an answer to, none where it has one."""

Noting = Callable[[Document, timedelta], Document]
"""Returns the update of a document that was asked about again, and now has that long to wait for its answer."""

FAR_BEHIND = timedelta(seconds=30)

log = structlog.get_logger(__name__)


class Reannouncing:
    """The jobs `reannounce` of one collection; waits from `first` to `most` lie between two times of asking."""

    def __init__(
        self,
        outbox: Outbox,
        unanswered: Unanswered,
        metrics: Metrics,
        *,
        first: timedelta,
        most: timedelta,
        noting: Noting = lambda *_: {},
    ) -> None:
        self._outbox = outbox
        self._unanswered = unanswered
        self._metrics = metrics
        self._first = first
        self._most = most
        self._noting = noting

    async def work(self, lease: Lease) -> None:
        """Publish again what has no answer yet."""
        events = self._unanswered(lease.document)
        wait = backoff(lease.tries, first=self._first, most=self._most)
        if not events:
            await lease.finish()
        elif "outboxAt" in lease.document:
            await lease.again(wait)  # the last time of asking has not been published
        else:
            enter_trace(lease.document.get("traceparent"))
            await lease.again(wait, self._outbox.carry(self._noting(lease.document, wait), *events))
            self._outbox.nudge(lease.id)
            self._tell(lease, events)

    def _tell(self, lease: Lease, events: Sequence[Event]) -> None:
        names = [type(event).__name__ for event in events]
        for name in names:
            self._metrics.reannounced.labels(type=name).inc()
        log.info("reannounced", types=names, tries=lease.tries)


def hears(behind: Callable[[], timedelta]) -> Callable[[], bool]:
    """Return what says whether to ask now: not while this service is far `behind` with what it is told.

    The answers may well wait to be heard, and each time of asking makes more of them.
    """
    return lambda: behind() <= FAR_BEHIND


def unanswered_video(document: Document) -> Sequence[Event]:
    """Return what was asked about a video, until its owner was told how that ended.

    Its owner is told of a deletion by media's answer alone, so the generator has one of its own.
    """
    told = told_enough(document["order"], document.get("toldOrder", 0))
    if document["order"] >= FOREVER:
        known = told and document.get("workflowRemoved")
        return () if known else (deleted(document["_id"], document["userId"], document["attempt"]),)
    if told and document.get("stage") != Stage.ADOPTING:  # there, its owner waits for another end than it was told of
        return ()
    video = to_video(document)
    to_be_told = video.unanswered and document.get("toldOrder", 0) < video.order
    return (*asked(video), unanswered(video, video.updated_at)) if to_be_told else asked(video)


def unanswered_receipt(document: Document) -> Sequence[Event]:
    """Return the callback a webhook became, until something came of it; `held` only says that it will."""
    event = None if is_answer(document.get("outcome")) else passed_on(document)
    return () if event is None else (event,)
