"""`reelway dlq list|show|redrive|discard` (or `python -m deploy.cli`): look at dead letters and decide about them."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence

from deploy.cli.dlq import CannotDo, run
from deploy.cli.moments import moment
from shared.contracts.topics import SERVICES

EPILOG = """\
Moments are ISO 8601 (2025-10-02T13:29:00Z) or how long ago (90s, 15m, 2h, 3d). Without --kafka the brokers are those of
KAFKA_BOOTSTRAP_SERVERS, else those of the local stack that runs (.reelway/stack.json)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0 done, 1 not (all) done, 2 not understood."""
    options = _parser().parse_args(arguments)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what matters of it is said in words
    try:
        return asyncio.run(run(options))
    except CannotDo as reason:
        print(reason, file=sys.stderr)
        return 1
    except BrokenPipeError:  # `reelway dlq list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more at its end
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="reelway", description=__doc__, epilog=EPILOG)
    commands = parser.add_subparsers(required=True, metavar="dlq")
    dlq = commands.add_parser("dlq", help="dead letters", description=__doc__, epilog=EPILOG)
    verbs = dlq.add_subparsers(dest="verb", required=True)
    listing = verbs.add_parser("list", help="show which there are, newest first", epilog=EPILOG)
    _add_filters(listing)
    listing.add_argument("--limit", type=_count, default=100, help="the most that are shown (100)")
    show = verbs.add_parser("show", help="show one whole, with headers and body", epilog=EPILOG)
    show.add_argument("id", metavar="ID", nargs=1)
    redrive = verbs.add_parser(
        "redrive", help="send open ones back to their own service's handler, oldest first", epilog=EPILOG
    )
    _add_choice(redrive)
    redrive.add_argument(
        "--allow-paid-work", action="store_true", help="also those that may start a paid generation (again)"
    )
    discard = verbs.add_parser("discard", help="close open ones for good, unhandled", epilog=EPILOG)
    _add_choice(discard)
    for verb in (listing, show, redrive, discard):
        verb.add_argument("--kafka", metavar="HOST:PORT", help="the brokers, separated by commas")
        verb.add_argument("--json", action="store_true", help="write JSON, for programs")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of letters; write 1 or more")
    return int(text)


def _add_choice(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("id", metavar="ID", nargs="*", help="as `list` shows it; several may be given, or filters")
    _add_filters(verb)
    verb.add_argument("--all", action="store_true", help="every open one; needed where nothing else says which")
    verb.add_argument("--dry-run", action="store_true", help="only say what would be done")


def _add_filters(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--service", action="append", choices=SERVICES, help="of this service; may be repeated")
    verb.add_argument("--reason", help="given up for this, such as unreadable_json or KeyError")
    verb.add_argument("--topic", help="that first stood on this topic")
    verb.add_argument("--type", help="with events of this type, such as VideoReady")
    verb.add_argument("--event", metavar="ID", help="with the event of this id")
    verb.add_argument("--since", type=moment, metavar="WHEN", help="given up then or later")
    verb.add_argument("--until", type=moment, metavar="WHEN", help="given up before that")
    if verb.prog.endswith(" list"):
        states = ("open", "redriven", "discarded", "all")
        verb.add_argument("--state", choices=states, default="open", help="what became of them (open)")


if __name__ == "__main__":
    sys.exit(main())
