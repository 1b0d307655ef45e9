"""What people do about webhooks that found no video by themselves: look, attach, replay, discard."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import structlog

from services.gateway.outcomes import Settled, of
from services.gateway.store.history import History
from services.gateway.store.receipts import Receipts, passed_on
from services.gateway.store.videos import Known, Videos
from shared.contracts.events import CompletionReported, WorkflowErrorReported, again_id
from shared.contracts.wire import utc_now
from shared.delivery.outbox import Document

State = Literal["unmatched", "held", "quarantined", "discarded", "all"]

_OUTCOMES: Mapping[State, tuple[str, ...] | None] = {
    "unmatched": of(Settled.HELD, Settled.UNPLACED),
    "held": of(Settled.HELD),
    "quarantined": ("quarantined",),
    "discarded": ("discarded",),
    "all": None,
}

log = structlog.get_logger(__name__)


class UnknownCallbackError(Exception):
    """No such webhook is kept (any more)."""


class UnknownVideoError(Exception):
    """There is no such video to attach a webhook to, or not that attempt of it."""


class NotRenderedError(Exception):
    """The video was imported: no workflow ran for it that a webhook could be about."""


class CallbackSettledError(Exception):
    """The webhook has had its effect, or is about to: `outcome` says which, None where nothing was said yet."""

    def __init__(self, outcome: str | None) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class OvertakenError(Exception):
    """Somebody else changed the webhook in the same moment."""


class CannotPassOnError(Exception):
    """Progress reports are not kept to be passed on again."""


@dataclass(frozen=True, slots=True)
class Callback:
    """A kept webhook as people look at it."""

    document: Document

    @property
    def shown(self) -> dict[str, Any]:
        """Return everything but the body."""
        hidden = ("body", "bodyHash", "passedOn", "outbox", "outboxAt", "relay", "job", "traceparent", "_id")
        kept = {name: value for name, value in self.document.items() if name not in hidden}
        return {"receiptId": self.document["_id"], "outcome": None, **kept}

    @property
    def whole(self) -> dict[str, Any]:
        """Return the body, too, as the text that came."""
        return {**self.shown, "body": bytes(self.document["body"]).decode(errors="replace")}


class Quarantine:
    """Every method but `listed` raises UnknownCallbackError."""

    def __init__(self, receipts: Receipts, videos: Videos, history: History) -> None:
        self._receipts = receipts
        self._videos = videos
        self._history = history

    async def listed(self, state: State, limit: int) -> list[Callback]:
        """Return the newest webhooks in `state`."""
        return [Callback(document) for document in await self._receipts.newest(_OUTCOMES[state], limit)]

    async def find(self, receipt_id: str) -> Callback:
        """Return one webhook."""
        document = await self._receipts.find(receipt_id)
        if document is None:
            raise UnknownCallbackError
        return Callback(document)

    async def attach(self, receipt_id: str, video_id: str, attempt: int | None) -> None:
        """Have the webhook judged as one about `attempt` (the newest that a workflow works on where None) of a video.

        Raises UnknownVideoError, NotRenderedError, CannotPassOnError, CallbackSettledError, OvertakenError.
        """
        receipt = (await self.find(receipt_id)).document
        known = await self._videos.known(video_id)
        if known is None or (attempt or 1) > known.attempt:
            raise UnknownVideoError
        if not known.rendered:
            raise NotRenderedError
        rendered = attempt or await self._rendered(video_id, known)
        about = {"videoId": video_id, "attempt": rendered, "matched": True}
        await self._pass_on_again(receipt, about)
        log.info("callback.attached", receipt=receipt_id, video_id=video_id, attempt=rendered)

    async def replay(self, receipt_id: str) -> None:
        """Have the webhook judged once more. Raises CannotPassOnError, CallbackSettledError, OvertakenError."""
        await self._pass_on_again((await self.find(receipt_id)).document, {})
        log.info("callback.replayed", receipt=receipt_id)

    async def discard(self, receipt_id: str) -> None:
        """Close a webhook that nobody could place. Raises CallbackSettledError, OvertakenError."""
        receipt = (await self.find(receipt_id)).document
        outcome = receipt.get("outcome")
        if outcome not in of(Settled.UNPLACED):
            raise CallbackSettledError(outcome)
        if not await self._receipts.discard(receipt):
            raise OvertakenError
        log.info("callback.discarded", receipt=receipt_id)

    async def _rendered(self, video_id: str, known: Known) -> int:
        """Return the newest attempt that a workflow worked on: the generator knows of no other."""
        rendered = await self._history.last_rendered(video_id) if known.restart == "transfer" else None
        return rendered or known.attempt

    async def _pass_on_again(self, receipt: Document, about: Mapping[str, Any]) -> None:
        event = passed_on(receipt)
        if not isinstance(event, CompletionReported | WorkflowErrorReported):
            raise CannotPassOnError
        outcome = receipt.get("outcome")
        if outcome is None or outcome in of(Settled.IN_EFFECT):
            raise CallbackSettledError(outcome)
        # Judged already under its own id, it is a new event to those who keep what they could not place.
        news = {"id": again_id(event.id, receipt.get("tries", 0) + 1), "time": utc_now(), "replaces": event.id}
        news["reported_at"] = event.reported_at or event.time
        if about:
            news |= {"video_id": about["videoId"], "attempt": about["attempt"]}
        again = event.model_copy(update=news)
        if not await self._receipts.pass_on_again(receipt, again, about):
            raise OvertakenError
