"""What is said of a callback once somebody looked at it."""

from collections.abc import Mapping

from services.generator.attempt import Attempt
from services.generator.domain import Outcome
from shared.access.callback_urls import Purpose
from shared.contracts.events import CallbackJudged, CompletionReported, Event, ProgressReported, WorkflowErrorReported

Report = CompletionReported | WorkflowErrorReported

IN_EFFECT = (Outcome.APPLIED, Outcome.ADOPTED, Outcome.PASSED_ON)

_PURPOSES: Mapping[type[Event], Purpose] = {
    CompletionReported: "complete",
    WorkflowErrorReported: "error",
    ProgressReported: "progress",
}


def judgement(event: Report | ProgressReported, outcome: str, attempt: Attempt | None = None) -> CallbackJudged:
    """Return that `outcome` came of `event`, which is about `attempt`; without a receipt it is for nobody to hear."""
    return CallbackJudged(
        id=f"{event.id}:judged:{outcome}",
        receipt_id=event.receipt_id or "",
        report_id=event.id,
        purpose=_PURPOSES[type(event)],
        outcome=outcome,
        video_id=attempt.video_id if attempt else event.video_id,
        attempt=attempt.attempt if attempt else event.attempt,
    )


def of_the_same(said: CallbackJudged, event: Report) -> CallbackJudged:
    """Return that of `event`, too, came what was said of the same webhook before."""
    about = {"video_id": said.video_id, "attempt": said.attempt}
    return judgement(event, said.outcome).model_copy(update=about)
