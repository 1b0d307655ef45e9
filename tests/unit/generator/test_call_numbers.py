"""Which call a note is about: the how-manieth one that was begun, however often a worker took the job in vain."""

from services.generator.asking import Said, Told
from services.generator.domain import Happening
from services.generator.n8n import Answer
from shared.contracts.events import VideoRequested, WorkflowNoted
from shared.contracts.wire import utc_now
from tests.unit.generator.attempts_world import USER, VIDEO, Says, World
from tests.unit.turns import Run

ID = f"{VIDEO}:1"
TAKEN, REFUSED = Answer(Happening.TAKEN, "status 200", "7"), Answer(Happening.REFUSED, "no connection")


def requested() -> World:
    world = World()
    about = {"id": "requested:1", "time": utc_now(), "video_id": VIDEO, "user_id": USER, "attempt": 1}
    asked = {"kind": "create", "request_id": "r", "title": "Rates", "email": "", "fields": {"body": "script"}}
    Run(world.topics.handling(VideoRequested.model_validate(about | asked))).finish()
    return world


def working(world: World, answer: Answer = TAKEN) -> Run:
    lease = world.memory.claim(ID)
    assert lease is not None
    return Run(world.work(lease, Says(answer, Told(Said.NOTHING))))


def noted(world: World) -> list[tuple[str, object]]:
    notes = [event for event in world.post.taken() if isinstance(event, WorkflowNoted)]
    return [(note.code, note.details.get("call")) for note in notes]


def test_a_worker_that_died_before_its_call_made_none() -> None:
    world = requested()
    working(world).kill()
    working(world, REFUSED).finish()
    working(world).finish()
    assert noted(world) == [("call.refused", 1), ("call.taken", 2)]


def test_the_call_that_nobody_knows_of_is_the_one_that_was_begun() -> None:
    world = requested()
    working(world, REFUSED).finish()
    calling = working(world)
    while not world.runs:
        calling.step()
    calling.kill()
    working(world).finish()
    assert noted(world) == [("call.refused", 1), ("call.abandoned", 2)]


def test_of_a_call_that_an_earlier_release_began_there_is_no_number() -> None:
    world = requested()
    calling = working(world)
    while not world.runs:
        calling.step()
    calling.kill()
    world.memory.documents[ID].pop("calls")
    working(world).finish()
    assert noted(world) == [("call.abandoned", None)]
