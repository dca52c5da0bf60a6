"""YAML without its surprises: no tags, anchors, aliases or repeated keys, bounded size and depth, text keys only.

Scalars follow YAML 1.2's core schema (``no`` and ``2027-03-01`` are text, ``1e3`` is a number), which is what the
Pulumi engine reads too: a value never changes its type between the two.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32

_SCALARS = (
    ("tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("tag:yaml.org,2002:int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    (
        "tag:yaml.org,2002:float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        list("-+.0123456789"),
    ),
)


class YamlProblem(Exception):
    """The text is not YAML that railbed takes. ``line`` counts from 1; 0 where no line is to blame."""

    def __init__(self, message: str, *, line: int = 0, allowed: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.allowed = allowed
        self.hint = hint


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own class attribute, filled below

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                raise YamlProblem(
                    "a key is not text", line=_line(key), allowed="text keys", hint="quote the key"
                )
            if key.value in seen:
                raise YamlProblem(f"the key {key.value!r} is there twice", line=_line(key), allowed="each key once",
                                  hint="remove one of the two")  # fmt: skip
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        return int(node.value) if len(node.value) <= 40 else _too_long(node)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        return float(re.sub(r"\.(inf|nan)$", r"\1", node.value.lower()))


def _too_long(node: yaml.ScalarNode) -> int:
    raise YamlProblem("a number has more than 40 digits", line=_line(node), allowed="a number that fits its field",
                      hint="write a smaller number")  # fmt: skip


for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)


def read(path: Path) -> Any:
    """The data in the file. Raises YamlProblem for a missing, unreadable, binary or too large file and for bad YAML."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise YamlProblem(f"the file has more than {MAX_BYTES // 1024} KiB", allowed=f"≤ {MAX_BYTES} bytes",
                              hint="is this the right file?")  # fmt: skip
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise YamlProblem("the file does not exist", allowed="a YAML file", hint="check the path") from None
    except UnicodeDecodeError:
        raise YamlProblem("the file is not text (UTF-8)", allowed="YAML in UTF-8", hint="is this the right file?") from None  # fmt: skip
    except OSError as failed:
        raise YamlProblem(f"the file cannot be read ({failed.strerror})", allowed="a readable YAML file",
                          hint="check the path and its permissions") from None  # fmt: skip
    return parse(text)


def parse(text: str) -> Any:
    """The one document in ``text``. Raises YamlProblem."""
    try:
        _refuse_traps(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with fewer types
    except yaml.MarkedYAMLError as broken:
        line = broken.problem_mark.line + 1 if broken.problem_mark else 0
        raise YamlProblem(f"this is not YAML: {broken.problem}", line=line, allowed="valid YAML",
                          hint="check the indentation, the quotes and the brackets near that line") from None  # fmt: skip
    except yaml.YAMLError as broken:
        reason = str(broken).splitlines()[0]
        raise YamlProblem(f"this is not YAML: {reason}", allowed="valid YAML", hint="is this the right file?") from None  # fmt: skip


def _refuse_traps(text: str) -> None:
    """Looks at the events only, so that nothing is built before a bomb is seen."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        anchor = getattr(event, "anchor", None)
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or anchor:
            raise YamlProblem(f"YAML anchors and aliases are refused (&{anchor} or *{anchor})", line=line,
                              allowed="plain values", hint="write the value out")  # fmt: skip
        if tag := getattr(event, "tag", None):
            raise YamlProblem(f"YAML tags are refused ({tag})", line=line, allowed="plain values",
                              hint="remove the tag")  # fmt: skip
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise YamlProblem(f"the YAML is nested deeper than {MAX_DEPTH}", line=line,
                                  allowed=f"depth ≤ {MAX_DEPTH}", hint="is this the right file?")  # fmt: skip
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    if documents > 1:
        raise YamlProblem("the file holds several YAML documents", allowed="one document", hint="remove the `---` lines")  # fmt: skip


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
