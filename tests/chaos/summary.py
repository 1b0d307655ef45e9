"""What happened in a run, in numbers: a run in which nothing happened proves nothing."""

from collections import Counter

from tests.chaos.evidence import DELETED, Evidence


def summarise(evidence: Evidence) -> list[str]:
    """Return a few lines for people."""
    stored = evidence.stored
    ends = Counter(view["status"] for view in stored.videos)
    codes = Counter(view["error"]["code"] for view in stored.videos if view["status"] == "failed")
    asked = Counter(call["status"] == 202 for call in evidence.calls("ask"))
    attached = sum(call["status"] == 202 for call in evidence.calls("attach"))
    receipts = Counter(receipt.get("outcome", "none") for receipt in stored.receipts)
    attempts = {(run.get("videoId"), run.get("attempt")) for run in stored.executions}
    seen = Counter(entry["what"] for entry in evidence.history)
    return [
        f"disruptions  {_counted(Counter(one['harm'] for one in evidence.entries('disruption')))}",
        f"requests     {len(evidence.accepted())} accepted in {asked[True]} answers, {asked[False]} tries failed",
        f"videos       {ends['ready']} ready, {ends['failed']} failed ({_counted(codes)}), {ends[DELETED]} deleted",
        f"runs         {len(stored.executions)} started for {len(attempts)} attempts",
        f"webhooks     {len(stored.receipts)} stored: {_counted(receipts)}; {attached} attached by operators",
        f"notices      {len(stored.notifications)} stored, {seen['frame']} frames on {seen['stream']} connections",
    ]


def _counted(counter: "Counter[str]") -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common()) or "none"
