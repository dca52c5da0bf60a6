"""The machine on which the lab bakes: one host of the base image on a management network of its own, gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from railbed import contract
from railbed.defaults import FIRST_HOST_OCTET
from railbed.effects.lab import baked, hosts, names, network, sweep
from railbed.effects.lab.hosts import Bind, HostSpec
from railbed.effects.lab.image import ensure_image
from railbed.effects.lab.packages import ensure_repository
from railbed.effects.lab.training import ensure_training_stack
from railbed.effects.secrets import ensure_stack_secrets, public_key
from railbed.effects.workspace import Workspace
from railbed.errors import Unsupported
from railbed.plan import ClusterPlan, PlannedPool, node_names
from railbed.platforms.lab.nodes import REPOSITORY_TARGET, reached
from railbed.platforms.lab.platform import repository


@dataclass(frozen=True)
class Baking:
    """A host that waits for the roles."""

    spec: HostSpec
    ssh: contract.Ssh
    address: str
    repositories: list[contract.Repository]

    def keep(self, name: str) -> Path:
        """Stops the host, whose roles are through and which is sealed, and keeps its disk as the image ``name``."""
        hosts.stop(self.spec.lab_id, self.spec.name, Path(self.spec.lab_dir))
        hosts.unmount_below(self.spec.folder)
        return baked.keep(self.spec.folder / "upper", Path(self.spec.image), name)


@contextmanager
def machine(plan: ClusterPlan, pool: PlannedPool, work: Workspace) -> Iterator[Baking]:
    """Boots the host in the workspace ``work``, which is the bake's own; nothing of it is left afterwards."""
    if plan.addresses is None or plan.fabric is None:
        raise Unsupported(plan.platform, "a cluster without rails", "give the spec a `fabric`")
    ensure_stack_secrets(work)
    tools = work.root / "tools"
    image, packages = ensure_image(_quiet), ensure_repository(tools, _quiet)
    cidr, mtu = plan.addresses.management_cidr, plan.fabric.mtu
    block, _, prefix = cidr.partition("/")
    address = f"{block.rsplit('.', 1)[0]}.{FIRST_HOST_OCTET}"
    facts = pool.machine
    spec = HostSpec(
        lab_id=work.lab_id, lab_dir=str(work.lab_dir), name=node_names(pool.name, 1, 0)[0],
        address=f"{address}/{prefix}", octet=FIRST_HOST_OCTET, mtu=mtu, image=str(image),
        authorized_key=public_key(work.operator_key), gpus=facts.gpus, gpu_model=facts.gpu_model,
        gpu_memory_mib=facts.gpu_memory_mib,
        binds=[
            Bind(str(packages), REPOSITORY_TARGET, True),
            Bind(str(ensure_training_stack(tools, _quiet)), plan.software.training_stack_path, True),
        ],
    )  # fmt: skip
    sweep.sweep(work.lab_id, work.lab_dir)
    try:
        for space in (names.fabric_namespace(work.lab_id), names.control_namespace(work.lab_id)):
            network.ensure_namespace(space)
        network.ensure_bridge(names.fabric_namespace(work.lab_id), names.MANAGEMENT_SWITCH, mtu)
        network.ensure_control(work.lab_id, cidr, mtu)
        hosts.create(spec)
        yield Baking(spec, reached(work, hosts.host_key(spec)), address, [repository()])
    finally:
        sweep.sweep(work.lab_id, work.lab_dir)


def _quiet(_: str) -> None:
    """Everything was prepared before."""
