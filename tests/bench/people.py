"""People with accounts on the benched gateway, and what they ask for."""

import asyncio
import uuid
from typing import Any

import httpx

from tests.bench.figures import BrokenRun

GENERATE_PATH = "/api/video/generate-video"
GENERATE_BODY: dict[str, Any] = {
    "hook": "What if your first home cost less than your rent?",
    "body": "Rates have moved, and three programmes now pay part of the deposit. " * 12,
    "conclusion": "Call us this week and we will go through your numbers together.",
    "company_name": "Harbour & Hill Lending",
    "social_handles": "@harbourhill",
    "license": "NMLS 1234567",
    "avatar_title": "avatar-nobody",
    "avatar_body": "avatar-nobody",
    "avatar_conclusion": "avatar-nobody",
    "email": "bench@example.com",
    "title": "First home",
}
"""A request of about 1.3 KB, the size of a usual script."""


async def log_in(gateway_url: str, count: int) -> list[str]:
    """Register `count` people and return an access token of each. Raises BrokenRun."""
    async with httpx.AsyncClient(base_url=gateway_url, timeout=30, trust_env=False) as client:
        return list(await asyncio.gather(*(_token(client) for _ in range(count))))


async def _token(client: httpx.AsyncClient) -> str:
    who = {"email": f"bench-{uuid.uuid4().hex}@example.com", "password": uuid.uuid4().hex}
    registered = await client.post("/api/auth/register", json={**who, "name": "Bench"})
    logged_in = await client.post("/api/auth/login", json=who)
    for answer in (registered, logged_in):
        if not answer.is_success:
            raise BrokenRun(f"{answer.url} answered {answer.status_code}: {answer.text[:300]}")
    return str(logged_in.json()["data"]["accessToken"])
