"""What was given up and is then said to have failed shows why it did; nothing else changes, and nothing goes back."""

from typing import Any

from shared.contracts.events import WorkflowFailed
from tests.unit.gateway.view_world import USER, VIDEO, World
from tests.unit.turns import Run


def failed(name: str, code: str, message: str) -> WorkflowFailed:
    about: dict[str, Any] = {
        "video_id": VIDEO,
        "user_id": USER,
        "attempt": 1,
        "title": "Rates",
        "email": "a@example.com",
    }
    return WorkflowFailed(**about, id=f"{VIDEO}:1:{name}", code=code, message=message, retryable=True)


GIVEN_UP = failed("given_up", "WORKFLOW_TIMEOUT", "It may still arrive.")
SAID = failed("failed", "WORKFLOW_FAILED", "No credits left.")


def hear(world: World, *events: WorkflowFailed) -> None:
    for event in events:
        Run(world.topics.handling(event)).finish()


def test_what_is_said_to_have_failed_is_not_said_to_be_on_its_way() -> None:
    world = World()
    hear(world, GIVEN_UP)
    order = world.video["order"]
    hear(world, SAID, GIVEN_UP)
    error = {"code": "WORKFLOW_FAILED", "message": "No credits left.", "retryable": True, "origin": "workflow"}
    assert (world.video["error"], world.video["order"]) == (error, order)
    (entry,) = world.history.documents.values()
    assert (entry["status"], entry["errorMessage"]) == ("failed", "No credits left.")


def test_the_first_word_of_the_workflow_stays() -> None:
    world = World()
    hear(world, SAID, failed("other", "WORKFLOW_FAILED", "Another one."), GIVEN_UP)
    assert world.video["error"]["message"] == "No credits left."
