"""From a stack file, or from the engine's configuration, to a ClusterSpec. Every problem is one SpecError."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from railbed.catalog import nearest, strict_yaml
from railbed.errors import SpecError, Unsupported
from railbed.spec import checks, secrets
from railbed.spec.cluster import VERSION, ClusterSpec
from railbed.spec.platforms import KINDS
from railbed.spec.problems import key_path, shown, spec_error
from railbed.text import obeyed, plain

CONFIG_KEY = "railbed:cluster"
SEVERAL_LINES = {".software.mirror.key": "\r\n", ".site.directory.ca": "\r\n"}
"""Text of several lines, and what may stand between them: an armoured key, certificates."""
CATALOGUE_ONLY = {
    "coreweave": "its Pulumi package has no resource for GPU nodes (coreweave 1.0.1)",
    "crusoe": "there is no Pulumi package for it",
    "tencentcloud": "there is no Pulumi package for it on PyPI",
}
"""Vendors whose machines the catalogue knows, and why nothing is built there."""


def load(path: Path) -> ClusterSpec:
    """The spec in a stack file (``config: {railbed:cluster: …}``). Raises SpecError or Unsupported."""
    try:
        data = strict_yaml.read(path)
    except strict_yaml.YamlProblem as problem:
        where = f"{path}:{problem.line}" if problem.line else str(path)
        raise SpecError(
            problem.message, path=where, allowed=problem.allowed, hint=problem.hint, code="SPEC_FILE"
        ) from None
    config = data.get("config") if isinstance(data, dict) else None
    if not isinstance(config, dict):
        raise SpecError(
            "a stack file has a mapping `config`",
            path=str(path),
            found=shown(data),
            allowed="config: {railbed:cluster: …}",
            hint="see examples/ for a whole stack file",
            code="SPEC_FILE",
        )
    if CONFIG_KEY not in config:
        near = nearest(CONFIG_KEY, [str(key) for key in config])
        raise SpecError(
            f"the stack file has no {CONFIG_KEY}",
            path=f"{path}:config",
            found=list(config),
            allowed=[CONFIG_KEY],
            hint=f"rename {near} to {CONFIG_KEY}" if near else "see examples/ for a whole stack file",
            code="SPEC_FILE",
        )
    return from_config(config[CONFIG_KEY], f"{path}:{CONFIG_KEY}")


def from_config(data: Any, where: str) -> ClusterSpec:
    """The spec in plain data; ``where`` (``file:key``) begins every error's path.

    Raises SpecError, or Unsupported for a platform that no release has built.
    """
    if not isinstance(data, dict):
        raise SpecError(
            "the spec is not a mapping",
            path=where,
            found=shown(data),
            allowed="a mapping of keys to values",
            hint="see examples/ for a whole stack file",
        )
    for at, what in secrets.find(data):
        raise SpecError(
            f"{what}; a spec never holds a secret",
            path=where + plain(at),
            allowed="no secrets",
            hint="remove it and change that secret now; railbed makes the cluster's own",
            code="SPEC_SECRET",
        )
    for at, what in _control_characters(data):
        raise SpecError(
            f"here is {what}",
            path=where + at,
            allowed="text that is shown as it is",
            hint="write it again; such characters come with copied text, or hide what is there",
        )
    _check_version(data.get("version"), where)
    _check_platform(data.get("platform"), where)
    try:
        spec = ClusterSpec.model_validate(data)
    except ValidationError as wrong:
        raise spec_error(wrong, where) from None
    checks.check(spec, where)
    return spec


def spec_hash(spec: ClusterSpec) -> str:
    """SHA-256 of the spec's canonical JSON, defaults filled in: equal for specs that mean the same.

    Without the people: a certificate does not end because somebody joined a team (docs/adr/0024-people-and-the-certificate.md).
    """
    machines = spec.model_dump(mode="json", exclude={"users": True, "tenants": True, "access": {"user_ca"}})
    body = json.dumps(machines, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(body.encode()).hexdigest()


def _check_version(version: Any, where: str) -> None:
    if isinstance(version, int) and not isinstance(version, bool) and version > VERSION:
        raise SpecError(
            "the spec is of a newer version than this railbed reads",
            path=key_path(where, ["version"]),
            found=version,
            allowed=VERSION,
            hint="update railbed",
            code="SPEC_VERSION",
        )


def _check_platform(platform: Any, where: str) -> None:
    """Settles the kind first: what a kind that is not built would allow cannot be checked key by key."""
    if not isinstance(platform, dict):
        return
    kind, known = platform.get("kind"), [*KINDS]
    path = key_path(where, ["platform", "kind"])
    if kind is None:
        raise SpecError("the key 'kind' is missing", path=path, allowed=known, hint="add `kind:`")
    if isinstance(kind, str) and kind in CATALOGUE_ONLY:
        hint = f"{CATALOGUE_ONLY[kind]}; build on one of {', '.join(KINDS)}"
        raise Unsupported(f"platform {kind}", "building a cluster", hint, path=path)
    if kind not in KINDS:
        near = nearest(str(kind), known)
        raise SpecError(
            "kind is not a platform that railbed knows",
            path=path,
            found=shown(kind),
            allowed=known,
            hint=f"did you mean {near}?" if near else "choose one of those",
        )


def _control_characters(data: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """``(key path, what is there)`` of each text in ``data`` with such a character, keys of mappings included.

    Control characters (newline, NUL, ESC), format characters (bidi overrides, zero width), surrogates, private use, and
    separators of lines and paragraphs.
    """
    if isinstance(data, dict):
        for key, value in data.items():
            if odd := _first_obeyed(str(key), ""):
                yield path, f"a key with the character {odd}"
                continue
            yield from _control_characters(value, f"{path}.{key}")
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _control_characters(value, f"{path}[{index}]")
    elif isinstance(data, str) and (odd := _first_obeyed(data, SEVERAL_LINES.get(path, ""))):
        yield path, f"text with the character {odd}"


def _first_obeyed(text: str, allowed: str) -> str:
    """The first such character as ``U+202E RIGHT-TO-LEFT OVERRIDE``; empty where there is none."""
    if text.isascii() and text.isprintable():
        return ""
    found = next((c for c in text if c not in allowed and obeyed(c)), "")
    return f"U+{ord(found):04X} {unicodedata.name(found, '')}".rstrip() if found else ""
