"""The lab bakes an image for real: roles on a host of its own, sealed, and kept as a layer that a host can boot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from railbed.baking import WORKSPACE
from railbed.effects.lab import baked, sweep
from railbed.effects.workspace import Workspace

from .conftest import Cli

pytestmark = pytest.mark.lab
GONE = (
    "etc/munge/munge.key",
    "etc/ssh/ssh_host_ed25519_key",
    "etc/railbed/node.json",
    "root/.ssh/authorized_keys",
)
"""What each machine has of its own. A file that the base image has is hidden by a device of its name (0/0)."""


def test_a_bake_holds_the_software_and_nobodys_identity(stack: Callable[..., Cli]) -> None:
    cli = stack("test-bake", nodes=1, spares=0)
    made = cli.json("image", "bake")
    layer = Path(made["path"]) / baked.LAYER
    try:
        stamp = json.loads((layer / "etc/railbed/image.json").read_text())
        assert stamp["simulated"] and stamp["machine"] == "lab/rail8" and "packages" in stamp["roles"]
        installed = (layer / "var/lib/dpkg/status").read_text()
        assert "Package: nvidia-open\nStatus: hold ok installed" in installed
        assert (layer / "etc/machine-id").read_text() == ""
        assert [name for name in GONE if (layer / name).is_file()] == []
        hosts = (layer / "etc/hosts").read_text()
        assert "localhost" in hosts and "10." not in hosts
        # The name is one that a spec may give to a pool, and whose layers a host boots.
        assert baked.lower(made["image"]).startswith(f"{layer}:")
        work = Workspace(cli.work.root, WORKSPACE)
        assert sweep.remains(work.lab_id, work.lab_dir) == [], "the machine that it was made on"
        assert sorted(path.name for path in work.dir.iterdir()) == ["archive", "lock"]
    finally:
        baked.remove(made["image"])
