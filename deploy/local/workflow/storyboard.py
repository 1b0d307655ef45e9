"""From a request's own fields to the scenes of its video: what is said, in which order, for how long."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

MAX_SENTENCES = 12
MAX_SECONDS = 30.0
TITLE_SECONDS = 2.2
LONGEST_CAPTION = 170

_GENERATE_SECTIONS = ("hook", "body", "conclusion")
_CREATE_SECTIONS = ("prompt", "topicKeyPoints", "callToAction")
_ABBREVIATIONS = re.compile(
    r"(?:dr|mr|mrs|ms|prof|st|jr|sr|vs|no|nr|co|inc|ltd|corp|etc|approx|dept|est|usw|bzw|ca|\w|\w\.\w)", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"[.!?…。！？]+[\"'”’»)\]]*(?=\s)|(?<=[。！？])")
_LINE_BREAK = re.compile(r"[\r\n]+|\s*;\s+|\s*[•▪◦‣]\s*")
_CLAUSE_END = re.compile(r"[,:;–—]\s+|\s+[-–—]\s+")


@dataclass(frozen=True)
class Scene:
    """One picture with its words, shown for `seconds`; the opening card is the only `title` scene."""

    text: str
    seconds: float
    title: bool = False


@dataclass(frozen=True)
class Storyboard:
    """Everything a renderer needs to know about one video."""

    title: str
    company: str
    small_print: str
    scenes: tuple[Scene, ...]

    @property
    def seconds(self) -> float:
        """Length of the whole video."""
        return sum(scene.seconds for scene in self.scenes)


def storyboard(fields: Mapping[str, object]) -> Storyboard:
    """Build the storyboard of a `create` or `generate` request; missing fields are simply not shown."""
    title = _text(fields, "title") or _text(fields, "videoTopic") or "Untitled video"
    names = _GENERATE_SECTIONS if any(_text(fields, name) for name in _GENERATE_SECTIONS) else _CREATE_SECTIONS
    sentences = shorten([captions(_text(fields, name)) for name in names])
    scenes = (Scene(title, TITLE_SECONDS, title=True), *(Scene(text, reading_seconds(text)) for text in sentences))
    return Storyboard(
        title=title,
        company=_text(fields, "company_name") or _text(fields, "companyName"),
        small_print="   ·   ".join(
            filter(None, (_either(fields, "social_handles", "socialHandles"), _text(fields, "license")))
        ),
        scenes=_within(scenes, MAX_SECONDS),
    )


def split_sentences(text: str) -> list[str]:
    """Split prose into sentences; line breaks, bullets and semicolons end one too, abbreviations don't."""
    return [sentence for part in _LINE_BREAK.split(text) for sentence in _split_line(part)]


def captions(text: str) -> list[str]:
    """Sentences of `text`, those too long for one picture broken at a comma or, failing that, at a word."""
    return [piece for sentence in split_sentences(text) for piece in _break_long(sentence)]


def reading_seconds(text: str) -> float:
    """How long a caption stays: 1.5 to 3 seconds, growing with its length."""
    return min(3.0, max(1.5, 1.1 + 0.022 * len(text)))


def shorten(sections: Sequence[list[str]], limit: int = MAX_SENTENCES) -> list[str]:
    """Join the sections, dropping the last sentences of the longest until no more than `limit` are left."""
    kept = [list(section) for section in sections]
    while sum(map(len, kept)) > limit:
        max(kept, key=len).pop()
    return [sentence for section in kept for sentence in section]


def _split_line(line: str) -> list[str]:
    ends = [match.end() for match in _SENTENCE_END.finditer(line) if not _is_abbreviation(line[: match.end()])]
    pieces = (line[start:end].strip() for start, end in pairwise([0, *ends, len(line)]))
    return [" ".join(piece.split()) for piece in pieces if any(map(str.isalnum, piece))]


def _is_abbreviation(head: str) -> bool:
    if not head.endswith("."):
        return False
    last_word = head[:-1].rsplit(maxsplit=1)[-1:] or [""]
    return _ABBREVIATIONS.fullmatch(last_word[0].lstrip("(\"'“„«")) is not None


def _break_long(sentence: str) -> list[str]:
    pieces = []
    while len(sentence) > LONGEST_CAPTION:
        cut = _cut_at(sentence)
        pieces.append(sentence[:cut].strip())
        sentence = sentence[cut:].strip()
    return [*pieces, sentence]


def _cut_at(sentence: str) -> int:
    window = sentence[:LONGEST_CAPTION]
    clauses = [match.end() for match in _CLAUSE_END.finditer(window) if match.end() > LONGEST_CAPTION // 3]
    if clauses:
        return clauses[-1]
    space = window.rfind(" ")
    return space if space > LONGEST_CAPTION // 3 else LONGEST_CAPTION


def _within(scenes: tuple[Scene, ...], limit_seconds: float) -> tuple[Scene, ...]:
    total = sum(scene.seconds for scene in scenes)
    if total <= limit_seconds:
        return scenes
    return tuple(Scene(scene.text, scene.seconds * limit_seconds / total, scene.title) for scene in scenes)


def _either(fields: Mapping[str, object], *names: str) -> str:
    return next((text for name in names if (text := _text(fields, name))), "")


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    return value.strip() if isinstance(value, str) else ""
