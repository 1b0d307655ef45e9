"""The keeping of timelines: what is told becomes entries, once each, as long as there is a video they are about."""

from collections import OrderedDict
from dataclasses import replace

from services.gateway.store.receipts import Kept, Receipts
from services.gateway.store.timeline import Entries
from services.gateway.store.videos import Videos
from services.gateway.timeline.entry import Entry, Weight
from services.gateway.timeline.tellers import entry_of, trace_of, webhook_id
from shared.contracts.events import CallbackJudged, CompletionReported, Event, WorkflowErrorReported

REMEMBERED = 10_000
LOOKS_PER_LIMIT = 10

_RECEIVED = {
    "complete": "The workflow reported how this ended.",
    "error": "The workflow reported an error.",
    "progress": "The workflow reported its first progress.",
}


class Chronicle:
    """Hears of everything. Each method is safe to repeat and right in any order."""

    def __init__(self, entries: Entries, videos: Videos, receipts: Receipts, most: int) -> None:
        """`most` is about how many entries a video may have, its corners not counted."""
        self._entries = entries
        self._videos = videos
        self._receipts = receipts
        self._most = most
        self._look_every = max(1, most // LOOKS_PER_LIMIT)
        self._heard: OrderedDict[str, None] = OrderedDict()
        self._new: OrderedDict[str, int] = OrderedDict()

    async def hear(self, event: Event) -> None:
        """Keep what `event` tells, if anything."""
        entry = entry_of(event)
        if entry is not None and entry.video_id and entry.id not in self._heard:
            await self._keep(entry)
            if isinstance(event, CompletionReported | WorkflowErrorReported) and event.replaces is not None:
                await self._entries.passed_on_again(webhook_id(event.receipt_id, event.replaces))
            _remember(self._heard, entry.id)

    async def judged(self, event: CallbackJudged) -> None:
        """Note what came of a webhook, and the webhook itself where only now it is known what it was about."""
        entry_id = webhook_id(event.receipt_id, event.report_id)
        if await self._entries.judge(entry_id, event) or event.video_id is None:
            return
        kept = await self._receipts.kept(event.receipt_id)
        if kept is not None:
            await self._keep(_received(entry_id, event, event.video_id, kept))
            await self._entries.judge(entry_id, event)

    async def forget(self, video_id: str) -> None:
        """Erase the timeline of a deleted video; what is told of it later is not kept."""
        await self._entries.erase(video_id)

    async def _keep(self, entry: Entry) -> None:
        if entry.attempt is None:
            known = await self._videos.known(entry.video_id)
            entry = replace(entry, attempt=known.attempt if known else 1)
        is_new = await self._entries.add(entry)
        # Looked at afterwards: whoever deletes the video from now on erases this entry, too.
        if await self._videos.known(entry.video_id) is None:
            await self._entries.erase(entry.video_id)
        elif is_new and self._is_time_to_look(entry.video_id):
            await self._entries.drop_beyond(entry.video_id, self._most)

    def _is_time_to_look(self, video_id: str) -> bool:
        """Return True at a video's first entry that this process keeps, and at each so-manieth one after it."""
        count = self._new.get(video_id, 0)
        self._new[video_id] = count + 1
        self._new.move_to_end(video_id)
        if len(self._new) > REMEMBERED:
            self._new.popitem(last=False)
        return count % self._look_every == 0


def _received(entry_id: str, event: CallbackJudged, video_id: str, kept: Kept) -> Entry:
    """Return the entry of a webhook that named no video when it came."""
    told = entry_of(kept.report) if kept.report else None
    if told is not None and told.id == entry_id:
        told = replace(told, trace_id=told.trace_id or trace_of(event))
        return told if told.video_id else replace(told, video_id=video_id, attempt=event.attempt)
    return Entry(
        id=entry_id,
        video_id=video_id,
        at=kept.at,
        attempt=event.attempt,
        service="gateway",
        code=f"webhook.{event.purpose}",
        message=_RECEIVED[event.purpose],
        weight=Weight.STEP,
        trace_id=trace_of(event),
        open=True,
    )


def _remember(seen: OrderedDict[str, None], entry_id: str) -> None:
    seen[entry_id] = None
    if len(seen) > REMEMBERED:
        seen.popitem(last=False)
