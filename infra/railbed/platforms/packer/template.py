"""Packer's templates in their JSON form (developer.hashicorp.com/packer/docs/templates/hcl_templates/syntax-json)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


class Template(str):
    """A string in which Packer resolves ``${…}``: text of this program, never with a value of the spec in it."""


Value = str | bool | int | Sequence["Value"] | Mapping[str, "Value"]


def var(name: str) -> Template:
    """The value of a variable."""
    return Template(f"${{var.{name}}}")


def text(document: Mapping[str, Value]) -> str:
    """The whole file."""
    return json.dumps(_literal(document), indent=2) + "\n"


def _literal(value: Any) -> Any:
    """``value`` with every string that is no Template written so that it means itself: each would be one in JSON."""
    if isinstance(value, Template):
        return value
    if isinstance(value, str):
        return value.replace("${", "$${").replace("%{", "%%{")
    if isinstance(value, Mapping):
        return {_literal(name): _literal(one) for name, one in value.items()}
    return [_literal(one) for one in value] if isinstance(value, Sequence) else value
