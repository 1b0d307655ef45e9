"""The workflows of deploy/n8n: made of n8n's own nodes, without code and secrets, and as docs/n8n.md promises them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

Json = dict[str, Any]

FOLDER = Path(__file__).parents[2] / "deploy" / "n8n"
FILES = sorted(FOLDER.glob("*.json"), key=lambda file: file.stem)
RENDERING = [file for file in FILES if file.stem != "errors"]
DIES_SILENTLY = {"code", "function", "functionItem", "executeCommand"}
CREDENTIALS = {"Reelway calls n8n", "Reelway webhook secret", "Reelway signing key"}
LONGEST_PAUSE_IN_MEMORY_MINUTES = 65 / 60


def workflow(name: str | Path) -> Json:
    content: Json = json.loads((FOLDER / name).read_text())
    return content


def node(content: Json, name: str) -> Json:
    (found,) = (one for one in content["nodes"] if one["name"] == name)
    parameters: Json = found["parameters"]
    return parameters


def texts(value: Any) -> list[str]:
    """Return every text in it."""
    if isinstance(value, dict):
        return [text for one in value.values() for text in texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in texts(one)]
    return [value] if isinstance(value, str) else []


def test_all_are_here() -> None:
    assert [file.stem for file in FILES] == ["create", "errors", "generate", "generate-signed"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_only_n8ns_own_nodes_and_no_code(file: Path) -> None:
    kinds = {one["type"] for one in workflow(file)["nodes"]}
    assert all(kind.startswith("n8n-nodes-base.") for kind in kinds)
    assert not {kind.removeprefix("n8n-nodes-base.") for kind in kinds} & DIES_SILENTLY


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_credentials_are_named_and_no_secret_is_inside(file: Path) -> None:
    content = workflow(file)
    used = [one for each in content["nodes"] for one in each.get("credentials", {}).values()]
    assert {one["name"] for one in used} <= CREDENTIALS
    assert all(one.keys() == {"id", "name"} for one in used)
    assert content["pinData"] == {}
    assert "meta" not in content
    assert not [text for text in texts(content) if re.search(r"whsec_|token=|Bearer |\$env", text)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_wire_leads_somewhere(file: Path) -> None:
    content = workflow(file)
    names = [one["name"] for one in content["nodes"]]
    assert len(set(names)) == len(names)
    targets = [
        wire["node"] for outputs in content["connections"].values() for output in outputs["main"] for wire in output
    ]
    assert {*targets, *content["connections"]} <= set(names)
    referred = {name for text in texts(content["nodes"]) for name in re.findall(r"\$\('([^']+)'\)", text)}
    assert referred <= set(names)


@pytest.mark.parametrize("file", RENDERING, ids=lambda file: file.stem)
def test_what_a_call_meets(file: Path) -> None:
    content = workflow(file)
    call = node(content, "Call from Reelway")
    assert call["path"] == {"create": "create-video", "generate": "generate-video"}.get(
        file.stem, "generate-video-signed"
    )
    assert (call["authentication"], call["responseMode"]) == ("headerAuth", "onReceived")
    assert call["options"]["responseCode"]["values"]["customCode"] == 202
    assert "executionId: $execution.id" in call["options"]["responseData"]
    assert content["settings"]["errorWorkflow"] == workflow("errors.json")["id"]
    assert content["settings"]["saveDataSuccessExecution"] == content["settings"]["saveDataErrorExecution"] == "all"


@pytest.mark.parametrize("file", RENDERING, ids=lambda file: file.stem)
def test_the_way_from_the_call_to_what_costs_money(file: Path) -> None:
    """First of all the executionId is told, then the call is noted, then the first one with its key goes on."""
    connections = workflow(file)["connections"]
    way, name = [], "Call from Reelway"
    while name != "Start rendering (yours)":
        (name, *_) = (wire["node"] for wire in connections[name]["main"][0])
        way.append(name)
    told, noted, chosen = way.index("Tell the executionId"), way.index("Note this call"), way.index("This one?")
    assert told < noted < chosen
    assert connections["This one?"]["main"][1] == [{"node": "Rendered once already", "type": "main", "index": 0}]
    assert "Rendered once already" not in connections


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_pauses_outlive_a_restart_and_last_for_hours(file: Path) -> None:
    content = workflow(file)
    for one in content["nodes"]:
        if one["type"] == "n8n-nodes-base.wait":
            pause = one["parameters"]
            assert pause["unit"] == "minutes"
            assert pause["amount"] == 1.1 or pause["amount"] == "={{ Math.min(30, 1.1 * Math.pow(2, $runIndex)) }}"
    assert LONGEST_PAUSE_IN_MEMORY_MINUTES < 1.1
    given_up = next(rule for rule in node(content, "Answer?")["rules"]["values"] if rule["outputKey"] == "given up")
    assert given_up["conditions"]["conditions"][0]["leftValue"] == "={{ $runIndex >= 24 }}"
    assert 9 < sum(min(30, 1.1 * 2**run) for run in range(24)) / 60 < 11


def test_create_is_generate_but_for_its_names() -> None:
    create, generate = workflow("create.json"), workflow("generate.json")
    for content in (create, generate):
        for name in ("id", "name"):
            del content[name]
        (hook,) = (one for one in content["nodes"] if one["type"] == "n8n-nodes-base.webhook")
        del hook["webhookId"], hook["parameters"]["path"]
    assert create == generate


def test_only_the_signed_one_signs_and_it_keeps_the_token_to_itself() -> None:
    for file in RENDERING:
        content = workflow(file)
        signs = [one for one in content["nodes"] if one["type"] == "n8n-nodes-base.crypto"]
        addresses = [text for text in texts(content["nodes"]) if ".callbacks." in text]
        assert bool(signs) == (file.stem == "generate-signed") == all("split('?')[0]" in text for text in addresses)
        assert {one["name"] for sign in signs for one in sign["credentials"].values()} <= {"Reelway signing key"}
