"""What `railbed setup` makes on this machine for bare metal: the embedded Ironic's environment and the ramdisk it boots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from railbed.effects.ironic import venv
from railbed.effects.ironic.ramdisk import build
from railbed.plan import ClusterPlan
from railbed.platforms.metal import nodes
from railbed.spec.installers import IronicInstaller

Say = Callable[[str], None]


def prepare(plan: ClusterPlan, root: Path, say: Say) -> None:
    """``root``: the checkout. Nothing where no Ironic of railbed's own installs the machines."""
    installer = nodes.place_of(plan).installer
    if not isinstance(installer, IronicInstaller) or installer.embedded is None:
        return
    venv.ensure(root)
    if installer.agent is None:
        build.ensure(root, say)
