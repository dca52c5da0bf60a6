"""Rules over one resource each: plain functions, type token and properties in, sentences out."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from typing import Any

from railbed_policy.facts import facts
from railbed_policy.ingress import openings
from railbed_policy.values import UNKNOWN, found, is_said

SSH = 22
TAGS = ("railbed-cluster", "railbed-stack")
"""On everything that railbed makes (railbed.platforms.cloud.tags)."""
Props = dict[str, Any]


def public_ssh(token: str, props: Props) -> Iterator[str]:
    """SSH is never open to the internet, nor to a large part of it."""
    shape = facts(token).ingress
    for opening in openings(shape, props) if shape else ():
        source = opening.to_the_world()
        if source and opening.reaches(SSH):
            yield f"port {SSH} is open to {source}: name the networks in `access.ssh_from`"


def public_address(token: str, props: Props, name: str, allowed: Sequence[str] = ()) -> Iterator[str]:
    """No node has a public address. ``allowed``: patterns of names that may (a bastion)."""
    if any(fnmatch.fnmatch(name, pattern) for pattern in allowed):
        return
    known = facts(token)
    if known.is_public:
        yield "it gives a node a public address"
    for path in known.public:
        if any(is_said(value) for value in found(props, path)):
            yield f"{path} gives nodes a public address"
    for path in known.private:
        if not any(is_said(value) for value in found(props, path)):
            yield f"{path} is not set: nodes may get public addresses"


def unprotected(token: str, name: str, protect: bool, allowed: Sequence[str] = ()) -> Iterator[str]:
    """What holds data is protected. ``allowed``: patterns of names whose data may go (``keep_on_destroy: false``)."""
    if facts(token).data and not protect and not any(fnmatch.fnmatch(name, one) for one in allowed):
        yield "it holds data and is not protected: set `keep_on_destroy: true`, or allow it by name in this policy's settings"


def missing_tags(token: str, props: Props) -> Iterator[str]:
    """Everything that can be tagged says whose it is."""
    carried = tags(token, props)
    lacking = [tag for tag in TAGS if carried is not None and tag not in carried]
    if lacking:
        yield f"it lacks the tags {', '.join(lacking)}"


def tags(token: str, props: Props) -> dict[str, str] | None:
    """Its tags, whichever way the provider writes them; None where it cannot be tagged, or only the update knows them."""
    values = [value for path in facts(token).tags for value in found(props, path)]
    if not facts(token).tags or any(value is UNKNOWN for value in values):
        return None
    return dict(pair for value in values for pair in _pairs(value))


def _pairs(value: Any) -> Iterator[tuple[str, str]]:
    """A map, ``{key, value}`` items, or ``key=value`` words."""
    if isinstance(value, dict) and {"key", "value"} <= value.keys():
        yield str(value["key"]), str(value["value"])
    elif isinstance(value, dict):
        yield from ((str(key), str(one)) for key, one in value.items())
    elif isinstance(value, str):
        key, _, one = value.partition("=")
        yield key, one
