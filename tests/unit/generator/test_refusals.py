"""Which answers say that n8n took nothing; what a run of a workflow may have said is none of them."""

import pytest

from services.generator.domain import Happening
from services.generator.n8n import Answer
from services.generator.refusals import took_nothing
from tests.unit.generator.n8n_answers import MIGRATING, NO_DATABASE, no_route, not_registered
from tests.unit.generator.test_n8n import call, server

PATH = "/webhook/generate-video"


@pytest.mark.parametrize(
    ("status", "body", "path"),
    [
        (200, MIGRATING, PATH),
        (404, no_route(PATH), PATH),
        (404, no_route(PATH), f"/n8n{PATH}"),
        (404, no_route("/flows/generate"), "/flows/generate"),
        (404, no_route("/api/v1/executions/7/stop"), "/api/v1/executions/7/stop"),
        (404, not_registered("generate-video"), PATH),
        (503, NO_DATABASE, PATH),
    ],
)
def test_n8n_took_nothing(status: int, body: bytes, path: str) -> None:
    assert took_nothing(status, body, path)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b'{"title": "' + MIGRATING + b'"}'),
        (202, MIGRATING),
        (404, MIGRATING),
        (500, no_route(PATH)),
        (404, no_route("/v1/render")),
        (404, no_route("/generate-video")),
        (404, no_route(PATH) + b"and more"),
        (404, b'{"error": "The renderer said: ' + no_route(PATH) + b'"}'),
        (404, f"<pre>Cannot POST {PATH}</pre>".encode()),
        (404, b'{"message": "Avatar x is not registered."}'),
        (404, b'{"message": ["The requested webhook"]}'),
        (404, b"The requested webhook is not registered."),
        (404, b"[" * 100_000),
        (404, b""),
        (429, NO_DATABASE),
        (500, NO_DATABASE),
        (503, b'{"code": 503, "message": "The renderer said: Database is not ready!"}'),
        (503, b'{"code": 503, "message": "Database is not ready!", "executionId": "7"}'),
        (503, b"upstream connect error or disconnect/reset before headers. reset reason: connection termination"),
        (503, b""),
    ],
)
def test_a_run_may_have_said_it(status: int, body: bytes) -> None:
    """Taken for a refusal it would be called, and paid, again and again."""
    assert not took_nothing(status, body, PATH)


@pytest.mark.parametrize(
    ("answer", "came"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n" + MIGRATING, Answer(Happening.REFUSED, "it is starting")),
        (b"HTTP/1.1 404 No\r\n\r\n" + no_route(PATH), Answer(Happening.REFUSED, "status 404")),
        (b"HTTP/1.1 404 No\r\n\r\n" + no_route("/v1/render"), Answer(Happening.REJECTED, "status 404")),
        (b"HTTP/1.1 503 No\r\n\r\n" + NO_DATABASE, Answer(Happening.REFUSED, "status 503")),
        (b"HTTP/1.1 503 No\r\n\r\n", Answer(Happening.TURNED_AWAY, "status 503")),
    ],
)
async def test_what_a_call_to_it_comes_to(answer: bytes, came: Answer) -> None:
    async with server(answer) as address:
        assert await call(f"http://{address}{PATH}?token=x") == came
