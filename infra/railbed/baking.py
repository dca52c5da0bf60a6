"""Machine images: recipes of a platform, and the lab's own bake. What an image holds is the playbook's matter."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from railbed import contract as contracts
from railbed import platforms
from railbed.configure import OnEvent, image
from railbed.configure import bake as roles
from railbed.contract import Contract
from railbed.effects import contract_store, control_sockets, lock
from railbed.effects.workspace import Workspace
from railbed.errors import HostError, UsageError
from railbed.plan import ClusterPlan, PlannedPool, node_names
from railbed.platforms import assemble, repositories
from railbed.platforms.packer import recipe as recipes

WORKSPACE = "image-bake"
"""Stack name of the machine that bakes: stacks of users have other addresses in namespaces of their own."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Baked:
    """An image that was made."""

    name: str
    path: str
    seconds: float
    """All of it: boot, roles, seal, copy."""
    converge_seconds: float
    """The roles alone."""


def bake(
    plan: ClusterPlan, pool: PlannedPool, root: Path, say: Say, on_event: OnEvent | None = None
) -> Baked:
    """Makes the pool's image on this machine: boots one host of the base image, runs the playbook, keeps its disk.

    Raises Unsupported where the platform's images are made elsewhere, HostError where this machine lacks something.
    """
    work = Workspace(root, WORKSPACE)
    name = f"{recipes.image_name(plan, pool)}-{datetime.now(UTC):%Y%m%d%H%M%S}"
    start = time.monotonic()
    with lock.acquire(work.dir / "lock", "the lab's image bake"), platforms.bake(plan, pool, work) as machine:
        contract = contract_of(plan, pool, work.stack, machine.ssh, machine.address, machine.repositories)
        contract_store.write(work, contract)
        say(f"{contract.nodes[0].name} is up; running the roles")
        result = roles.bake(contract, work, contract.nodes[0].name, on_event)
        control_sockets.close(work)
        say("keeping its disk")
        path = machine.keep(name)
    for entry in work.dir.iterdir():
        if entry not in (work.archive, work.dir / "lock"):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    return Baked(name, str(path), round(time.monotonic() - start, 1), result.seconds)


def require_lab(plan: ClusterPlan, work: Workspace, say: Say) -> None:
    """Raises HostError for the first thing that this machine lacks; then fills the lab's caches."""
    for finding in platforms.examine(plan, 1):
        if finding.needed and not finding.ok:
            raise HostError(
                f"this machine lacks what it needs: {finding.name}", found=finding.found, hint=finding.hint, code="DOCTOR"
            )  # fmt: skip
    platforms.prepare(plan, work, say)


def pool_of(plan: ClusterPlan, name: str | None) -> PlannedPool:
    """The pool of that name, or the only one. Raises UsageError naming those there are."""
    found = [pool for pool in plan.pools if name in (None, pool.name)]
    if len(found) != 1:
        raise UsageError(
            "an image is made for one pool", path="--pool", found=name, allowed=[pool.name for pool in plan.pools],
            hint="name one of them",
        )  # fmt: skip
    return found[0]


def contract_of(
    plan: ClusterPlan, pool: PlannedPool, stack: str, ssh: contracts.Ssh, address: str,
    repositories: list[contracts.Repository],
) -> Contract:  # fmt: skip
    """A contract of one machine, in the place of the pool's first node: what its roles are follows from it. It starts from
    the platform's image, whatever the pool's nodes do."""
    plan = plan.model_copy(
        update={"pools": [one.model_copy(update={"profile": plan.profile}) for one in plan.pools]}
    )
    name = node_names(pool.name, 1, 0)[0]
    rails = pool.rails if plan.fabric is not None else 0
    machine = contracts.Node(
        name=name, pool=pool.name, role="compute", machine=pool.machine.key, gpus=pool.machine.gpus, cpus=0, memory_mib=0,
        address=address, ssh=ssh, scalable_unit=0, identity=contracts.Identity(kind="machine_id", value="image"),
        rails=[contracts.Rail(index=index, address="", mtu=0, rate_gbps=0.0, nics=[]) for index in range(rails)],
    )  # fmt: skip
    filesystems = [assemble.filesystem(one, one.existing) for one in plan.filesystems]
    return assemble.cluster(plan, stack, [machine], filesystems, repositories)


def sources(plan: ClusterPlan, work: Workspace | None) -> list[contracts.Repository]:
    """The plan's package sources where each key is known without asking anybody, or is fetched for ``work``; else none.

    Raises FetchError where a publisher's key cannot be had, or is another than the release names.
    """
    known = all(one.signed_by for one in plan.software.repositories)
    if not known and work is None:
        return []
    return repositories.published(plan, work.published_keys if work else Path())


def recipe(
    plan: ClusterPlan, pool: PlannedPool, packages: list[contracts.Repository] | None = None
) -> dict[str, str]:
    """File name → content of the recipe of the pool's image; without package sources whoever runs it must name them.

    Raises Unsupported where the platform has no recipe.
    """
    source = platforms.image(plan, pool)
    reached = contracts.Ssh(user=source.login, host_keys=[])
    contract = contract_of(plan, pool, "image", reached, "", packages or [])
    node = contract.nodes[0].name
    found = image.inventory(contract, node)
    machine = recipes.Machine("image", sorted(found.groups), {**found.variables, **found.hostvars[node]})
    return recipes.render(plan, pool, source, machine)


def write(files: dict[str, str], folder: Path) -> list[Path]:
    """Writes the recipe; a folder with other files in it is left alone. Raises UsageError there."""
    folder.mkdir(parents=True, exist_ok=True)
    foreign = sorted(path.name for path in folder.iterdir() if path.name not in files)
    if foreign:
        raise UsageError(
            "the folder holds other files", path=str(folder), found=foreign[:5],
            hint="name an empty folder, or that of an earlier recipe",
        )  # fmt: skip
    for name, text in files.items():
        (folder / name).write_text(text)
    return [folder / name for name in files]
