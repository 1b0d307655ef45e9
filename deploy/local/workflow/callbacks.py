"""Tells the caller: posts callbacks, and repeats them as a well-made n8n workflow does."""

import asyncio
import contextlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx

from deploy.local.workflow.executions import CallbackRecord, Execution, ExecutionStore, Purpose, Try, now
from deploy.local.workflow.fault_book import FaultBook
from deploy.local.workflow.faults import CallbackAuth, CallbackNever
from deploy.local.workflow.settings import WorkflowSettings
from deploy.local.workflow.signatures import signature_headers

_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.5, 20.0
_WORTH_REPEATING = frozenset({408, 409, 425, 429})
_QUICK_TIMEOUT_SECONDS = 3.0
_TRIES_KEPT = 50
_ANSWER_KEPT = 300


@dataclass(frozen=True)
class _Target:
    """Where a callback goes and how it proves who sends it."""

    url: str
    auth: str


class Callbacks:
    """Sends the callbacks of executions and writes down how each went."""

    def __init__(
        self, client: httpx.AsyncClient, store: ExecutionStore, book: FaultBook, settings: WorkflowSettings
    ) -> None:
        self._client, self._store, self._book = client, store, book
        self._secret = settings.webhook_secret.get_secret_value()
        self._error_url = settings.error_url
        self._timeout_seconds = settings.callback_timeout.total_seconds()
        self._patience_seconds = settings.callback_patience.total_seconds()

    async def send(
        self, execution: Execution, purpose: Purpose, body: dict[str, Any], key: str, once: bool = False
    ) -> CallbackRecord | None:
        """Post `body` until it is answered 2xx, refused for good, or hours have passed (`once`: a single try).

        The Idempotency-Key is the same at every try. Returns the record, its outcome decided; None if there is
        nowhere to send it to, or a fault swallows it.
        """
        target = self._target(execution, purpose)
        if target is None or self._swallowed(execution, purpose):
            return None
        record = CallbackRecord(
            purpose=purpose, url=_without_query(target.url), idempotency_key=key, auth=target.auth, body=body
        )
        execution.callbacks.append(record)
        if once:
            await self._try_once(execution, record, target)
        else:
            await self._repeat(execution, record, target)
        return record

    def readdress(self, execution: Execution) -> None:
        """Call back to where failures go: after another start the caller may listen on another port than before."""
        urls = execution.body.get("callbacks")
        if self._error_url and isinstance(urls, dict):
            here = urlsplit(self._error_url)
            for purpose, url in urls.items():
                with contextlib.suppress(ValueError):  # what is no address stays one that nobody is reached at
                    if isinstance(url, str):
                        urls[purpose] = urlunsplit(urlsplit(url)._replace(scheme=here.scheme, netloc=here.netloc))

    def _target(self, execution: Execution, purpose: Purpose) -> _Target | None:
        url = execution.callback_url(purpose)
        if url is None:
            return _Target(self._error_url, "secret") if purpose == "error" and self._error_url else None
        fault = self._book.strike(CallbackAuth, execution.names)
        if fault is None:
            return _Target(url, "token")
        return _Target(_wrong_token(url) if fault.auth == "wrong-token" else _without_query(url), fault.auth)

    def _swallowed(self, execution: Execution, purpose: Purpose) -> bool:
        fault = self._book.look(CallbackNever, execution.names)
        if fault is None or purpose not in fault.purposes:
            return False
        return self._book.strike(CallbackNever, execution.names) is not None

    async def _try_once(self, execution: Execution, record: CallbackRecord, target: _Target) -> None:
        attempt, _ = await self._try(record, target, _QUICK_TIMEOUT_SECONDS)
        record.tries.append(attempt)
        record.outcome = "delivered" if _judge(attempt) == "delivered" else "gave-up"
        self._store.save(execution)

    async def _repeat(self, execution: Execution, record: CallbackRecord, target: _Target) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_seconds
        for wait_seconds in _waits():
            attempt, retry_after = await self._try(record, target, self._timeout_seconds)
            record.tries = [*record.tries, attempt][-_TRIES_KEPT:]
            record.outcome = _judge(attempt)
            pause = max(wait_seconds, retry_after)
            if record.outcome == "pending" and loop.time() + pause > deadline:
                record.outcome = "gave-up"
            self._store.save(execution)
            if record.outcome != "pending":
                return
            await asyncio.sleep(pause)

    async def _try(self, record: CallbackRecord, target: _Target, timeout: float) -> tuple[Try, float]:
        content = json.dumps(record.body, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {
            "content-type": "application/json; charset=utf-8",
            "idempotency-key": record.idempotency_key,
            **self._proof(target.auth, record.idempotency_key, content),
        }
        at = now()
        try:
            response = await self._client.post(target.url, content=content, headers=headers, timeout=timeout)
        except (httpx.HTTPError, httpx.InvalidURL, AttributeError) as problem:
            # AttributeError is anyio's way to say that the connection was reset as soon as it was made.
            return Try(at=at, error=f"{type(problem).__name__}: {problem}"), 0.0
        return Try(at=at, status=response.status_code, answer=response.text[:_ANSWER_KEPT]), _retry_after(response)

    def _proof(self, auth: str, message_id: str, content: bytes) -> dict[str, str]:
        if auth == "secret":
            return {"x-webhook-secret": self._secret}
        if auth == "wrong-secret":
            return {"x-webhook-secret": "not-the-secret"}
        if auth == "signature":
            return signature_headers(self._secret, message_id, content)
        if auth == "wrong-signature":
            return signature_headers("not-the-secret", message_id, content)
        return {}


def _waits() -> Iterator[float]:
    """Yield the seconds to wait after each try: doubling, with some jitter, up to a bound, for ever."""
    wait_seconds = _FIRST_WAIT_SECONDS
    while True:
        yield wait_seconds * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards nothing
        wait_seconds = min(_LONGEST_WAIT_SECONDS, wait_seconds * 2)


def _judge(attempt: Try) -> Literal["pending", "delivered", "refused"]:
    if attempt.status is None or attempt.status >= 500 or attempt.status in _WORTH_REPEATING:
        return "pending"
    return "delivered" if 200 <= attempt.status < 300 else "refused"


def _retry_after(response: httpx.Response) -> float:
    seconds = response.headers.get("retry-after", "")
    return min(60.0, float(seconds)) if seconds.isdigit() else 0.0


def _without_query(url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(query="", fragment=""))


def _wrong_token(url: str) -> str:
    """Return `url` with every value of its query turned round: the right shape, the wrong token."""
    parts = urlsplit(url)
    wrong = [(name, value[::-1] if value != value[::-1] else value + "x") for name, value in parse_qsl(parts.query)]
    return urlunsplit(parts._replace(query=urlencode(wrong)))
