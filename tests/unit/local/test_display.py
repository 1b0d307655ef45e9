import io

import pytest
from rich.console import Console

from deploy.local.display import LiveTable, PlainLines, make_display
from deploy.local.up import without_login

ROWS = [("kafka", "127.0.0.1:9092"), ("gateway", "http://127.0.0.1:8080")]


def test_plain_lines_say_what_is_ready_and_where(capsys: pytest.CaptureFixture[str]) -> None:
    display = PlainLines()
    display.open(ROWS)
    display.changed("kafka", "starting", "")
    display.changed("kafka", "ready", "0.1 s")
    display.announce("Reelway is up", ["Open it"])
    display.close()
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines()[:2]] == [
        ["starting", "kafka"],
        ["ready", "kafka", "127.0.0.1:9092", "0.1", "s"],
    ]
    assert "Reelway is up\n  Open it\n" in out


def test_a_reader_that_has_gone_away_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Closed())
    display = PlainLines()
    display.say("one")
    display.say("two")


def test_without_a_terminal_the_lines_are_plain() -> None:
    assert isinstance(make_display(), PlainLines)


def test_the_table_shows_every_state_then_lines() -> None:
    screen = io.StringIO()
    display = LiveTable(Console(file=screen, force_terminal=True, width=100))
    display.open(ROWS)
    display.changed("kafka", "starting", "")
    display.changed("kafka", "ready", "0.1 s")
    display.changed("gateway", "ready", "1.0 s")
    display.announce("Reelway is up", ["Open it"])
    display.changed("kafka", "died", "SIGKILL; starting it again in 0.5 s")
    display.changed("kafka", "stopping", "")
    display.changed("kafka", "stopped", "")
    display.close()
    shown = screen.getvalue()
    for part in ("http://127.0.0.1:8080", "Reelway is up", "kafka died", "stopped"):
        assert part in shown


def test_a_failure_with_brackets_in_it_is_shown_as_it_is() -> None:
    screen = io.StringIO()
    display = LiveTable(Console(file=screen, width=100))
    display.say("failed: [/tmp] [bold]")
    assert "[/tmp] [bold]" in screen.getvalue()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mongodb://me:secret@db-1:27017,db-2:27017/media?replicaSet=rs0", "db-1:27017,db-2:27017"),
        ("mongodb+srv://me:secret@cluster.example/?w=1", "cluster.example"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://key:secret@n8n.example/webhook/abc?token=secret", "https://n8n.example"),
        ("broker-1:9092,broker-2:9092", "broker-1:9092,broker-2:9092"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    assert without_login(url) == shown
