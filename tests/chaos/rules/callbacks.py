"""Paid work is started once per attempt, and no accepted webhook vanishes."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator

from tests.chaos.evidence import Evidence, Json, Violation

_RECEIPT = re.compile(r'"receiptId"\s*:\s*"([^"]+)"')
_STORED = frozenset({"complete", "error"})
_NO_END = (None, "held")
_IN_EFFECT = ("applied", "adopted", "passed_on")


def paid_once(evidence: Evidence) -> Iterator[Violation]:
    """The workflow engine started at most one run for each attempt of each video."""
    runs: dict[tuple[str, int], list[str]] = defaultdict(list)
    for run in evidence.stored.executions:
        runs[run.get("videoId") or "", run.get("attempt") or 0].append(run["id"])
    for (video, attempt), ids in runs.items():
        if len(ids) > 1:
            yield Violation("callbacks.paid_once", video, f"attempt {attempt} was started as executions {ids}")


def judged(evidence: Evidence) -> Iterator[Violation]:
    """Every webhook that was answered 2xx is stored, and something came of it.

    A stranger's is in quarantine, unless an operator attached it.
    """
    receipts = {document["_id"]: document for document in evidence.stored.receipts}
    for receipt, video in _accepted(evidence):
        stored = receipts.get(receipt)
        if stored is None:
            yield Violation("callbacks.judged", video, f"webhook {receipt} was accepted, and is not stored")
    for receipt, stored in receipts.items():
        outcome = stored.get("outcome")
        if outcome in _NO_END:
            about = str(stored.get("videoId") or stored.get("executionId"))
            what = f"webhook {receipt} ({stored['purpose']}) ended as {outcome}"
            yield Violation("callbacks.judged", about, what)
    receipts_attached = {receipt for receipt, _ in _attached(evidence)}
    for receipt, stranger in _strangers(evidence):
        outcome = receipts.get(receipt, {}).get("outcome")
        if outcome != "quarantined" and receipt not in receipts_attached:
            what = f"webhook {receipt} is about nothing of ours, and ended as {outcome}"
            yield Violation("callbacks.judged", stranger, what)


def effective(evidence: Evidence) -> Iterator[Violation]:
    """What was accepted counts, unless its attempt had ended otherwise by its owner or the workflow itself.

    An error may be in quarantine instead: it need not name its video. What an operator attached elsewhere counts there,
    and an operator may have ended the attempt.
    """
    attempts, attached = evidence.attempts(), _attached(evidence)
    quarantined = {one["_id"] for one in evidence.stored.receipts if one.get("outcome") == "quarantined"}
    elsewhere = quarantined | {receipt for receipt, _ in attached}
    ended = {video for _, video in attached}
    for run in evidence.stored.executions:
        delivered = {purpose for purpose, _ in _promised(run)}
        counting = {purpose for purpose, receipt in _promised(run) if purpose != "error" or receipt not in elsewhere}
        attempt = attempts.get((run.get("videoId") or "", run.get("attempt") or 0))
        if not counting:
            continue
        if attempt is None:
            yield Violation("callbacks.effective", str(run.get("videoId")), f"nobody knows execution {run['id']}")
        elif attempt["state"] == "given_up" or (
            attempt["state"] == "failed" and "error" not in delivered and attempt["videoId"] not in ended
        ):
            named = " and ".join(sorted(counting))
            what = f"{named} of execution {run['id']} was accepted, and its attempt is {attempt['state']}"
            yield Violation("callbacks.effective", attempt["videoId"], what)


def counted_once(evidence: Evidence) -> Iterator[Violation]:
    """One webhook had an effect on one attempt at most, whoever it was attached to meanwhile."""
    effects: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for entry in evidence.stored.webhooks:
        if entry.get("outcome") in _IN_EFFECT:
            effects[entry["_id"].split(":")[1]].add((entry["videoId"], entry["attempt"]))
    for receipt, attempts in effects.items():
        if len(attempts) > 1:
            yield Violation("callbacks.counted_once", min(attempts)[0], f"{receipt} counted for {sorted(attempts)}")


def _attached(evidence: Evidence) -> set[tuple[str, str]]:
    """Return the receipts that operators attached to videos; where no answer came, they may have."""
    calls = evidence.calls("attach")
    return {(call["receipt"], call["video"]) for call in calls if call["status"] not in (404, 409)}


def _accepted(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Yield (receiptId, what it is about) of every webhook that somebody was promised."""
    for run in evidence.stored.executions:
        for _, receipt in _promised(run):
            if receipt is not None:
                yield receipt, str(run.get("videoId"))
    yield from _strangers(evidence)


def _strangers(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Yield (receiptId, its name) of every webhook that no workflow of ours sent and that was accepted."""
    for call in evidence.calls("webhook"):
        if call["status"] == 202:
            yield call["data"]["receiptId"], json.dumps(call.get("name"))


def _promised(run: Json) -> Iterator[tuple[str, str | None]]:
    """Yield (purpose, receiptId if it was heard) of what the run reported with success; of progress not all is kept."""
    for sent in run.get("callbacks", []):
        for attempt in filter(_taken, sent["tries"]):
            found = _RECEIPT.search(attempt.get("answer") or "")
            if sent["purpose"] in _STORED:
                yield sent["purpose"], found[1] if found else None


def _taken(attempt: Json) -> bool:
    return 200 <= (attempt.get("status") or 0) < 300
