"""A machine's seed: its identity for the installer, as a small disc that cloud-init finds by its label.

The disc is cloud-init's NoCloud source (docs.cloud-init.io: label ``cidata``, files ``user-data`` and ``meta-data``)
with an Ubuntu 24.04 autoinstall file. It brings the SSH host key, so that the key is known before the first login.
"""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pycdlib
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from railbed.effects.bmc.system import System

LABEL = "cidata"
FILES = {"user-data": "/USERDATA.;1", "meta-data": "/METADATA.;1"}
BOOT_DISK: Mapping[str, Any] = {"ssd": True, "size": "smallest"}
"""Servers boot from a pair of small SSDs beside large data disks; the installer's own habit, the largest, would be data."""


@dataclass(frozen=True, kw_only=True)
class Seed(System):
    """What the installer needs to know beside."""

    mac: str
    """Of the management network card."""
    disk: Mapping[str, Any] = field(default_factory=lambda: BOOT_DISK)
    """Which disk the system goes to: the installer's match spec (``serial``, ``id_path``, ``model``, ``size``, ``ssd``)."""


def text(file: str, seed: Seed) -> str:
    """``user-data`` or ``meta-data`` of the seed."""
    return _templates().get_template(f"{file}.j2").render(seed=seed)


def disc(seed: Seed) -> bytes:
    """The ISO 9660 image (Rock Ridge and Joliet), about 70 kB."""
    image = pycdlib.PyCdlib()
    image.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=LABEL)
    for name, short in FILES.items():
        content = text(name, seed).encode()
        image.add_fp(io.BytesIO(content), len(content), short, rr_name=name, joliet_path=f"/{name}")
    out = io.BytesIO()
    image.write_fp(out)
    image.close()
    return out.getvalue()


@functools.cache
def _templates() -> Environment:
    folder = Path(__file__).parent / "templates"
    # No HTML is made here: every value goes through ``quoted`` instead.
    environment = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = _quoted
    return environment


class _Quoting(yaml.SafeDumper):
    """Every text in double quotes, whatever it looks like."""


_Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def _quoted(value: Any) -> str:
    """YAML on one line, ASCII only: no value can end its line or become a key."""
    plain = dict(value) if isinstance(value, Mapping) else list(value) if isinstance(value, tuple) else value
    return yaml.dump(plain, Dumper=_Quoting, default_flow_style=True, width=sys.maxsize).rstrip("\n")
