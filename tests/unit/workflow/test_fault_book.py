import pytest
from pydantic import ValidationError

from deploy.local.workflow.fault_book import ALL_JOBS, FaultBook, FaultList
from deploy.local.workflow.faults import AnswerFault, Fail, FileCut, FileFault, NoExecutionId, Refuse, Slow


def test_a_fault_strikes_as_often_as_it_says() -> None:
    book = FaultBook()
    book.put("v1", [Refuse(kind="refuse", status=503, times=2), NoExecutionId(kind="no-execution-id")])
    struck = [book.strike(AnswerFault, {"v1", "title"}) for _ in range(4)]
    assert [type(fault) for fault in struck] == [Refuse, Refuse, NoExecutionId, NoExecutionId]
    assert book.listed() == {"v1": [{"kind": "no-execution-id"}]}


def test_looking_counts_nothing() -> None:
    book = FaultBook()
    book.put("v1", [FileCut(kind="file-cut")])
    assert book.look(FileFault, {"v1"}) is book.look(FileFault, {"v1"}) is not None
    assert book.strike(FileFault, {"v1"}) is not None
    assert book.strike(FileFault, {"v1"}) is None


def test_a_job_of_its_own_comes_before_all_jobs() -> None:
    book = FaultBook()
    book.put(ALL_JOBS, [Fail(kind="fail", message="all")])
    book.put("mine", [Fail(kind="fail", message="mine")])
    mine, other = book.look(Fail, {"mine"}), book.look(Fail, {"other"})
    assert mine is not None
    assert other is not None
    assert (mine.message, other.message) == ("mine", "all")
    assert book.look(Slow, {"mine"}) is None


def test_faults_are_cleared_one_job_at_a_time_or_all() -> None:
    book = FaultBook()
    for job in ("a", "b", "c"):
        book.put(job, [Fail(kind="fail")])
    book.clear("a")
    assert set(book.listed()) == {"b", "c"}
    book.clear()
    assert book.listed() == {}


@pytest.mark.parametrize(
    "fault", [{"kind": "no-such"}, {"kind": "slow"}, {"kind": "refuse", "status": 200}, {"kind": "fail", "tims": 1}, {}]
)
def test_a_misspelt_fault_is_not_taken(fault: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FaultList.model_validate({"faults": [fault]})
