"""The JSON Schema says what the loader takes: every file holds, and what is spoilt does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from railbed import catalog
from railbed.catalog import strict_yaml

OWN = Path(catalog.__file__).parent
ALL = [(kind, key) for kind in catalog.KINDS for key in catalog.keys(kind)]


def data(kind: str, key: str) -> Any:
    return strict_yaml.read(OWN / catalog.file_of(kind, key))


@pytest.mark.parametrize(("kind", "key"), ALL)
def test_every_file_holds(kind: str, key: str) -> None:
    validator = jsonschema.Draft202012Validator(catalog.file_schema(kind))
    assert [wrong.message for wrong in validator.iter_errors(data(kind, key))] == []


@pytest.mark.parametrize("kind", catalog.KINDS)
def test_schemas_are_schemas(kind: str) -> None:
    schema = catalog.file_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    "change",
    [
        {"facts": {"rails": {"value": 8}}},
        {"facts": {"rails": {"value": "8", "source": "lab"}}},
        {"facts": {"rail": {"value": 8, "source": "lab"}}},
        {"unpublished": {"wheels": "none"}},
        {"sources": {}},
        {"price": 5},
    ],
)
def test_what_is_spoilt_does_not(change: dict[str, Any]) -> None:
    good = data("machines", "lab/rail8")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**good, **change}, catalog.file_schema("machines"))


def test_facts_are_described() -> None:
    facts = catalog.file_schema("machines")["properties"]["facts"]["properties"]
    assert "A rail is all NICs" in facts["rails"]["description"]
    assert "nic_gbps" in facts
    assert not [name for name in facts if name.startswith("known_")]
