"""Batch scripts to begin with, one for each kind of work, rendered for a cluster. Pure but for reading the templates.

What decides is in the contract: partition, GPUs of a node, where the training stack is. NCCL's settings are on the nodes.
"""

from __future__ import annotations

from importlib import resources
from string import Template

from railbed.contract import Contract
from railbed.defaults import PARTITION
from railbed.errors import UsageError
from railbed.laws import hpl, hpl_input

KINDS = {
    "single-gpu": "one GPU of one node",
    "torchrun": "several nodes, data parallel, with checkpoints and requeue",
    "array": "many like jobs, one for each value",
    "inference": "a service that answers until it is ended",
    "lora": "fine-tuning on one GPU, with checkpoints and requeue",
    "hpl": "a dense system in double precision over whole nodes",
}
"""Kind → what it is."""
DEFAULT_NODES = 2


def script(contract: Contract, kind: str, *, tenant: str = "", nodes: int = DEFAULT_NODES) -> str:
    """The batch script. ``tenant``: whose account and partition; without it the submitter's default and the open partition.

    Raises UsageError for a kind, a tenant or a number of nodes that the cluster does not have.
    """
    if kind not in KINDS:
        raise UsageError(
            f"there is no template {kind!r}",
            code="JOB_KIND",
            found=kind,
            allowed=list(KINDS),
            hint="name one of those",
        )
    if contract.scheduler != "slurm":
        raise UsageError(
            "the templates are batch scripts of Slurm",
            code="NO_SCHEDULER",
            found=contract.scheduler,
            allowed="slurm",
        )
    workers = contract.with_role("compute")
    partition, account = PARTITION, ""
    if tenant:
        known = {one.name: one for one in contract.tenancy.tenants} if contract.tenancy else {}
        if tenant not in known:
            raise UsageError(
                f"stack {contract.stack} has no tenant {tenant}",
                code="TENANT_UNKNOWN",
                found=tenant,
                allowed=sorted(known),
            )
        account = f"\n#SBATCH --account={tenant}"
        if pools := known[tenant].pools:
            partition = ",".join(pools)
            workers = [node for node in workers if node.pool in pools]
    if not 1 <= nodes <= len(workers):
        raise UsageError(
            f"{nodes} nodes are asked for", code="JOB_NODES", found=nodes, allowed=f"1 to {len(workers)}",
            hint="take fewer nodes",
        )  # fmt: skip
    machine = contract.machine(workers[0].machine)
    # Where ranks are on processors (the lab), a rank for each GPU would share few cores.
    ranks = machine.gpus if machine.trains_on == "cuda" else machine.collective_ranks_per_node or 1
    image = contract.software.hpc_benchmarks
    text = resources.files("railbed.toolbox").joinpath(f"job_templates/{kind}.sbatch").read_text()
    return Template(text).substitute(
        FILE=f"{kind}.sbatch", PARTITION=partition, ACCOUNT=account, NODES=nodes, GPUS=machine.gpus,
        RANKS=ranks, STACK=contract.software.training_stack_path,
        INPUT=hpl_input.text("$N", "$NB", *hpl.grid(nodes * ranks)), IMAGE=image.path if image else "",
        NB=hpl.GPU_BLOCK if image else hpl.HOST_BLOCK, N=hpl.FIRST_GPU_N if image else hpl.FIRST_N,
    )  # fmt: skip
