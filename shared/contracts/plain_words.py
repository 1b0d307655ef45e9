"""Text that may be shown to anybody who may see the video: one short line, without addresses in full or secrets.

What others wrote (workflows, servers) ends up in such text, so nothing in it is believed to be harmless.
"""

import re
import unicodedata
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

LONGEST = 300
LONGEST_READ = 4 * LONGEST
HIDDEN = "…"

_URL = re.compile(r"\b([a-z][a-z0-9+.-]{1,20}):/{2}([^\s/?#\"'<>()\\]*)[^\s\"'<>()]*", re.IGNORECASE)
_NAMED = re.compile(
    r"\b((?:[\w-]{0,40}[_-])?(?:token|secret|password|passwd|api[_ -]?key|signature|credential|authorization|cookie))"
    r"[\"']?\s*(?:[=:]|%3[ad])\s*(?:(?:bearer|basic)\s+)?[^\s,;&]+",
    re.IGNORECASE,
)
_PRESENTED = re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)
_OPAQUE = re.compile(r"\b(?:whsec_|eyJ|sk-)[\w.+/=-]{8,}|[\w+=-]{40,}")


def safe(text: str | None, longest: int = LONGEST) -> str:
    """Return `text` as one line of at most `longest` characters; addresses shrink to scheme://host, secrets to `…`."""
    shown = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in (text or "")[:LONGEST_READ])
    line = _URL.sub(_place, " ".join(shown.split()))
    line = _NAMED.sub(rf"\1={HIDDEN}", line)
    line = _PRESENTED.sub(rf"\1 {HIDDEN}", line)
    line = _OPAQUE.sub(HIDDEN, line)
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def says_something(text: str) -> bool:
    """Return whether there is a letter or a digit in `text`: what is left of an empty list or object has none."""
    return any(char.isalnum() for char in text)


def first_sentence(text: str | None) -> str:
    """Return the first sentence of `text`, safe, without its full stop; "" where it says nothing."""
    return safe(text).partition(". ")[0].rstrip(". ")


def place_of(url: str | None) -> str | None:
    """Return where `url` leads as scheme://host, without port, name or password; None where it says nothing."""
    try:
        parts = urlsplit(url or "")
        host = parts.hostname
    except ValueError:
        return None
    if not parts.scheme or not host:
        return None
    return f"{parts.scheme}://[{host}]" if ":" in host else f"{parts.scheme}://{safe(host, 253)}"


def _place(match: re.Match[str]) -> str:
    host = match[2].rpartition("@")[2]
    return f"{match[1].lower()}://{host.partition(':')[0] if not host.startswith('[') else host}"


Sentence = Annotated[str, AfterValidator(safe)]
"""A field of an event that makes its value safe, whoever writes or reads it."""
