"""docs/http.md is what the gateway takes and answers: every route, field, limit and code."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from deploy.settings_page import ROOT
from services.gateway.app import build
from services.gateway.routes import answers
from services.gateway.routes.webhook_bodies import WORDS
from services.gateway.settings import GatewaySettings
from services.generator import messages
from services.notifier import domain
from shared.contracts.videos import FailureCode

PAGE = (ROOT / "docs" / "http.md").read_text()
SECTIONS = dict(re.findall(r"^### ([A-Z]+ /\S*)\n(.*?)(?=^#{2,3} |\Z)", PAGE, re.MULTILINE | re.DOTALL))
ASKING = "## Asking for videos"
APP = build(GatewaySettings(s3_access_key="key", s3_secret_key="secret")).app
DOCUMENT: dict[str, Any] = get_openapi(title="Reelway", version="1", routes=APP.routes)
SOURCES = ("services/gateway", "services/notifier", "shared/wiring/http.py", "shared/wiring/asgi.py")


def _written(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda name: f"{{{to_camel(name[1])}}}", path)


def _operations() -> dict[str, dict[str, Any]]:
    """Return every operation by its heading; those that are in no document say nothing about themselves."""
    hidden: dict[str, dict[str, Any]] = {f"GET {route.path}": {} for route in APP.routes if isinstance(route, APIRoute)}
    described = {
        f"{method.upper()} {_written(path)}": operation
        for path, operations in DOCUMENT["paths"].items()
        for method, operation in operations.items()
    }
    return {**hidden, **described}


OPERATIONS = _operations()


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _fields(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield the name, the schema and whether it is required, of each field of the body and each parameter."""
    content = operation.get("requestBody", {}).get("content", {})
    body = _resolved(content["application/json"]["schema"]) if content else {}
    for name, schema in body.get("properties", {}).items():
        yield name, schema, name in body.get("required", ())
    for parameter in operation.get("parameters", ()):
        if parameter["in"] != "path":
            yield parameter["name"], parameter["schema"], parameter.get("required", False)


def _limits(schema: Any) -> Iterator[int]:
    """Yield the numbers a value has to keep to, wherever they stand in its schema."""
    if isinstance(schema, list):
        for part in schema:
            yield from _limits(part)
    if isinstance(schema, dict):
        for name, value in schema.items():
            if name in ("maxLength", "minLength", "maximum", "minimum", "maxItems", "minItems"):
                yield int(value)
            elif name in ("anyOf", "items"):
                yield from _limits(value)


def _row(section: str, name: str) -> list[str]:
    """Return the cells of the table's row about `name`."""
    found = re.search(rf"^\| `{re.escape(name)}` \|(.*)\|$", section, re.MULTILINE)
    assert found, f"there is no row about {name}"
    return [cell.strip() for cell in found[1].split("|")]


def _is_kept(limit: int, said: str) -> bool:
    # What these two words mean stands above the tables: 1000 characters, and as many as the largest body has.
    meant = {"line": {1000}, "script": {256 * 1024}}
    known = set().union(*(limits for word, limits in meant.items() if word in said))
    return limit in known or re.search(rf"\b{limit}\b", said) is not None


def test_every_route_has_its_heading_and_no_other_has_one() -> None:
    assert set(SECTIONS) == set(OPERATIONS)


@pytest.mark.parametrize("heading", OPERATIONS)
def test_every_field_that_is_taken_is_described(heading: str) -> None:
    section = SECTIONS[heading]
    if heading.startswith("POST /api/video/"):  # what all requests for videos share stands above them
        section += PAGE[PAGE.index(ASKING) : PAGE.index("### POST /api/video/create")]
    for name, schema, required in _fields(OPERATIONS[heading]):
        said, needed, *_ = _row(section, name)
        assert needed.startswith("yes" if required else "no"), name
        for limit in _limits(schema):
            assert _is_kept(limit, said), f"{name}: {limit} is not in {said!r}"


def test_no_field_is_described_that_is_not_taken() -> None:
    for heading, section in SECTIONS.items():
        described = set(re.findall(r"^\| `(\w+)` \|[^|]*\| (?:yes|no)\b", section, re.MULTILINE))
        passed_on = {"limit", "cursor"} if heading == "GET /api/notifications" else set()
        assert described == {name for name, *_ in _fields(OPERATIONS[heading])} - {"Idempotency-Key"} | passed_on, (
            heading
        )


@pytest.mark.parametrize(
    "shape",
    [shape for shape in vars(answers).values() if isinstance(shape, type) and issubclass(shape, BaseModel)],
    ids=lambda shape: str(shape.__name__),
)
def test_every_field_of_an_answer_is_named(shape: type[BaseModel]) -> None:
    names = {field.serialization_alias or field.alias or name for name, field in shape.model_fields.items()}
    assert {name for name in names if f"`{name}`" not in PAGE and f'"{name}"' not in PAGE} == set()


def test_every_code_is_listed() -> None:
    codes = set()
    for place in SOURCES:
        for path in sorted((ROOT / place).rglob("*.py")) or [ROOT / place]:
            if path.name != "callbacks_admin.py":
                codes |= _codes_in(path)
    assert {"NOT_FOUND", "BODY_TOO_LARGE", "QUOTA_REACHED", "FOREIGN_CALLBACK"} <= codes
    listed = PAGE[PAGE.index("## Codes") :]
    assert {code for code in [*codes, *FailureCode] if f"`{code}`" not in listed} == set()
    assert set(re.findall(r"`([A-Z]+(?:_[A-Z]+)*)`", re.sub(r"\(.*?\)", "", listed))) == {*codes, *FailureCode}


def _codes_in(path: Path) -> set[str]:
    text = path.read_text()
    ways = (r'ApiError\(\s*\d+,\s*"([A-Z_]+)"', r'\d{3}: \("([A-Z_]+)"', r'"code": "([A-Z_]+)"', r'"([A-Z_]+)", str\(')
    return {code for way in ways for code in re.findall(way, text)}


def test_every_kind_of_notification_is_listed() -> None:
    told = re.findall(r"_payload\(event, \"(\w+)\", \"(\w+)\"", Path(domain.__file__).read_text())
    assert len(set(told)) == 6
    rows = re.findall(
        r"^\| `(\w+)` \| `(progress|success|error)` \|", SECTIONS["GET /api/notifications/stream"], re.MULTILINE
    )
    assert set(rows) == set(told)


def test_how_much_of_a_report_users_read() -> None:
    assert f"one line of at most {messages.LONGEST} characters" in PAGE
    rows = re.findall(r"^\| `(\w+)` \| text, cut to (\d+) characters; other JSON", PAGE, re.MULTILINE)
    assert rows == [(name, str(WORDS)) for name in ("error", "errorMessage", "message")]


def test_every_example_can_be_read() -> None:
    examples = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) > 15
    for example in examples:
        json.loads(example)
