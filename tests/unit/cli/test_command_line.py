"""The operator's command line without a Kafka: what it understands, where it looks, what it writes."""

import argparse
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from deploy.cli.__main__ import main
from deploy.cli.kafka import NoKafkaNamed, brokers
from deploy.cli.moments import moment
from deploy.cli.paper import JsonPaper, Paper, PlainPaper, TablePaper
from shared.delivery.letter import Letter
from shared.delivery.letterbox import Decided

LETTER = Letter(
    id="media:video.assets:0:7",
    service="media",
    reason="Key\x1b[31mError\nx",
    error="KeyError('title')",
    attempts=5,
    redrives=2,
    topic="video.assets",
    partition=0,
    offset=7,
    event_type="VideoReady",
    event_id="e1",
    key="k",
    size_bytes=2,
    time=datetime(2025, 10, 2, 13, 29, tzinfo=UTC),
    place=(0, 3),
)


def record(value: bytes) -> SimpleNamespace:
    headers = [
        *(("dlq_topic", b"video.assets"), ("dlq_partition", b"0"), ("dlq_offset", b"7")),
        ("original_ce_type", b"VideoReady"),
        ("original_odd", b"\x1b]0;owned\x07"),
    ]
    return SimpleNamespace(topic="media.dlq", partition=0, offset=3, key=b"k", value=value, headers=headers)


def test_moments_are_iso_or_ago() -> None:
    assert moment("2025-10-02T13:29:00Z") == datetime(2025, 10, 2, 13, 29, tzinfo=UTC)
    assert moment("2025-10-02") == datetime(2025, 10, 2, tzinfo=UTC)
    assert moment("2025-10-02T15:29:00+02:00") == moment("2025-10-02T13:29:00Z")
    assert abs(datetime.now(UTC) - moment("2h") - timedelta(hours=2)) < timedelta(minutes=1)
    assert moment("99999d") < moment("1d")
    for wrong in ("yesterday", "2x", "-2h", "9999999d", ""):
        with pytest.raises(argparse.ArgumentTypeError):
            moment(wrong)


def test_the_brokers_are_those_named_else_the_environments_else_the_running_stacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoKafkaNamed, match="KAFKA_BOOTSTRAP_SERVERS"):
        brokers(None, {}, tmp_path)
    repository = tmp_path / "clone"
    for folder, port in ((repository, 1), (tmp_path, 2)):
        (folder / ".reelway").mkdir(parents=True)
        stack = {"engines": {"kafka": {"url": f"127.0.0.1:{port}", "pid": 1}}}
        (folder / ".reelway" / "stack.json").write_text(json.dumps(stack))
    assert brokers(None, {}, repository) == "127.0.0.1:2", "the one that runs where the command is given"
    (tmp_path / ".reelway" / "stack.json").unlink()
    assert brokers(None, {}, repository) == "127.0.0.1:1"
    assert brokers(None, {"KAFKA_BOOTSTRAP_SERVERS": "env:9092"}, repository) == "env:9092"
    assert brokers("named:9092", {"KAFKA_BOOTSTRAP_SERVERS": "env:9092"}, repository) == "named:9092"


@pytest.mark.parametrize(
    "arguments", ["", "dlq", "dlq list --since soon", "dlq show", "dlq eat", "dlq list --limit 0", "dlq list --limit x"]
)
def test_what_is_not_understood_is_told(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments.split())
    assert end.value.code == 2
    assert "usage: reelway" in capsys.readouterr().err


def write_all(paper: Paper) -> None:
    paper.letters([LETTER], of=3)
    paper.whole(LETTER, record(b'{"a": "\\u001b[2J"}'))
    paper.whole(LETTER, record(b"not json \x1b[2J"))
    paper.whole(LETTER, record(b"\xff\x00"))
    paper.decided([Decided(letter=LETTER, outcome="needs_paid_work"), Decided(letter=LETTER, outcome="redriven")])


def test_nothing_in_a_letter_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    write_all(TablePaper(console))
    write_all(PlainPaper())
    write_all(JsonPaper())
    assert isinstance(console.file, io.StringIO)
    written = console.file.getvalue() + capsys.readouterr().out
    assert {char for char in written if not char.isprintable()} == {"\n", "\t"}


def test_people_see_a_table_that_says_what_is_left_out() -> None:
    file = io.StringIO()
    paper = TablePaper(Console(file=file, width=160))
    paper.letters([LETTER], of=3)
    assert "media:video.assets:0:7" in file.getvalue()
    assert "1 of 3" in file.getvalue()
    paper.letters([], of=0)
    assert "No dead letters." in file.getvalue()
    paper.decided([Decided(letter=LETTER, outcome="needs_paid_work")])
    assert "--allow-paid-work" in file.getvalue()


def test_a_line_is_a_letter_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    PlainPaper().letters([LETTER, LETTER], of=2)
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split("\t")[0] == "id"
    assert [line.split("\t")[1] for line in lines] == ["2025-10-02T13:29:00.000Z"] * 2


def test_a_body_that_is_no_text_is_called_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    PlainPaper().whole(LETTER, record(b"\xff\x00"))
    assert "bodyBase64\t/wA=" in capsys.readouterr().out.splitlines()


def test_programs_get_what_the_admin_gets(capsys: pytest.CaptureFixture[str]) -> None:
    JsonPaper().letters([LETTER], of=1)
    content = json.loads(capsys.readouterr().out)
    assert content["total"] == 1
    assert content["deadLetters"][0]["eventType"] == "VideoReady"
    assert "place" not in content["deadLetters"][0], "where the box keeps it is the box's own"
    JsonPaper().whole(LETTER, record(b"{}"))
    content = json.loads(capsys.readouterr().out)
    assert content["headers"][0] == {"name": "ce_type", "value": "VideoReady"}
    assert content["body"] == "{}"
