"""What nobody published a fingerprint or hash of: fetched, shown, and recorded in a site's own catalogue."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any, Literal

import yaml

from railbed.catalog import OVERLAY, Release, strict_yaml
from railbed.claims import FrozenModel
from railbed.effects import files, openpgp
from railbed.effects.download import download
from railbed.errors import UsageError

SHOWN_BY = {"key": "gpg --show-keys of {url}", "file": "sha256sum of {url}"}


class Seen(FrozenModel):
    """What lies at an address now; nothing says yet that it is its publisher's."""

    name: str
    """Of the key, or the component, in the release."""
    kind: Literal["key", "file"]
    url: str
    values: list[str]
    """Fingerprints of the public keys, or the one SHA-256."""


def lacking(release: Release) -> dict[str, list[tuple[Literal["key", "file"], str]]]:
    """Name → kind and address of each thing that has no fingerprint or hash."""
    found: dict[str, list[tuple[Literal["key", "file"], str]]] = {
        name: [("key", key.url)] for name, key in release.keys.items() if key.unpinned
    }
    for name in release.components:
        urls = dict.fromkeys(one.url for one in release.alternatives(name) if one.unpinned)
        if urls:
            found.setdefault(name, []).extend(("file", url) for url in urls)
    return found


def see(release: Release, names: Iterable[str]) -> list[Seen]:
    """Fetches what ``names`` say. Raises UsageError for a name of nothing that lacks a pin; FetchError."""
    known = lacking(release)
    if strange := [name for name in names if name not in known]:
        raise UsageError(
            f"release {release.key} lacks no fingerprint or hash of that name", path="NAME", found=strange,
            allowed=sorted(known), hint="name what the plan's NOT_PINNED names",
        )  # fmt: skip
    return [_seen(name, kind, url) for name in dict.fromkeys(names) for kind, url in known[name]]


def _seen(name: str, kind: Literal["key", "file"], url: str) -> Seen:
    with tempfile.TemporaryDirectory(prefix="railbed-pin-") as folder:
        fetched = Path(folder) / "fetched"
        sha256 = download(url, fetched)
        if kind == "file":
            return Seen(name=name, kind=kind, url=url, values=[sha256])
        text = fetched.read_text(errors="replace")
        return Seen(name=name, kind=kind, url=url, values=openpgp.fingerprints_of(text, url))


def place(release: str) -> Path:
    """The file of a release's pins. Raises UsageError where the site has no catalogue of its own."""
    first = next(filter(None, os.environ.get(OVERLAY, "").split(os.pathsep)), "")
    if not first:
        raise UsageError(
            "there is no catalogue of your own to record it in", path=OVERLAY,
            hint=f"make a folder that your site keeps, and name it: `export {OVERLAY}=/path/to/folder`",
        )  # fmt: skip
    return Path(first) / f"pins/{release}.yaml"


def recorded(file: Path, one: Seen) -> list[str]:
    """What ``file`` pins of it; empty where it does not. Raises YamlProblem."""
    return list(_values(_entry(_read(file), one) or {}))


def unchanged(file: Path, one: Seen) -> bool:
    """Whether what lies there is what ``file`` pins: of a key's file all that is pinned."""
    known = recorded(file, one)
    return bool(known) and set(known) <= set(one.values)


def refuse_changed(file: Path, seen: Iterable[Seen]) -> None:
    """Raises UsageError where what lies there now is not what was pinned."""
    for one in seen:
        if recorded(file, one) and not unchanged(file, one):
            raise UsageError(
                "it is not what was pinned", code="PIN_CHANGED", path=one.url, found=one.values,
                allowed=recorded(file, one),
                hint="do not use it; ask its publisher whether it was replaced. If so, compare and pin it with --again",
            )  # fmt: skip


def record(file: Path, confirmed: Iterable[Seen], by: str, day: str) -> None:
    """Adds pins to ``file``, in the place of earlier ones of the same key or address, which it keeps as what was before.

    Comments in it are not kept.
    """
    found = {"title": "what this site pinned", "sources": {}, "parts": {}, **_read(file)}
    for one in confirmed:
        former = _entry(found, one)
        label = _label(one.name, found["sources"])
        found["sources"][label] = {"source": SHOWN_BY[one.kind].format(url=one.url), "checked": day}
        about = {"by": by, **_before(former, one, found, day), "source": label}
        if one.kind == "key":
            keys = found["parts"].setdefault("keys", {})
            keys[one.name] = {"fingerprints": one.values, **about}
        else:
            pinned = found["parts"].setdefault("files", {}).setdefault(one.name, [])
            pinned[:] = [known for known in pinned if known["url"] != one.url]
            pinned.append({"url": one.url, "sha256": one.values[0], **about})
    used = {
        part["source"]
        for part in (
            *found["parts"].get("keys", {}).values(),
            *(one for some in found["parts"].get("files", {}).values() for one in some),
        )
    }
    found["sources"] = {name: source for name, source in found["sources"].items() if name in used}
    file.parent.mkdir(parents=True, exist_ok=True)
    # Quoted, as a hash of digits alone would be a number.
    files.replace(file, yaml.safe_dump(found, default_style='"', sort_keys=False, width=1000))


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = strict_yaml.read(file) if file.exists() else {}
    return found


def _entry(found: dict[str, Any], one: Seen) -> dict[str, Any] | None:
    parts: dict[str, Any] = found.get("parts", {})
    if one.kind == "key":
        known: dict[str, Any] | None = parts.get("keys", {}).get(one.name)
        return known
    return next(
        (known for known in parts.get("files", {}).get(one.name, []) if known["url"] == one.url), None
    )


def _values(entry: dict[str, Any]) -> list[str]:
    return list(entry.get("fingerprints") or filter(None, [entry.get("sha256")]))


def _before(former: dict[str, Any] | None, one: Seen, found: dict[str, Any], day: str) -> dict[str, Any]:
    if former is None:
        return {}
    earlier = list(former.get("before", []))
    if _values(former) != one.values:
        checked = found["sources"][former["source"]]["checked"]
        earlier.append({"values": _values(former), "by": former["by"], "checked": checked, "replaced": day})
    return {"before": earlier} if earlier else {}


def _label(name: str, taken: dict[str, Any]) -> str:
    """A name that no source of the file has."""
    return next(label for at in count() if (label := f"{name}_{at}") not in taken)
