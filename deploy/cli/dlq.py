"""The commands about dead letters: each service's are read from its own topic, and answered there."""

import argparse
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

from deploy.cli.kafka import NoKafkaNamed, Publisher, brokers
from deploy.cli.paper import Paper, make_paper
from shared.contracts.topics import SERVICES
from shared.delivery.letter import Letter, Selection, service_of
from shared.delivery.letterbox import Decided, LetterBox, LettersAwayError

LEFT_AS_THEY_ARE = frozenset({"needs_paid_work", "not_open", "not_whole"})

Decide = Callable[[LetterBox, Letter], Awaitable[Decided]]


class CannotDo(Exception):
    """What was asked for can't be done; the text says what to do about it."""


class _Desk(NamedTuple):
    """What every command works with."""

    options: argparse.Namespace
    paper: Paper
    open_box: Callable[[str], LetterBox]


async def run(options: argparse.Namespace) -> int:
    """Do what the command line says; return its exit code. Raises CannotDo."""
    try:
        servers = brokers(options.kafka)
        async with contextlib.aclosing(Publisher(servers)) as publisher:
            desk = _Desk(
                options,
                make_paper(as_json=options.json),
                lambda service: LetterBox(servers, service, publisher.publish),
            )
            return await _COMMANDS[options.verb](desk)
    except (LettersAwayError, NoKafkaNamed) as error:
        raise CannotDo(str(error)) from error


async def _list(desk: _Desk) -> int:
    found: list[Letter] = []
    for service in _services(desk.options):
        async with desk.open_box(service) as box:
            found += await box.select(_selection(desk.options))
    found.sort(key=lambda letter: letter.time.timestamp() if letter.time else 0.0, reverse=True)
    desk.paper.letters(found[: desk.options.limit], of=len(found))
    return 0


async def _show(desk: _Desk) -> int:
    (service,) = _services(desk.options)
    async with _chosen(desk, service) as (box, letters):
        for letter in letters:
            desk.paper.whole(letter, await box.original(letter))
    return 0


async def _redrive(desk: _Desk) -> int:
    options = desk.options

    async def send_back(box: LetterBox, letter: Letter) -> Decided:
        return await box.redrive(letter, allow_paid_work=options.allow_paid_work, dry_run=options.dry_run)

    return await _decide(desk, send_back)


async def _discard(desk: _Desk) -> int:
    async def close(box: LetterBox, letter: Letter) -> Decided:
        return await box.discard(letter, dry_run=desk.options.dry_run)

    return await _decide(desk, close)


_COMMANDS = {"list": _list, "show": _show, "redrive": _redrive, "discard": _discard}


async def _decide(desk: _Desk, decide: Decide) -> int:
    """Decide about every letter that is meant, each service's oldest first; 1 where some were left as they are."""
    options = desk.options
    if not (options.all or options.service or _selection(options).names_anything):
        raise CannotDo("Which ones? Give ids or a filter, or --all for all that are open.")
    done: list[Decided] = []
    try:
        for service in _services(options):
            async with _chosen(desk, service) as (box, letters):
                for letter in letters:
                    done.append(await decide(box, letter))  # noqa: PERF401 - what is done is shown even if the next raises
    finally:
        desk.paper.decided(done)
    if not done:
        print("No dead letter fits; `reelway dlq list --state all` shows those there are.", file=sys.stderr)
    return int(any(one.outcome in LEFT_AS_THEY_ARE for one in done))


@contextlib.asynccontextmanager
async def _chosen(desk: _Desk, service: str) -> AsyncIterator[tuple[LetterBox, list[Letter]]]:
    """Open a service's box with the letters that are meant; those named by id must be there, in whatever state."""
    async with desk.open_box(service) as box:
        letters = await box.select(_selection(desk.options))
        named = {id_ for id_ in desk.options.id if service_of(id_) == service}
        if missing := ", ".join(sorted(named - {letter.id for letter in letters})):
            raise CannotDo(f"No dead letter fits {missing}. `reelway dlq list` shows those there are.")
        yield box, letters


def _services(options: argparse.Namespace) -> list[str]:
    """Return the services whose letters are meant, in the usual order. Raises CannotDo."""
    ids = getattr(options, "id", [])
    named = {service_of(id_) for id_ in ids}
    if strange := named - set(SERVICES):
        raise CannotDo(f"There is no service {', '.join(sorted(strange))}. An id looks like media:3f9a1c22b7d04e11.")
    asked = set(getattr(options, "service", None) or SERVICES)
    return [service for service in SERVICES if service in asked and (not ids or service in named)]


def _selection(options: argparse.Namespace) -> Selection:
    given = vars(options)
    ids = tuple(given.get("id", ()))
    return Selection(
        ids=ids,
        reason=given.get("reason"),
        topic=given.get("topic"),
        type=given.get("type"),
        event_id=given.get("event"),
        since=given.get("since"),
        until=given.get("until"),
        state="all" if ids else given.get("state", "open"),
    )
