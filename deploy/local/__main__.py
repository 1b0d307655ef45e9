"""`python -m deploy.local up|down`: the one-command local stack. `make up` and `make down` call it."""

import argparse
import asyncio
import sys
from pathlib import Path

from deploy.local.running import stop_owner
from deploy.local.up import forget_dead, up

_STOP_SECONDS = 60.0


def main() -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    parser.add_argument("command", choices=["up", "down"])
    parser.add_argument("--folder", type=Path, default=Path(".reelway"), help="where the stack keeps everything")
    options = parser.parse_args()
    folder = options.folder.absolute()
    return asyncio.run(up(folder)) if options.command == "up" else down(folder)


def down(folder: Path) -> int:
    """Stop the stack that runs on the folder and wait until it is gone; tidy up after one that was killed."""
    try:
        stopped = stop_owner(folder / "lock", _STOP_SECONDS)
    except TimeoutError:
        print(f"Reelway was asked to stop, but still runs after {_STOP_SECONDS:.0f} s.")
        return 1
    forget_dead(folder)
    print("Reelway is stopped." if stopped else "Reelway is not running.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # before the stack listens for signals; nothing runs yet
        sys.exit(130)
