"""Kills, stops and restarts; callers who must prove themselves."""

import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from deploy.local.workflow.signatures import signature_headers
from deploy.local.workflow.webhooks import MOST_NESTED
from tests.driving import eventually
from tests.integration.workflow.conftest import SECRET, EngineProcess, Job, Post, Receiver, nested, running_engine

NewJob = Callable[[EngineProcess], Job]


async def test_a_run_that_was_killed_fails_at_the_next_start(tmp_path: Path, new_job: NewJob) -> None:
    with running_engine(tmp_path) as engine:
        job = new_job(engine)
        await job.fault({"kind": "slow", "seconds": 60})
        execution_id = (await job.call()).json()["executionId"]
        await eventually(_posted(lambda: job.posts("progress")), "the run is on its way")
        engine.kill()
    with running_engine(tmp_path) as engine:
        job.engine = engine
        run = await eventually(job.ended, "the run ends")
        assert (run["id"], run["status"]) == (execution_id, "error")
        (post,) = job.posts("error")
        assert post.body == {
            "errorMessage": "Workflow did not finish, possible out-of-memory issue",
            "executionId": execution_id,
        }
        assert post.token == f"{job.name}-token"
        assert int((await new_job(engine).call()).json()["executionId"]) > int(execution_id)
    assert job.posts("complete") == []


async def test_a_result_that_was_not_delivered_yet_is_delivered_after_a_kill(
    tmp_path: Path, new_job: NewJob, receiver: Receiver
) -> None:
    with running_engine(tmp_path) as engine:
        job = new_job(engine)
        receiver.answers[f"{job.name}/complete"] = [503] * 3
        await job.call()
        await eventually(_posted(lambda: job.posts("complete")), "delivery is tried")
        engine.kill()
    receiver.answers[f"{job.name}/complete"] = []
    with running_engine(tmp_path) as engine:
        job.engine = engine
        assert (await eventually(job.ended, "the run ends"))["status"] == "success"
        path = job.posts("complete")[-1].body["videoUrl"].rpartition("/")[2]
        assert (await engine.http.get(f"/files/{path}")).status_code == 200
    assert len({post.headers["idempotency-key"] for post in job.posts("complete")}) == 1
    assert job.posts("error") == []


async def test_a_run_that_a_stop_interrupted_is_rendered_anew_by_the_next(tmp_path: Path, new_job: NewJob) -> None:
    with running_engine(tmp_path) as engine:
        job = new_job(engine)
        await job.fault({"kind": "slow", "seconds": 60})
        execution_id = (await job.call()).json()["executionId"]
        await eventually(_posted(lambda: job.posts("progress")), "the run is on its way")
        assert engine.terminate() == 0
    with running_engine(tmp_path) as engine:
        job.engine = engine
        run = await eventually(job.ended, "the run ends")
        assert (run["id"], run["status"]) == (execution_id, "success")
        (post,) = job.posts("complete")
        assert post.body["executionId"] == execution_id
        assert (await engine.http.get(f"/files/{execution_id}.mp4")).status_code == 200
    reported = [post.body["progress"] for post in job.posts("progress")]
    assert reported == sorted(set(reported)), "each once, none goes back"
    assert reported[-1] == 100
    assert job.posts("error") == []


async def test_a_caller_that_moved_meanwhile_is_called_back_where_it_is_now(
    tmp_path: Path, new_job: NewJob, receiver: Receiver
) -> None:
    with running_engine(tmp_path, WORKFLOW_PACE="100") as engine:
        job = new_job(engine)
        gone = {purpose: url.replace(str(receiver.port), "1") for purpose, url in job.body()["callbacks"].items()}
        await job.call(callbacks=gone)
        assert engine.terminate() == 0
    with running_engine(tmp_path, WORKFLOW_ERROR_URL=f"http://127.0.0.1:{receiver.port}/any") as engine:
        job.engine = engine
        assert (await eventually(job.ended, "the run ends"))["status"] == "success"
    (post,) = job.posts("complete")
    assert post.token == f"{job.name}-token"


async def test_a_run_that_was_taken_up_again_and_then_killed_fails(tmp_path: Path, new_job: NewJob) -> None:
    with running_engine(tmp_path, WORKFLOW_PACE="100") as engine:
        job = new_job(engine)
        await job.call()
        engine.terminate()
    with running_engine(tmp_path, WORKFLOW_PACE="100") as engine:
        job.engine = engine
        assert (await job.run())["status"] == "running"
        engine.kill()
    with running_engine(tmp_path) as engine:
        job.engine = engine
        assert (await eventually(job.ended, "the run ends"))["status"] == "error"
    assert len(job.posts("error")) == 1


async def test_a_file_that_cannot_be_read_keeps_nothing_from_going_on(tmp_path: Path, new_job: NewJob) -> None:
    with running_engine(tmp_path, WORKFLOW_PACE="100") as engine:
        job = new_job(engine)
        deepest = json.loads(nested(MOST_NESTED - 1))
        execution_id = (await job.call(extra=deepest)).json()["executionId"]
        engine.kill()
    (tmp_path / "executions" / "7.json").write_text(f'{{"id": "7", "body": {{"title": {nested(210)}}}}}')
    with running_engine(tmp_path) as engine:
        job.engine = engine
        run = await eventually(job.ended, "the run ends")
        assert (run["id"], run["fields"]["extra"]) == (execution_id, deepest)
        assert (await new_job(engine).call()).json()["executionId"] == "8"


async def test_a_callback_address_that_is_none_keeps_nothing_from_going_on(tmp_path: Path, new_job: NewJob) -> None:
    with running_engine(tmp_path, WORKFLOW_PACE="100") as engine:
        job, broken = new_job(engine), new_job(engine)
        await broken.call(callbacks={"complete": "http://[nowhere"})
        await job.call()
        engine.kill()
    with running_engine(tmp_path, WORKFLOW_ERROR_URL=job.body()["callbacks"]["error"]) as engine:
        job.engine = engine
        assert (await eventually(job.ended, "the run ends"))["status"] == "error"


async def test_it_stops_at_once_and_cleanly(tmp_path: Path, new_job: NewJob) -> None:
    with running_engine(tmp_path, WORKFLOW_FRAME_SIZE="1280x720") as engine:
        job = new_job(engine)
        await job.call(body="A long sentence to be shown. " * 30)
        await eventually(_posted(lambda: job.posts("progress")), "the run is on its way")
        began = time.monotonic()
        assert engine.terminate() == 0
        assert time.monotonic() - began < 5
    stored = [json.loads(file.read_text()) for file in (tmp_path / "executions").glob("*.json")]
    assert [run["status"] for run in stored] == ["new"]
    assert list((tmp_path / "files").iterdir()) == []


async def test_callers_must_prove_themselves_if_asked_to(tmp_path: Path, new_job: NewJob) -> None:
    with running_engine(tmp_path, WORKFLOW_VERIFY="true", WORKFLOW_ANSWER="default") as engine:
        job = new_job(engine)
        refused = await job.call()
        assert (refused.status_code, refused.text) == (403, "Authorization data is wrong!")
        raw = json.dumps(job.body()).encode()
        signed = await engine.http.post(
            "/webhook/generate-video", content=raw, headers=signature_headers(SECRET, "id-1", raw)
        )
        assert (signed.status_code, signed.json()) == (200, {"message": "Workflow was started"})
        calls = (await engine.http.get("/control/calls")).json()["calls"]
        assert [(call["signature"], call["answer"]) for call in calls] == [("none", 403), ("valid", 200)]


async def test_faults_are_set_listed_and_cleared(tmp_path: Path) -> None:
    fault = {"kind": "slow", "seconds": 1.0}
    with running_engine(tmp_path) as engine:
        await engine.http.put("/control/faults", json={"faults": [fault]})
        await engine.http.put("/control/faults", params={"job": "A title / with signs?"}, json={"faults": [fault]})
        assert (await engine.http.get("/control/faults")).json() == {
            "faults": {"*": [fault], "A title / with signs?": [fault]}
        }
        await engine.http.delete("/control/faults", params={"job": "A title / with signs?"})
        assert (await engine.http.get("/control/faults")).json() == {"faults": {"*": [fault]}}
        assert (await engine.http.delete("/control/faults")).json() == {"faults": {}}
        misspelt = await engine.http.put("/control/faults", json={"faults": [{"kind": "slow", "secs": 1}]})
        assert misspelt.status_code == 422


def _posted(look: Callable[[], list[Post]]) -> Callable[[], Awaitable[list[Post]]]:
    async def ask() -> list[Post]:
        return look()

    return ask
