"""The texts that clients send: what may be in a line, a script, an email address, a link. Refusals say what to do."""

import re
import unicodedata
from typing import Annotated
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field

LINE, TEXT = 1_000, 256 * 1024
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # all but tab and line ends
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Marks that turn the direction of the text around them; those that only mark a place (U+200E, U+200F) may stay."""

_NEVER_SEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs", "Me", "Mn"})
_BLANKS = re.compile("[\u115f\u1160\u2065\u2800\u3164\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]")
"""Characters that show nothing although their category says letter, symbol or not assigned."""


def said(text: str) -> str:
    """Return `text` unless it is blank or holds control characters."""
    if not text.strip():
        raise ValueError("This field must not be blank")
    if _CONTROLS.search(text):
        raise ValueError("This field holds control characters; take them out")
    return text


def seen(text: str) -> str:
    """Return `text` unless nobody could see it."""
    if not any(unicodedata.category(char) not in _NEVER_SEEN and not _BLANKS.match(char) for char in text):
        raise ValueError("This holds only characters that nobody can see; write something that can be read")
    return text


def straight(text: str) -> str:
    """Return `text` unless it holds marks that make it read differently from what it is."""
    turning = _TURNING.search(text)
    if turning:
        raise ValueError(
            f"This holds an invisible character (U+{ord(turning[0]):04X}) that turns the direction of the text, so "
            "that people would read something else than what is there; take it out, or type the text anew"
        )
    return text


def _address(text: str) -> str:
    try:
        validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError("This must be an email address, such as name@example.com") from error
    return text.strip()


def _web_address(text: str) -> str:
    link = text.strip()
    if not link.lower().startswith(("http://", "https://")):
        raise ValueError("This must be a link that starts with http:// or https://")
    # Before it is taken apart: that would pass over line ends and tabs in silence.
    if any(char.isspace() for char in link):
        raise ValueError("This link holds a space or a line end; take it out, or write a space as %20")
    if not link.isprintable():
        raise ValueError("This link holds invisible characters; take them out, or type it anew")
    try:
        parts = urlsplit(link)
    except ValueError as error:
        raise ValueError(
            "The server's name in this link can't be read; check what follows http:// or https://"
        ) from error
    if not parts.hostname:
        raise ValueError("This link names no server; it must look like https://example.com/video.mp4")
    if not _port_is_right(link):
        raise ValueError("The port in this link (the number after the server's name) must be from 1 to 65535")
    return link


def _port_is_right(link: str) -> bool:
    try:
        port = urlsplit(link).port
    except ValueError:
        return False
    return port is None or port > 0


Line = Annotated[str, Field(max_length=LINE), AfterValidator(said), AfterValidator(seen), AfterValidator(straight)]
Text = Annotated[str, Field(max_length=TEXT), AfterValidator(said), AfterValidator(seen)]
Email = Annotated[str, Field(max_length=320), AfterValidator(_address)]
WebAddress = Annotated[str, Field(max_length=4_096), AfterValidator(_web_address)]
