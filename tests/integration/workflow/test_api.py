"""n8n's public API of the engine: what it tells of executions, and how it stops them."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.driving import eventually
from tests.integration.workflow.conftest import EngineProcess, Job, Post, running_engine

NewJob = Callable[[EngineProcess], Job]

LONG = "A long sentence to be shown. " * 200


async def test_the_public_api_tells_about_executions(tmp_path: Path, new_job: NewJob) -> None:
    key = {"x-n8n-api-key": "the-key"}
    with running_engine(tmp_path, WORKFLOW_API_KEY="the-key") as engine:
        assert (await engine.http.get("/api/v1/executions")).status_code == 401
        wrong = await engine.http.get("/api/v1/executions", headers={"x-n8n-api-key": "no"})
        assert (wrong.status_code, wrong.json()) == (401, {"message": "Unauthorized"})

        done, failed = new_job(engine), new_job(engine)
        await failed.fault({"kind": "fail", "message": "No avatar"})
        for job in (done, failed):
            await job.call()
            await eventually(job.ended, "the run ends")

        listed = (await engine.http.get("/api/v1/executions", headers=key)).json()
        assert [one["status"] for one in listed["data"]] == ["error", "success"]
        assert listed["nextCursor"] is None
        page = (await engine.http.get("/api/v1/executions?limit=1", headers=key)).json()
        rest = await engine.http.get(f"/api/v1/executions?limit=1&cursor={page['nextCursor']}", headers=key)
        assert [one["id"] for one in page["data"] + rest.json()["data"]] == [one["id"] for one in listed["data"]]
        only = (await engine.http.get("/api/v1/executions?status=error&includeData=true", headers=key)).json()["data"]
        assert [one["data"]["resultData"]["error"]["message"] for one in only] == ["No avatar"]

        execution_id = (await done.run())["id"]
        shown = (await engine.http.get(f"/api/v1/executions/{execution_id}?includeData=true", headers=key)).json()
        assert (shown["id"], shown["finished"], shown["mode"]) == (execution_id, True, "webhook")
        nodes = shown["data"]["resultData"]["runData"]
        assert nodes["Webhook"][0]["data"]["main"][0][0]["json"]["body"]["requestId"] == f"video_{done.name}"
        assert nodes["Render"][0]["data"]["main"][0][0]["json"]["videoUrl"].endswith(f"/files/{execution_id}.mp4")
        assert "token" not in json.dumps(shown)
        assert (await engine.http.get("/api/v1/executions/77", headers=key)).status_code == 404
        report = nodes["Report"][0]["data"]["main"][0][0]["json"]
        assert report == done.posts("complete")[0].body
        assert (await engine.http.post(f"/api/v1/executions/{execution_id}/stop", headers=key)).status_code == 409
        nothing = await engine.http.post("/api/v1/executions/77/stop", headers=key)
        assert (nothing.status_code, nothing.json()) == (404, {"message": "Failed to find execution to stop"})


async def test_what_runs_is_listed_only_where_it_is_asked_for(engine: EngineProcess, job: Job) -> None:
    await job.fault({"kind": "slow", "seconds": 60})
    execution_id = (await job.call()).json()["executionId"]

    async def listed(query: str) -> list[str]:
        answer = await engine.http.get(f"/api/v1/executions{query}")
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["data"]]

    assert execution_id not in await listed("")
    assert execution_id in await listed("?status=running")
    assert execution_id not in await listed("?status=waiting")
    await engine.http.post(f"/api/v1/executions/{execution_id}/stop")
    assert execution_id in await listed("")
    assert execution_id in await listed("?status=canceled")
    assert execution_id not in await listed("?status=running")


async def test_what_runs_shows_the_call_it_answers_and_nothing_else(engine: EngineProcess, job: Job) -> None:
    await job.fault({"kind": "slow", "seconds": 60})
    execution_id = (await job.call()).json()["executionId"]
    shown = (await engine.http.get(f"/api/v1/executions/{execution_id}?includeData=true")).json()
    assert (shown["status"], shown["finished"], shown["stoppedAt"]) == ("running", False, None)
    assert shown["data"]["resultData"] == {"runData": {}}
    (waiting,) = shown["data"]["executionData"]["nodeExecutionStack"]
    call = waiting["data"]["main"][0][0]["json"]
    assert call["headers"]["idempotency-key"] == f"video_{job.name}:1"
    assert (call["body"]["requestId"], call["body"]["attempt"]) == (f"video_{job.name}", 1)
    assert "token" not in json.dumps(shown)
    await engine.http.post(f"/api/v1/executions/{execution_id}/stop")


async def test_a_cursor_of_somebody_elses_is_refused(engine: EngineProcess) -> None:
    for cursor in ("7", "e30=", "?"):
        answer = await engine.http.get("/api/v1/executions", params={"cursor": cursor})
        assert (answer.status_code, answer.json()) == (400, {"message": "An invalid cursor was provided"})


async def test_a_run_can_be_stopped_and_nobody_is_called(engine: EngineProcess, job: Job) -> None:
    await job.fault({"kind": "slow", "seconds": 60})
    execution_id = (await job.call()).json()["executionId"]
    await eventually(_posted(lambda: job.posts("progress")), "the run is on its way")
    stopped = (await engine.http.post(f"/api/v1/executions/{execution_id}/stop")).json()
    assert (stopped["status"], stopped["finished"], stopped["mode"]) == ("canceled", False, "webhook")
    assert stopped["stoppedAt"] is not None
    assert job.posts("complete", "error") == []
    again = await engine.http.post(f"/api/v1/executions/{execution_id}/stop")
    assert again.status_code == 409
    assert again.json()["message"].endswith(f"{execution_id} is currently canceled")


async def test_a_stop_ends_the_render_and_frees_its_place(tmp_path: Path, new_job: NewJob) -> None:
    with running_engine(tmp_path, WORKFLOW_CONCURRENCY="1", WORKFLOW_FRAME_SIZE="1280x720") as engine:
        rendering, waiting, last = new_job(engine), new_job(engine), new_job(engine)
        for job, body in ((rendering, LONG), (waiting, LONG), (last, "")):
            assert (await job.call(body=body)).status_code == 202
        await eventually(lambda: _drafts(tmp_path), "the first is being rendered")
        for job in (waiting, rendering):
            execution_id = (await job.run())["id"]
            assert (await engine.http.post(f"/api/v1/executions/{execution_id}/stop")).status_code == 200
        assert (await eventually(last.ended, "the last one has its place"))["status"] == "success"
        assert [(await job.run())["status"] for job in (rendering, waiting)] == ["canceled", "canceled"]
        assert [file.name for file in (tmp_path / "files").iterdir()] == [f"{(await last.run())['id']}.mp4"]
        assert rendering.posts("complete", "error") == waiting.posts("complete", "error") == []


async def test_a_run_that_only_waits_to_be_heard_can_be_stopped(engine: EngineProcess, job: Job) -> None:
    job.receiver.answers[f"{job.name}/complete"] = [503] * 100
    execution_id = (await job.call()).json()["executionId"]
    await eventually(_posted(lambda: job.posts("complete")), "delivery is tried")
    assert (await engine.http.post(f"/api/v1/executions/{execution_id}/stop")).status_code == 200
    run = await eventually(job.ended, "the run ends")
    assert run["status"] == "canceled"


async def test_an_engine_that_can_not_stop(engine: EngineProcess, job: Job) -> None:
    await job.fault({"kind": "slow", "seconds": 1.5}, {"kind": "cannot-stop"})
    execution_id = (await job.call()).json()["executionId"]
    refused = await engine.http.post(f"/api/v1/executions/{execution_id}/stop")
    assert (refused.status_code, refused.json()) == (404, {"message": "Not Found"})
    assert (await eventually(job.ended, "the run ends"))["status"] == "success"


async def _drafts(folder: Path) -> list[Any]:
    return list((folder / "files").glob("*.part"))


def _posted(look: Callable[[], list[Post]]) -> Callable[[], Awaitable[list[Post]]]:
    async def ask() -> list[Post]:
        return look()

    return ask
