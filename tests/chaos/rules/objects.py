"""The bucket and the records say the same."""

from collections.abc import Iterator

from tests.chaos.evidence import Evidence, Stored, Violation

_GONE = frozenset({"deleted", "cancelled"})


def recorded(evidence: Evidence) -> Iterator[Violation]:
    """No object lies in the bucket that no record names."""
    claimed = {claim["_id"].removesuffix(".mp4"): claim["videoId"] for claim in evidence.stored.claims}
    for key in orphans(evidence.stored):
        video = claimed.get(key.rpartition(".")[0], key)
        yield Violation("objects.recorded", video, f"{key} lies in the bucket, and no record names it")


def stored(evidence: Evidence) -> Iterator[Violation]:
    """What a record names is there, with the size the record says."""
    objects = evidence.stored.objects
    for asset in evidence.stored.assets:
        if asset["state"] != "ready":
            continue
        size = objects.get(asset.get("key", ""))
        if size is None:
            yield Violation("objects.stored", asset["_id"], f"its file {asset.get('key')} is missing")
        elif size != asset["metadata"]["size"]:
            yield Violation("objects.stored", asset["_id"], f"its file has {size} bytes, its record says otherwise")
        if asset.get("posterKey") and asset["posterKey"] not in objects:
            yield Violation("objects.stored", asset["_id"], f"its poster {asset['posterKey']} is missing")


def closed(evidence: Evidence) -> Iterator[Violation]:
    """No multipart upload was left open."""
    for key in evidence.stored.uploads:
        yield Violation("objects.closed", key, "a multipart upload to it was never ended")


def orphans(stored: Stored) -> list[str]:
    """Return the keys of objects that no record in force names."""
    named = {asset.get(name) for asset in stored.assets if asset["state"] not in _GONE for name in ("key", "posterKey")}
    return sorted(key for key in stored.objects if key not in named)
