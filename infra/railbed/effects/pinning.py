"""What nobody published a fingerprint or hash of: fetched, shown, and recorded in a site's own catalogue."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
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


def record(file: Path, confirmed: Iterable[Seen], by: str, day: str) -> None:
    """Adds pins to ``file``, in the place of earlier ones of the same key or address. Comments in it are not kept."""
    found: Any = strict_yaml.read(file) if file.exists() else {}
    found = {"title": "what this site pinned", "sources": {}, "parts": {}, **found}
    for one in confirmed:
        label = f"{one.name}_{len(found['sources'])}"
        found["sources"][label] = {"source": SHOWN_BY[one.kind].format(url=one.url), "checked": day}
        if one.kind == "key":
            keys = found["parts"].setdefault("keys", {})
            keys[one.name] = {"fingerprints": one.values, "by": by, "source": label}
        else:
            pinned = found["parts"].setdefault("files", {}).setdefault(one.name, [])
            pinned[:] = [known for known in pinned if known["url"] != one.url]
            pinned.append({"url": one.url, "sha256": one.values[0], "by": by, "source": label})
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
