"""The layout of NVUE's YAML files: sorted keys, one a line, ``{}`` for a key alone. Written, and read back.

A fabric of 1,024 nodes is half a million such lines; the general reader takes 20 µs for each. ``read`` therefore knows
this layout only, and hands everything else to the general one.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

import yaml

from railbed.catalog import strict_yaml

Tree = dict[str, Any]
PLAIN = re.compile(r"^[A-Za-z][A-Za-z0-9._/-]*$|^[0-9]+x?$|^[0-9]+(\.[0-9]+){3}(/[0-9]+)?$")
"""Text that YAML takes for itself without quotes."""
LINE = re.compile(
    r'^( *)(- )?([A-Za-z0-9._/-]+|"(?:[^"\\]|\\.)*"):(?: (\{\}|[A-Za-z0-9._/-]+|"(?:[^"\\]|\\.)*"))?$'
)
STEP = 2


def write(tree: Tree) -> str:
    """The file of one ``set``."""
    lines = ["- set:\n"]
    _write(tree, STEP * STEP, lines)
    return "".join(lines)


def _write(tree: Tree, indent: int, lines: list[str]) -> None:
    pad = " " * indent
    for key in sorted(tree, key=natural):
        below = tree[key]
        if not isinstance(below, dict):
            lines.append(f"{pad}{_text(str(key))}: {_text(str(below))}\n")
        elif below:
            lines.append(f"{pad}{_text(str(key))}:\n")
            _write(below, indent + STEP, lines)
        else:
            lines.append(f"{pad}{_text(str(key))}: {{}}\n")


@lru_cache(maxsize=8192)
def natural(key: str) -> list[tuple[int, str]]:
    """``swp2`` before ``swp10``."""
    return [(int(part[:18]), part) if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", key)]


@lru_cache(maxsize=8192)
def _text(text: str) -> str:
    return text if PLAIN.match(text) else json.dumps(text)


def read(text: str) -> Any:
    """The data of a file; every scalar is text. Raises yaml.YAMLError, and YamlProblem for a trap."""
    known = _plain(text)
    if known is not None:
        return known
    strict_yaml.refuse_traps(text)
    return yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # noqa: S506 - text only


def _plain(text: str) -> list[Tree] | None:
    """The data of a file in this layout; None for any other."""
    lines = text.splitlines()
    if not lines or lines[0] != "- set:":
        return None
    root: Tree = {}
    open_at: list[tuple[int, Tree]] = [(STEP * STEP, root)]
    awaited: Tree | None = None
    for line in lines[1:]:
        found = LINE.match(line)
        if found is None or found[2]:
            return None
        indent, key, value = len(found[1]), found[3], found[4]
        if awaited is not None:
            if indent != open_at[-1][0] + STEP:
                return None
            open_at.append((indent, awaited))
        while open_at and open_at[-1][0] > indent:
            open_at.pop()
        if not open_at or open_at[-1][0] != indent:
            return None
        name = json.loads(key) if key[0] == '"' else key
        into = open_at[-1][1]
        if name in into:
            return None
        awaited = None
        if value is None:
            awaited = into[name] = {}
        elif value == "{}":
            into[name] = {}
        else:
            into[name] = json.loads(value) if value[0] == '"' else value
    return [{"set": root}] if awaited is None else None
