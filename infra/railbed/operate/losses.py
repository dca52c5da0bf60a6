"""What a destroy takes away: nodes, the jobs on them, the data of shared filesystems; of a Kubernetes cluster only what railbed
made in it. Reads only, and waits for nobody long."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import Field

from railbed.claims import FrozenModel
from railbed.contract import Contract, Filesystem
from railbed.effects import contract_store, schedulers
from railbed.effects.remote import Remote
from railbed.effects.workspace import Workspace
from railbed.errors import CommandError, ContractError, UsageError
from railbed.parse.slurm import Job
from railbed.text import few
from railbed.units import GIB

LOSS_TIMEOUT_S = 10.0
"""How long a destroy waits for what the scheduler, or a node, says of jobs and data; afterwards that is not known. Short, so
that a cluster which is down can be destroyed; one connection may take ``SSH_CONNECT_TIMEOUT_S``."""

SHOWN = 8
COMPLETING = "COMPLETING"
"""Slurm's word for a job that has ended and whose nodes are being cleaned up."""


class Data(FrozenModel):
    """One shared filesystem."""

    name: str
    mount: str
    kept: bool
    """True where the destroy leaves it."""
    used_gib: float | None = None
    unknown: str = ""
    """Why nobody knows how much is in it."""


class Losses(FrozenModel):
    """What is known just before a destroy."""

    nodes: list[str] = Field(default_factory=list)
    jobs: list[str] = Field(default_factory=list)
    """Running jobs: ``245 of ada on h100-0, h100-1``."""
    waiting: int = 0
    """Jobs that wait for nodes."""
    jobs_unknown: str = ""
    """Why nobody knows which jobs run."""
    filesystems: list[Data] = Field(default_factory=list)
    objects: list[str] = Field(default_factory=list)
    """What goes of a Kubernetes cluster, which stays with its nodes and jobs."""

    def lines(self) -> list[str]:
        """For a person, most important first."""
        jobs = self.jobs[:SHOWN] + ([f"{len(self.jobs) - SHOWN} more"] if len(self.jobs) > SHOWN else [])
        lines = [
            f"running jobs: {'; '.join(jobs) or 'none'}" + (f"; {self.waiting} wait" if self.waiting else "")
        ]
        if self.jobs_unknown:
            lines = [f"running jobs: not known ({self.jobs_unknown})"]
        if self.objects:
            named = few(self.nodes, SHOWN) or "none known"
            lines[0] += "; jobs go on, without what goes of their namespaces"
            return [
                *lines,
                *self.objects,
                f"nodes: {named}: they stay, as cordoned as they are; the taint of the gate goes",
            ]
        for one in self.filesystems:
            holds = (
                f"not known what it holds ({one.unknown})"
                if one.used_gib is None
                else f"df shows {one.used_gib:.3g} GiB used"
            )
            lines.append(
                f"filesystem {one.name} ({one.mount}): {holds}; {'it stays' if one.kept else 'its data goes'}"
            )
        return [*lines, f"nodes and their disks: {', '.join(self.nodes) or 'none known'}"]


def find(work: Workspace, kept: Collection[str], tenants: Collection[str] = ()) -> Losses:
    """Asks scheduler and one node. A stack without a contract never had users.

    ``kept``: filesystems that stay; ``tenants``: namespaces of those who share a Kubernetes cluster.
    """
    if not work.contract_file.exists():
        return Losses()
    try:
        contract = contract_store.load(work)
    except ContractError as broken:
        return Losses(jobs_unknown=broken.message)
    jobs, unknown = _jobs(work, contract)
    holding = [job for job in jobs if job.nodes]
    running = [job for job in holding if job.state != COMPLETING]
    return Losses(
        nodes=[node.name for node in contract.nodes],
        jobs=[f"{job.id} of {job.user} on {', '.join(job.nodes)}" for job in running],
        waiting=len(jobs) - len(holding),
        jobs_unknown=unknown,
        filesystems=[_data(work, contract, one, one.name in kept) for one in contract.filesystems],
        objects=_objects(contract.kubernetes.namespace, tenants) if contract.kubernetes else [],
    )


def _objects(namespace: str, tenants: Collection[str]) -> list[str]:
    """What `platforms.kubernetes` made, in words."""
    lines = [
        f"namespace {namespace} goes, with the account `operator` and the leases in it; so do the priority classes"
    ]
    if tenants:
        named = few(sorted(tenants), SHOWN)
        lines.insert(0, f"tenants {named}: quotas, network policies, roles and role bindings go; the namespaces stay, "
                        "open to traffic and without a limit on GPUs")  # fmt: skip
    return lines


def refuse_jobs(found: Losses, stack: str) -> None:
    """Raises UsageError while jobs run; nothing was done then."""
    if found.jobs and found.objects:
        raise UsageError(
            f"{len(found.jobs)} jobs run on stack {stack}, and a destroy would take quotas, network policies and rights of their "
            "namespaces away", code="JOBS_RUNNING", path=stack, found=found.jobs[:SHOWN], allowed="no running job",
            hint="wait for them, or let their owners end them; `--end-jobs` destroys all the same, and they go on",
        )  # fmt: skip
    if found.jobs:
        raise UsageError(
            f"{len(found.jobs)} jobs run on stack {stack}, and a destroy would take their nodes away", code="JOBS_RUNNING",
            path=stack, found=found.jobs[:SHOWN], allowed="no running job",
            hint="wait for them, or let their owners end them; `--end-jobs` destroys all the same",
        )  # fmt: skip


def _jobs(work: Workspace, contract: Contract) -> tuple[list[Job], str]:
    if contract.scheduler == "none":
        return [], "the stack has no scheduler, and nobody else knows who uses a host"
    try:
        return schedulers.of(work, contract, LOSS_TIMEOUT_S).jobs(), ""
    except (CommandError, UsageError) as silent:
        return [], f"the scheduler does not answer: {silent.message.splitlines()[-1]}"


def _data(work: Workspace, contract: Contract, one: Filesystem, kept: bool) -> Data:
    """``df`` on the first node for jobs; a folder that is not mounted there would show the node's own disk."""
    nodes = contract.with_role("compute")
    made = Data(name=one.name, mount=one.mount, kept=kept)
    if not nodes:
        return made.model_copy(update={"unknown": "no node mounts it"})
    said = Remote(work, contract).run(
        nodes[0].name, ["df", "--block-size=1", "--output=used,target", one.mount], check=False,
        timeout_s=LOSS_TIMEOUT_S,
    )  # fmt: skip
    used, _, target = said.stdout.strip().rpartition("\n")[2].strip().partition(" ")
    if not said.ok or not used.isdigit():
        return made.model_copy(update={"unknown": f"{nodes[0].name} does not answer"})
    if target.strip() != one.mount:
        return made.model_copy(update={"unknown": f"{nodes[0].name} does not mount it"})
    return made.model_copy(update={"used_gib": int(used) / GIB})
