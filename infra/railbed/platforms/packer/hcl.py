"""Data → HCL2 text, as Packer reads it (github.com/hashicorp/hcl, hclsyntax/spec.md): attributes, blocks, quoted strings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
INDENT = "  "


@dataclass(frozen=True)
class Raw:
    """An expression, e.g. ``var.subnet``: written as it is, so never with a value of the spec in it."""

    text: str


@dataclass(frozen=True)
class Block:
    """``name "label" { … }``."""

    name: str
    labels: tuple[str, ...] = ()
    attributes: Mapping[str, Value] = field(default_factory=dict)
    blocks: Sequence[Block] = ()


Value = str | bool | int | Raw | Sequence["Value"] | Mapping[str, "Value"]


def text(blocks: Sequence[Block]) -> str:
    """The whole file."""
    return "\n".join("\n".join(_block(one, "")) + "\n" for one in blocks)


def quoted(value: str) -> str:
    """A string that means exactly ``value``: HCL would take ``${`` and ``%{`` for templates."""
    return json.dumps(value).replace("${", "$${").replace("%{", "%%{")


def _block(block: Block, indent: str) -> Iterator[str]:
    labels = "".join(f" {quoted(label)}" for label in block.labels)
    yield f"{indent}{block.name}{labels} {{"
    inner = indent + INDENT
    width = max((len(name) for name in block.attributes), default=0)
    for name, value in block.attributes.items():
        yield f"{inner}{_name(name):<{width}} = {_value(value, inner)}"
    for place, one in enumerate(block.blocks):
        if place or block.attributes:
            yield ""
        yield from _block(one, inner)
    yield f"{indent}}}"


def _value(value: Value, indent: str) -> str:
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    inner = indent + INDENT
    if isinstance(value, Mapping):
        if not value:
            return "{}"
        lines = [f"{inner}{_name(name)} = {_value(one, inner)}" for name, one in value.items()]
        return "{\n" + "\n".join(lines) + f"\n{indent}}}"
    return "[" + ", ".join(_value(one, inner) for one in value) + "]"


def _name(name: str) -> str:
    return name if NAME.fullmatch(name) else quoted(name)
