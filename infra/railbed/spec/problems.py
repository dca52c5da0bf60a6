"""Turns what pydantic says into one SpecError: where, what was found, what is allowed, the nearest valid key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from railbed.catalog import nearest
from railbed.errors import SpecError
from railbed.spec.cluster import ClusterSpec

_TYPES = {
    "int_type": "a whole number, without quotes",
    "float_type": "a number, without quotes",
    "string_type": "text (quote it if it looks like a number or true/false)",
    "bool_type": "true or false, without quotes",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "finite_number": "a finite number",
    "int_from_float": "a whole number",
}
_WORST_FIRST = ("extra_forbidden", "missing")
SHOWN_CHARACTERS = 80


def key_path(where: str, location: Sequence[int | str]) -> str:
    """``where`` and the keys below it: ``Pulumi.lab.yaml:railbed:cluster.pools[0].nodes``."""
    return where + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def spec_error(wrong: ValidationError, where: str) -> SpecError:
    """The error to show for ``wrong``: unknown and missing keys first, since they explain the others."""
    found = wrong.errors(include_url=False)
    first = min(found, key=lambda e: _WORST_FIRST.index(e["type"]) if e["type"] in _WORST_FIRST else 2)
    model, location = _model_at(first["loc"])
    more = len({_model_at(e["loc"])[1] for e in found}) - 1
    message, allowed, hint = _words(first, model, location)
    if more:
        message += f" (and {more} more problem{'s' if more > 1 else ''})"
    value = None if first["type"] == "missing" else shown(first.get("input"))
    return SpecError(message, path=key_path(where, location), found=value, allowed=allowed, hint=hint)


def shown(value: Any) -> Any:
    """``value``, cut where it is long."""
    text = repr(value)
    return value if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


def _words(error: Any, model: type[BaseModel], location: tuple[int | str, ...]) -> tuple[str, Any, str]:
    kind, context = error["type"], error.get("ctx", {})
    key = str(location[-1]) if location else "the spec"
    if kind == "extra_forbidden":
        known = list(model.model_fields)
        near = nearest(key, known)
        return f"unknown key {key!r}", known, f"did you mean {near}?" if near else "remove it"
    if kind == "missing":
        return f"the key {key!r} is missing", _description(model, key), f"add `{key}:`"
    if kind in ("literal_error", "union_tag_invalid"):
        allowed = list(_literals(model, key)) or context.get("expected", context.get("expected_tags"))
        near = nearest(str(error["input"]), [str(a) for a in allowed]) if isinstance(allowed, list) else ""
        return f"{key} has a value that is not one of the allowed", allowed, f"did you mean {near}?" if near else "choose an allowed one"  # fmt: skip
    if kind == "union_tag_not_found":
        return "the key 'kind' is missing", "kind: one of the platforms", "add `kind:`"
    if kind == "string_pattern_mismatch":
        return (
            f"{key} has a form that is not allowed",
            _form(context["pattern"]),
            "write it in the allowed form",
        )
    if kind == "value_error":
        reason = str(context["error"])
        return f"{key} {reason}", reason.split(", like ")[-1] if ", like " in reason else reason, "write it in the allowed form"  # fmt: skip
    if kind in _TYPES:
        return f"{key} is of the wrong type", _TYPES[kind], f"write {_TYPES[kind]}"
    limits = {"greater_than": ">", "greater_than_equal": "≥", "less_than": "<", "less_than_equal": "≤"}
    if kind in limits:
        bound = context[{"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}[kind]]  # fmt: skip
        return f"{key} is out of range", f"{limits[kind]} {bound:g}", "choose a value within the range"
    return f"{key}: {error['msg']}", error["msg"], "correct the value"


def _form(pattern: str) -> str:
    forms = {
        r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$": "an RFC 1123 name: a-z, 0-9 and inner hyphens, at most 63 characters",
        r"^[a-z_][a-z0-9_-]{0,31}$": "a login name: a-z, 0-9, _ and -, at most 32 characters",
        r"^https://[^\s@]+$": "https://…, without user or password",
    }
    return forms.get(pattern, pattern)


def _description(model: type[BaseModel], key: str) -> str:
    field = model.model_fields.get(key)
    return f"{key}: {field.description}" if field and field.description else f"the key {key}"


def _literals(model: type[BaseModel], key: str) -> tuple[Any, ...]:
    field = model.model_fields.get(key)
    return tuple(a for a in get_args(field.annotation) if isinstance(a, str | int)) if field else ()


def _model_at(location: Sequence[int | str]) -> tuple[type[BaseModel], tuple[int | str, ...]]:
    """The model that holds the last key of ``location``, and the location without the tags that pydantic adds."""
    model: type[BaseModel] = ClusterSpec
    here: Any = ClusterSpec
    keys: list[int | str] = []
    for part in location:
        if _is_model(here):
            model = here
            field = here.model_fields.get(str(part))
            here = field.annotation if field else None
            keys.append(part)
        elif get_origin(here) is list:
            here = get_args(here)[0]
            keys.append(part)
        elif get_origin(here) is dict:
            here = get_args(here)[1]
            keys.append(part)
        elif members := [m for m in get_args(here) if _is_model(m) and part in _tags(m)]:
            here = members[0]
    return model, tuple(keys)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    field = model.model_fields.get("kind")
    return get_args(field.annotation) if field else ()
