"""Ironic's own Python environment: a locked list of PyPI packages, each with its hash, below the checkout's ``.railbed``.

Not an extra of railbed's: its hundred packages would be pinned beside Ansible's and pydantic's.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from railbed.defaults import BUILD_TIMEOUT_S
from railbed.effects import built_once
from railbed.errors import HostError
from railbed.run import run

REQUIREMENTS = "ironic-requirements.txt"
SYSTEM_PYTHONS = tuple(f"/usr/bin/python3.{minor}" for minor in (13, 12, 11))


def place(root: Path) -> Path:
    """Folder of the environment of the checkout's list; there once it is whole."""
    return root / ".railbed" / "ironic" / built_once.key([(root / "tools" / REQUIREMENTS).read_bytes()])


def ensure(root: Path) -> Path:
    """Its Python. Installs what is not there, about 200 MB. Raises HostError without uv, CommandError where PyPI is not
    reached or a hash is another."""

    def make(building: Path) -> None:
        uv = shutil.which("uv")
        if uv is None:
            raise HostError(
                "uv is not on PATH", hint="run `make setup`, which installs it beside the checkout"
            )
        run([uv, "venv", "--quiet", "--relocatable", "--python", _python(), building])
        run(
            [uv, "pip", "sync", "--quiet", "--require-hashes", "--only-binary", ":all:", "--python",
             building / "bin" / "python", root / "tools" / REQUIREMENTS],
            timeout_s=BUILD_TIMEOUT_S,
        )  # fmt: skip

    return built_once.ensure(place(root), "Ironic's installation", make) / "bin" / "python"


def _python() -> str:
    """An interpreter that the unprivileged user can start too: root's own folder is closed to it."""
    own = Path(sys.executable).resolve()
    if os.geteuid() != 0 or closed(own) is None:
        return str(own)
    return next((one for one in SYSTEM_PYTHONS if Path(one).exists()), str(own))


def closed(path: Path) -> Path | None:
    """The first folder above ``path`` that other users cannot enter."""
    return next((one for one in reversed(path.parents) if not one.stat().st_mode & 0o001), None)
