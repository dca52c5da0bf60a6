"""JSON Schema of catalogue files, for editors: made from the models, so that the two cannot differ."""

from __future__ import annotations

from typing import Any

from railbed.catalog.facts import Published, Source
from railbed.catalog.loader import MODELS

_NOT_IN_FILES = ("key", "provenance", "unpublished")


def file_schema(kind: str) -> dict[str, Any]:
    """The schema of a file of ``kind`` (a key of MODELS)."""
    model = MODELS[kind]
    whole = model.model_json_schema(by_alias=True)
    properties: dict[str, Any] = {"sources": _sources()}
    required = ["title", "sources"]
    definitions = {name: _without_provenance(body) for name, body in whole.get("$defs", {}).items()}
    definitions.pop("Source", None)
    if issubclass(model, Published):
        names = model.fact_names()
        facts = {name: _fact(whole["properties"][name]) for name in names}
        properties["facts"] = {"type": "object", "properties": facts, "additionalProperties": False}
        properties["unpublished"] = {
            "type": "object",
            "description": whole["properties"]["unpublished"]["description"],
            "properties": {name: {"type": "string"} for name in names},
            "additionalProperties": False,
        }
        required.append("facts")
        texts = [name for name in ("title", "board") if name in whole["properties"]]
        groups = {name: whole["properties"][name] for name in ("results",) if name in whole["properties"]}
    else:
        texts = [name for name, body in whole["properties"].items() if body.get("type") == "string"]
        groups = {n: b for n, b in whole["properties"].items() if n not in (*_NOT_IN_FILES, *texts)}
        required.append("parts")
    if groups:
        properties["parts"] = {"type": "object", "properties": groups, "additionalProperties": False}
    properties |= {name: whole["properties"][name] for name in texts if name not in _NOT_IN_FILES}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"railbed catalogue: {kind}",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
        "$defs": definitions,
    }


def _fact(body: dict[str, Any]) -> dict[str, Any]:
    """A fact: the value that the model takes, and the name of a source."""
    described = {"description": body["description"]} if "description" in body else {}
    value = {name: part for name, part in body.items() if name not in ("default", "description", "title")}
    return {
        **described,
        "type": "object",
        "properties": {"value": value, "source": {"type": "string"}},
        "required": ["value", "source"],
        "additionalProperties": False,
    }


def _without_provenance(body: dict[str, Any]) -> dict[str, Any]:
    """A part as it stands in a file: with the name of a source where the model has the source itself."""
    if "provenance" not in body.get("properties", {}):
        return body
    properties = {n: p for n, p in body["properties"].items() if n != "provenance"}
    required = [n for n in body.get("required", []) if n != "provenance"]
    return {
        **body,
        "properties": {**properties, "source": {"type": "string"}},
        "required": [*required, "source"],
    }


def _sources() -> dict[str, Any]:
    one = Source.model_json_schema()
    one["properties"].pop("file")
    return {
        "type": "object",
        "description": "Name → where it was published, and when somebody last looked.",
        "additionalProperties": one,
        "minProperties": 1,
    }
