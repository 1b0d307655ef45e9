"""Objects that a workflow put into the bucket and no attempt takes: media is told, or they would stay for ever."""

import hashlib

from services.generator.attempt import Attempt
from services.generator.domain import News, Outcome
from shared.contracts.events import ResultDiscarded
from shared.contracts.naming import naming

DELETED = "deleted"

_NOT_TAKEN = (Outcome.LATE, Outcome.CONTRADICTION)


def unwanted_key(outcome: Outcome, attempt: Attempt, news: News) -> str | None:
    """Return the key of the object that `news` brought and `attempt` did not take; of what it has, others know."""
    return news.s3_key if outcome in _NOT_TAKEN and news.s3_key != attempt.s3_key else None


def discarded(video_id: str, user_id: str, attempt: int, s3_key: str, reason: str) -> ResultDiscarded:
    """Return the event about the object `s3_key`, with the same id however often it is delivered."""
    return ResultDiscarded(
        **naming(video_id, user_id, attempt, f"discarded:{hashlib.sha256(s3_key.encode()).hexdigest()[:16]}"),
        s3_key=s3_key,
        reason=reason,
    )
