"""A call, a run, the callbacks: as they should go, and as faults make them go."""

import asyncio
import time

import av
import httpx
import pytest

from deploy.local.workflow.signatures import is_signed
from deploy.local.workflow.webhooks import MOST_NESTED
from tests.driving import eventually
from tests.integration.workflow.conftest import SECRET, EngineProcess, Job, Post, Receiver, nested


async def test_a_script_comes_back_as_a_video(job: Job, tmp_path_factory: pytest.TempPathFactory) -> None:
    answer = await job.call()
    assert answer.status_code == 202
    assert answer.json() == {"message": "Workflow was started", "executionId": answer.json()["executionId"]}
    execution_id = answer.json()["executionId"]
    run = await eventually(job.ended, "the run ends")

    reports = [post.body for post in job.posts("progress")]
    assert len(reports) >= 3
    assert [report["progress"] for report in reports] == sorted(report["progress"] for report in reports)
    assert {(r["videoId"], r["attempt"], r["executionId"]) for r in reports} == {(f"user_{job.name}", 1, execution_id)}

    assert [post.purpose.rpartition("/")[2] for post in job.posts()][-1] == "complete"
    (complete,) = job.posts("complete")
    metadata = complete.body["metadata"]
    assert complete.body == {
        "videoId": f"user_{job.name}",
        "status": "ready",
        "videoUrl": f"{job.engine.url}/files/{execution_id}.mp4",
        "executionId": execution_id,
        "metadata": {"size": metadata["size"], "format": "mp4", "duration": metadata["duration"]},
    }
    assert complete.token == f"{job.name}-token"

    file = tmp_path_factory.mktemp("got") / "video.mp4"
    file.write_bytes((await job.engine.http.get(complete.body["videoUrl"])).content)
    assert file.stat().st_size == metadata["size"]
    with av.open(str(file)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(metadata["duration"], abs=0.1)

    assert (run["status"], run["voice_id"], run["attempt"]) == ("success", "voice-7", 1)
    assert run["idempotencyKey"] == f"video_{job.name}:1"


async def test_a_topic_becomes_a_video_too(job: Job) -> None:
    body = {**job.body(), "title": None, "hook": None, "videoTopic": job.name, "prompt": "Show the street."}
    answer = await job.engine.http.post("/webhook/create-video", json=body)
    assert answer.status_code == 202
    assert (await eventually(job.ended, "the run ends"))["workflow"] == "create-video"


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "nope"), ("GET", "generate-video"), ("POST", "generate-video/x"), ("DELETE", "a")]
)
async def test_an_unknown_webhook_is_not_registered(engine: EngineProcess, method: str, path: str) -> None:
    answer = await engine.http.request(method, f"/webhook/{path}")
    assert answer.status_code == 404
    assert answer.json()["code"] == 404
    assert answer.json()["message"] == f'The requested webhook "{method} {path}" is not registered.'
    assert answer.json()["hint"].startswith("The workflow must be active")


async def test_what_is_not_json_is_refused(engine: EngineProcess) -> None:
    assert (await engine.http.post("/webhook/generate-video", content=b"{")).status_code == 422
    assert (await engine.http.get("/healthz")).json() == {"status": "ok"}


async def test_what_is_no_text_is_refused_and_leaves_no_run(engine: EngineProcess) -> None:
    """Half a surrogate pair could not be written down."""
    before = (await engine.http.get("/control/executions")).json()
    answer = await engine.http.post("/webhook/generate-video", content=rb'{"title": "\ud800"}')
    assert (answer.status_code, answer.json()["message"]) == (422, "Failed to parse request body")
    assert (await engine.http.get("/control/executions")).json() == before


@pytest.mark.parametrize("levels", [MOST_NESTED + 1, 210, 100_000])
async def test_what_is_nested_too_deeply_is_refused(engine: EngineProcess, levels: int) -> None:
    body = nested(levels - 1)
    answer = await engine.http.post("/webhook/generate-video", content=f'{{"title": {body}}}')
    assert (answer.status_code, answer.json()["message"]) == (400, "The request body is nested too deeply")


async def test_a_call_without_a_video_fails_after_it_was_accepted(job: Job, receiver: Receiver) -> None:
    answer = await job.call(videoId="", callbacks={})
    assert answer.status_code == 202

    async def told() -> list[Post]:
        wanted = {"errorMessage": "videoId is required", "executionId": answer.json()["executionId"]}
        return [post for post in receiver.of("nobody", "error") if post.body == wanted]

    (post,) = await eventually(told, "the error workflow calls")
    assert post.headers["x-webhook-secret"] == SECRET


async def test_the_same_call_twice_is_two_runs(job: Job) -> None:
    ids = [(await job.call()).json()["executionId"] for _ in range(2)]
    assert [run["id"] for run in await job.runs()] == ids
    assert ids[0] != ids[1]


# --- the answer to the call -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 404, 429, 500, 503])
async def test_a_refusal_starts_nothing(job: Job, status: int) -> None:
    await job.fault({"kind": "refuse", "status": status, "times": 1, "retryAfter": 3})
    refused = await job.call()
    assert refused.status_code == status
    assert await job.runs() == []
    assert (await job.call()).status_code == 202
    calls = (await job.engine.http.get("/control/calls")).json()["calls"]
    assert [call["answer"] for call in calls if call["videoId"] == f"user_{job.name}"] == [status, 202]


async def test_an_error_after_the_start(job: Job) -> None:
    await job.fault({"kind": "started-error"})
    assert (await job.call()).status_code == 500
    await eventually(job.ended, "the run ends")
    assert len(job.posts("complete")) == 1


async def test_an_answer_that_is_held_back(job: Job) -> None:
    await job.fault({"kind": "started-timeout", "seconds": 30})
    async with httpx.AsyncClient(timeout=1) as impatient:
        with pytest.raises(httpx.ReadTimeout):
            await impatient.post(f"{job.engine.url}/webhook/generate-video", json=job.body())
    assert (await eventually(job.ended, "the run ends"))["status"] == "success"


async def test_an_answer_that_is_cut_off(job: Job) -> None:
    await job.fault({"kind": "started-cut"})
    with pytest.raises(httpx.RemoteProtocolError):
        await job.call()
    assert (await eventually(job.ended, "the run ends"))["status"] == "success"


async def test_an_answer_without_an_execution_id(job: Job) -> None:
    await job.fault({"kind": "no-execution-id"})
    answer = await job.call()
    assert (answer.status_code, answer.json()) == (200, {"message": "Workflow was started"})


async def test_an_answer_that_comes_last(job: Job) -> None:
    await job.fault({"kind": "answer-last"})
    assert (await job.call()).status_code == 202
    assert len(job.posts("complete")) == 1


# --- the run and its callbacks ----------------------------------------------------------------------------


async def test_a_run_that_fails(job: Job) -> None:
    await job.fault({"kind": "fail", "message": "Avatar generation failed"})
    execution_id = (await job.call()).json()["executionId"]
    assert (await eventually(job.ended, "the run ends"))["status"] == "error"
    (post,) = job.posts("error")
    assert post.body == {"errorMessage": "Avatar generation failed", "executionId": execution_id}
    assert job.posts("complete") == []


async def test_a_run_that_is_slow(job: Job) -> None:
    await job.fault({"kind": "slow", "seconds": 2.5})
    began = time.monotonic()
    await job.call()
    await eventually(job.ended, "the run ends")
    assert time.monotonic() - began > 2.4


@pytest.mark.parametrize("together", [False, True])
async def test_a_callback_that_comes_twice(job: Job, together: bool) -> None:
    await job.fault({"kind": "callback-twice", "together": together})
    await job.call()
    await eventually(job.ended, "the run ends")
    first, second = job.posts("complete")
    assert first.raw == second.raw
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


async def test_callbacks_that_never_come(job: Job) -> None:
    await job.fault({"kind": "callback-never"})
    await job.call()
    assert (await eventually(job.ended, "the run ends"))["status"] == "success"
    assert job.posts() == []


async def test_progress_that_comes_after_the_end(job: Job) -> None:
    await job.fault({"kind": "complete-before-progress"})
    await job.call()

    async def all_there() -> bool:
        return any(post.body["progress"] == 100 for post in job.posts("progress"))

    await eventually(all_there, "progress is told")
    assert job.posts()[0].purpose.endswith("/complete")


async def test_an_error_that_comes_after_the_end(job: Job) -> None:
    await job.fault({"kind": "error-after-complete", "message": "Too late"})
    await job.call()

    async def both() -> bool:
        return len(job.posts("complete", "error")) == 2

    await eventually(both, "both are told")
    complete, error = job.posts("complete", "error")
    assert complete.body["status"] == "ready"
    assert error.body["errorMessage"] == "Too late"


async def test_an_error_that_comes_before_the_result(job: Job) -> None:
    await job.fault({"kind": "error-before-complete", "message": "Too soon"})
    await job.call()
    await eventually(job.ended, "the run ends")
    error, complete = job.posts("complete", "error")
    assert error.body["errorMessage"] == "Too soon"
    assert complete.body["status"] == "ready"


async def test_a_second_result(job: Job) -> None:
    await job.fault({"kind": "another-result"})
    await job.call()

    async def both() -> bool:
        return len(job.posts("complete")) == 2

    await eventually(both, "both are told")
    first, second = job.posts("complete")
    assert second.body["videoUrl"] != first.body["videoUrl"]
    assert second.headers["idempotency-key"] != first.headers["idempotency-key"]


@pytest.mark.parametrize("auth", ["secret", "signature", "wrong-token", "wrong-secret", "wrong-signature", "none"])
async def test_other_ways_to_prove_oneself(job: Job, auth: str) -> None:
    await job.fault({"kind": "callback-auth", "auth": auth})
    await job.call()
    await eventually(job.ended, "the run ends")
    (post,) = job.posts("complete")
    assert (post.headers.get("x-webhook-secret") == SECRET) is (auth == "secret")
    assert is_signed(SECRET, post.headers, post.raw) is (auth == "signature")
    assert bool(post.token) is (auth == "wrong-token")
    assert post.token != f"{job.name}-token"


async def test_a_callback_is_repeated_until_it_is_taken(job: Job, receiver: Receiver) -> None:
    receiver.answers[f"{job.name}/complete"] = [503, 429]
    await job.call()
    run = await eventually(job.ended, "the run ends")
    posts = job.posts("complete")
    assert len(posts) == 3
    assert len({post.headers["idempotency-key"] for post in posts}) == 1
    assert [one["status"] for one in run["callbacks"][-1]["tries"]] == [503, 429, 202]
    assert (run["callbacks"][-1]["outcome"], run["callbacks"][-1]["status"]) == ("delivered", 202)


async def test_a_callback_that_is_refused_is_not_repeated(job: Job, receiver: Receiver) -> None:
    receiver.answers[f"{job.name}/complete"] = [401]
    await job.call()
    run = await eventually(job.ended, "the run ends")
    assert (run["status"], run["callbacks"][-1]["outcome"]) == ("error", "refused")
    assert len(job.posts("complete", "error")) == 1


async def test_more_videos_than_there_are_places_all_get_done(engine: EngineProcess, receiver: Receiver) -> None:
    jobs = [Job(f"crowd-{number}-{time.monotonic_ns()}", engine, receiver) for number in range(5)]
    answers = await asyncio.gather(*(job.call() for job in jobs))
    assert {answer.status_code for answer in answers} == {202}
    for job in jobs:
        assert (await eventually(job.ended, "the run ends"))["status"] == "success"
