"""Turns what pydantic says into one SpecError: where, what was found, what is allowed, the nearest key."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from railbed.catalog import nearest
from railbed.errors import SpecError
from railbed.spec.cluster import ClusterSpec

SHOWN_CHARACTERS = 80
Location = tuple[int | str, ...]
Words = tuple[str, Any, str]
"""Message, what is allowed, what to do."""


def key_path(where: str, location: Sequence[int | str]) -> str:
    """``where`` and the keys below it: ``Pulumi.lab.yaml:railbed:cluster.pools[0].nodes``."""
    return where + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def shown(value: Any) -> Any:
    """``value``, cut where it is long, and as text where JSON has no such number."""
    text = repr(value)
    if len(text) > SHOWN_CHARACTERS:
        return text[:SHOWN_CHARACTERS] + "…"
    try:
        json.dumps(value, allow_nan=False)
    except (ValueError, TypeError):
        return text
    return value


def spec_error(wrong: ValidationError, where: str) -> SpecError:
    """The error to show for ``wrong``: unknown and missing keys first, since they explain the others."""
    rank = {"extra_forbidden": 0, "missing": 1}
    errors: list[Any] = sorted(wrong.errors(include_url=False), key=lambda e: rank.get(e["type"], 2))
    places = [_place(error["loc"]) for error in errors]
    model, location = places[0]
    key = str(location[-1]) if location else "the spec"
    # A value that may be of two kinds fails once for each: together they say what is allowed.
    answers = [_words(e, model, key) for e, place in zip(errors, places, strict=True) if place[1] == location]
    message, allowed, hint = answers[0]
    if len(answers) > 1:
        allowed = " or ".join(str(answer[1]) for answer in answers)
        hint = "write one of the allowed"
    others = len({place[1] for place in places}) - 1
    if others:
        message += f" (and {others} more problem{'s' if others > 1 else ''})"
    found = None if errors[0]["type"] == "missing" else shown(errors[0].get("input"))
    return SpecError(message, path=key_path(where, location), found=found, allowed=allowed, hint=hint)


def _words(error: Any, model: type[BaseModel], key: str) -> Words:
    kind = error["type"]
    if kind in _TYPES:
        return f"{key} is of the wrong type", _TYPES[kind], f"write {_TYPES[kind]}"
    if kind in _LIMITS:
        sign, name = _LIMITS[kind]
        return f"{key} is out of range", f"{sign} {error['ctx'][name]:g}", "choose a value within the range"
    return _HANDLERS.get(kind, _other)(error, model, key)


def _unknown(_error: Any, model: type[BaseModel], key: str) -> Words:
    known = list(model.model_fields)
    near = nearest(key, known)
    return f"unknown key {key!r}", known, f"did you mean {near}?" if near else "remove it"


def _missing(_error: Any, model: type[BaseModel], key: str) -> Words:
    field = model.model_fields.get(key)
    return f"the key {key!r} is missing", (field and field.description) or key, f"add `{key}:`"


def _choice(error: Any, model: type[BaseModel], key: str) -> Words:
    field = model.model_fields.get(key)
    allowed = list(get_args(field.annotation)) if field else []
    if not allowed or not all(isinstance(choice, str | int) for choice in allowed):
        return f"{key} is not one of the allowed values", error["ctx"]["expected"], "write an allowed one"
    near = nearest(str(error["input"]), [str(choice) for choice in allowed])
    return (
        f"{key} is not one of the allowed values",
        allowed,
        f"did you mean {near}?" if near else "write one of them",
    )


def _form(error: Any, model: type[BaseModel], key: str) -> Words:
    pattern = error["ctx"]["pattern"]
    field = model.model_fields.get(key)
    return (
        f"{key} has a form that is not allowed",
        _FORMS.get(pattern) or (field and field.description) or pattern,
        "write it in the allowed form",
    )


def _value(error: Any, _model: type[BaseModel], key: str) -> Words:
    reason = str(error["ctx"]["error"])
    example = reason.split(", like ")[-1].split(" (")[0] if ", like " in reason else reason
    return (
        f"{key} {reason}",
        f"like {example}" if example != reason else reason,
        "write it in the allowed form",
    )


def _length(error: Any, _model: type[BaseModel], key: str) -> Words:
    limit = error["ctx"].get("max_length", error["ctx"].get("min_length"))
    sign = "≤" if "max_length" in error["ctx"] else "≥"
    size = "long" if sign == "≤" else "short"
    return f"{key} is too {size}", f"{sign} {limit} characters or items", "change its length"


def _other(error: Any, _model: type[BaseModel], key: str) -> Words:
    return f"{key}: {error['msg']}", error["msg"], "correct the value"


_HANDLERS: dict[str, Callable[[Any, type[BaseModel], str], Words]] = {
    "extra_forbidden": _unknown,
    "missing": _missing,
    "literal_error": _choice,
    "string_pattern_mismatch": _form,
    "value_error": _value,
    "too_short": _length,
    "too_long": _length,
    "string_too_short": _length,
    "string_too_long": _length,
}
_LIMITS = {
    "greater_than": (">", "gt"),
    "greater_than_equal": ("≥", "ge"),
    "less_than": ("<", "lt"),
    "less_than_equal": ("≤", "le"),
}
_TYPES = {
    "int_type": "a whole number, without quotes",
    "float_type": "a number, without quotes",
    "string_type": "text (quote it if it looks like a number or like true or false)",
    "bool_type": "true or false, without quotes",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "finite_number": "a finite number",
}
_FORMS = {
    r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$": "an RFC 1123 name: a-z, 0-9 and inner hyphens, at most 63",
    r"^[a-z_][a-z0-9_-]{0,31}$": "a login name: a-z, 0-9, _ and -, at most 32",
    r"^https://[^\s@]+$": "https://…, without user or password",
}


def _place(location: Sequence[int | str]) -> tuple[type[BaseModel], Location]:
    """The model that holds the last key of ``location``, and the location without pydantic's own tags."""
    model: type[BaseModel] = ClusterSpec
    here: Any = ClusterSpec
    keys: list[int | str] = []
    for part in location:
        if _is_model(here):
            model = here
            field = here.model_fields.get(str(part))
            here = field.annotation if field else None
            keys.append(part)
        elif get_origin(here) in (list, dict):
            here = get_args(here)[-1]
            keys.append(part)
        elif members := [m for m in get_args(here) if _is_model(m) and part in _tags(m)]:
            here = members[0]
        here = _bare(here)
    return model, tuple(keys)


def _bare(annotation: Any) -> Any:
    """The annotation without its notes, and without the ``None`` of an optional part."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    members = [member for member in get_args(annotation) if member is not type(None)]
    optional = type(None) in get_args(annotation)
    return _bare(members[0]) if optional and len(members) == 1 else annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    field = model.model_fields.get("kind")
    return get_args(field.annotation) if field else ()
