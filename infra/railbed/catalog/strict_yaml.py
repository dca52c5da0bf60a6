"""YAML without its surprises: no tags, anchors, aliases, repeated keys or keys that are not text; bounded.

Scalars follow YAML 1.2's core schema (``no`` and ``2027-03-01`` are text, ``1e3`` is a number), as in the
Pulumi engine: a value has the same type in both.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_DIGITS = 40
READ_AGAIN_BYTES = 16 * 1024
"""Of a text that is not YAML, up to this size a slower parser is asked where it is wrong."""

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

    def __init__(self, message: str, allowed: str, hint: str, *, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.allowed = allowed
        self.hint = hint
        self.line = line


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser where PyYAML was built with it: ten times as fast, with the same marks."""


class _Loader(_Base):  # type: ignore[misc]  # one of two classes, known at run time only
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own class attribute, filled below

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                raise YamlProblem(
                    "a key is not text", "text keys", "quote the key", line=_line(key.start_mark)
                )
            if key.value in seen:
                raise YamlProblem(
                    f"the key {key.value!r} is there twice", "each key once", "remove one of the two",
                    line=_line(key.start_mark),
                )  # fmt: skip
            seen.add(key.value)
        made: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return made

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > MAX_DIGITS:
            raise YamlProblem(
                f"a number has more than {MAX_DIGITS} digits", "a number that fits its field",
                "write a smaller number", line=_line(node.start_mark),
            )  # fmt: skip
        return int(node.value)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        return float(re.sub(r"\.(inf|nan)$", r"\1", node.value.lower()))


for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)


def read(path: Path) -> Any:
    """The data in the file. Raises YamlProblem for a missing, binary or too large one and for bad YAML."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise YamlProblem("the file does not exist", "a YAML file", "check the path") from None
    except UnicodeDecodeError:
        raise YamlProblem(
            "the file is not text (UTF-8)", "YAML in UTF-8", "is this the right file?"
        ) from None
    except OSError as failed:
        raise YamlProblem(
            f"the file cannot be read ({failed.strerror})", "a readable YAML file",
            "check the path and its permissions",
        ) from None  # fmt: skip
    if len(raw) > MAX_BYTES:
        raise YamlProblem(
            f"the file has more than {MAX_BYTES // 1024} KiB",
            f"≤ {MAX_BYTES} bytes",
            "is this the right file?",
        )
    return parse(text)


def parse(text: str) -> Any:
    """The one document in ``text``. Raises YamlProblem."""
    try:
        refuse_traps(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with fewer types
    except yaml.MarkedYAMLError as broken:
        found = _as_python_sees_it(text) or broken
        raise YamlProblem(
            f"this is not YAML: {found.problem}",
            "valid YAML",
            "check the indentation, the quotes and the brackets near that line",
            line=_line(found.problem_mark),
        ) from None
    except yaml.YAMLError as broken:
        reason = str(broken).splitlines()[0]
        raise YamlProblem(f"this is not YAML: {reason}", "valid YAML", "is this the right file?") from None


def _as_python_sees_it(text: str) -> yaml.MarkedYAMLError | None:
    """The error as PyYAML's own parser words it: it points at the line that is wrong, libyaml at where it gave up.

    That parser takes quadratic time where brackets are nested, so that neither long nor deep texts are given to it.
    """
    if len(text) > READ_AGAIN_BYTES:
        return None
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += _nesting(event)
            if depth > MAX_DEPTH:
                return None
    except yaml.MarkedYAMLError as broken:
        return broken
    return None


def _nesting(event: yaml.Event) -> int:
    """1 where a list or mapping begins, -1 where one ends."""
    return isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)


def refuse_traps(text: str) -> None:
    """Raises YamlProblem for anchors, aliases, tags, several documents and deep nesting, and yaml.YAMLError.

    Looks at the events only, so that nothing is built before a bomb is seen.
    """
    depth = documents = 0
    for event in yaml.parse(text, Loader=_Base):
        line = _line(event.start_mark)
        if anchor := getattr(event, "anchor", None):
            raise YamlProblem(
                f"YAML anchors and aliases are refused ({anchor!r})",
                "plain values",
                "write the value out",
                line=line,
            )
        if tag := getattr(event, "tag", None):
            raise YamlProblem(f"YAML tags are refused ({tag})", "plain values", "remove the tag", line=line)
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += _nesting(event)
        if depth > MAX_DEPTH:
            raise YamlProblem(
                f"the YAML is nested deeper than {MAX_DEPTH}",
                f"depth ≤ {MAX_DEPTH}",
                "is this the right file?",
                line=line,
            )
    if documents > 1:
        raise YamlProblem("the file holds several YAML documents", "one document", "remove the `---` lines")


def _line(mark: Any) -> int:
    return int(mark.line) + 1 if mark is not None else 0
