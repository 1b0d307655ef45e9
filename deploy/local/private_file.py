"""Files that only their owner can read, written in one step."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path


def write_private(file: Path, content: Mapping[str, object]) -> None:
    """Write JSON that only its owner can read; a reader sees the old content or the new, never a part."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # mkstemp makes it mode 600
    try:
        with os.fdopen(descriptor, "w") as draft:
            json.dump(content, draft, indent=2)
            draft.write("\n")
            draft.flush()
            os.fsync(draft.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
