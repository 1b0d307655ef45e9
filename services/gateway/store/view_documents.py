"""How a video looks as a document of `videos`, and back."""

from dataclasses import asdict

from services.gateway.domain import Accepted, Failure, Rank, Stage, Video, VideoRequest, order_of
from shared.contracts.videos import VideoStatus
from shared.delivery.outbox import Document


def slot_of(user_id: str, slot: int) -> str:
    """Return the value of `slot`: unique among all running videos of all users."""
    return f"{user_id}:{slot:06d}"


def slots_of(user_id: str) -> Document:
    """Return the range that holds every slot of this user."""
    return {"$gte": f"{user_id}:", "$lt": f"{user_id};"}


def shelf_of(user_id: str, before: str | None = None) -> Document:
    """Return the range that holds every place on this user's shelf, or those older than position `before`."""
    return {"$gte": f"{user_id}_", "$lt": f"{user_id}_{before}" if before else f"{user_id}`"}


def error_of(failure: Failure) -> Document:
    """Return the value of `error`."""
    return asdict(failure)


def to_document(
    accepted: Accepted, request: VideoRequest, *, slot: int | None, key: str | None, body_hash: str
) -> Document:
    """Return the document of a request that was just accepted."""
    document = {
        "_id": accepted.video_id,
        "shelf": accepted.video_id,
        "userId": request.user_id,
        "kind": request.kind,
        "title": request.title,
        "email": request.email,
        "fields": None if request.fields is None else dict(request.fields),
        "sourceUrl": request.source_url,
        "requestId": accepted.request_id,
        "promisedFor": accepted.estimated_completion,
        "bodyHash": body_hash,
        "key": key,
        "slot": None if slot is None else slot_of(request.user_id, slot),
        "status": VideoStatus.PENDING.value,
        "stage": Stage.QUEUED.value,
        "attempt": 1,
        "order": order_of(1, Rank.REQUESTED),
        "estimatedCompletion": accepted.estimated_completion,
        "expectedSeconds": accepted.expected_seconds,
        "createdAt": accepted.accepted_at,
        "requestedAt": accepted.accepted_at,
        "updatedAt": accepted.accepted_at,
    }
    return {name: value for name, value in document.items() if value is not None}


def accepted_of(document: Document) -> Accepted:
    """Return what the first answer to this request said."""
    return Accepted(
        video_id=document["_id"],
        request_id=document["requestId"],
        kind=document["kind"],
        accepted_at=document["createdAt"],
        estimated_completion=document["promisedFor"],
    )


def to_video(document: Document) -> Video:
    """Return the view a document holds."""
    error = document.get("error")
    return Video(
        video_id=document["_id"],
        user_id=document["userId"],
        kind=document["kind"],
        title=document["title"],
        request_id=document["requestId"],
        status=VideoStatus(document["status"]),
        stage=Stage(document["stage"]),
        attempt=document["attempt"],
        order=document["order"],
        created_at=document["createdAt"],
        updated_at=document["updatedAt"],
        email=document.get("email"),
        fields=document.get("fields"),
        source_url=document.get("sourceUrl"),
        result_url=document.get("resultUrl"),
        result_key=document.get("resultKey"),
        progress=document.get("progress"),
        message=document.get("message"),
        estimated_completion=document.get("estimatedCompletion"),
        expected_seconds=document.get("expectedSeconds"),
        requested_at=document.get("requestedAt"),
        failure=Failure(**error) if error else None,
        restart=document.get("restart"),
        takes_result=document.get("takesResult", False),
        s3_key=document.get("s3Key"),
        poster_key=document.get("posterKey"),
        metadata=document.get("metadata"),
    )
