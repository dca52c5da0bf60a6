"""Scientific workloads of a spec: whole nodes, double precision, and what HPL must reach there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from railbed import catalog
from railbed.claims import Claim
from railbed.laws import hpl
from railbed.plan.parts import Warned
from railbed.plan.supported import SCIENTIFIC
from railbed.plan.work_parts import PlannedScience
from railbed.spec import ClusterSpec


def jobs(spec: ClusterSpec) -> list[PlannedScience]:
    """Each workload of that kind, on whole nodes: ranks of one job share memory and rails with nobody."""
    machine = catalog.load_machine(spec.pools[0].machine)
    block = hpl.HOST_BLOCK if machine.stands_for else hpl.GPU_BLOCK
    planned = []
    for index, workload in enumerate(spec.workloads):
        if workload.kind != SCIENTIFIC:
            continue
        nodes = -(-workload.gpus // machine.gpus)
        reach = hpl.expect(machine, nodes)
        n = hpl.order(reach.size_bytes or 0, block)
        peak = machine.gpu_fp64_tflops
        planned.append(
            PlannedScience(
                workload=index,
                gpus=workload.gpus,
                nodes=nodes,
                idle_gpus=nodes * machine.gpus - workload.gpus,
                ranks=nodes * machine.collective_ranks_per_node,
                peak_tflops=None if peak is None else peak * machine.gpus * nodes,
                hpl_floor_tflops=reach.floor,
                hpl_n=n,
                hpl_s=hpl.seconds(n, reach.floor) if reach.floor and not machine.stands_for else None,
            )
        )
    return planned


def warnings(
    spec: ClusterSpec, planned: Sequence[PlannedScience], claims: Sequence[Claim], where: str
) -> Iterator[Warned]:
    """What a user should know of them."""
    machine = catalog.load_machine(spec.pools[0].machine)
    for one in planned:
        at = f"{where}.workloads[{one.workload}]"
        if one.idle_gpus:
            message = (
                f"{one.gpus} GPUs are {one.nodes} nodes less {one.idle_gpus} GPUs: scientific jobs have their nodes to "
                f"themselves, and these idle. Ask for {one.nodes * machine.gpus}"
            )
            yield Warned(code="PART_OF_A_NODE", path=f"{at}.gpus", message=message)
        if one.peak_tflops is None and not machine.stands_for:
            message = (
                f"nobody published the FP64 rate of {machine.gpu_model} that the catalogue could name: the plan cannot say what "
                "double precision it has. GPUs that are sold in China, and Blackwell Ultra, may have a thirtieth of an H100's"
            )
            yield Warned(code="FP64_UNKNOWN", path=f"{at}.kind", message=message)
        if not machine.stands_for and not any(claim.id == "science.hpl" for claim in claims):
            message = (
                "nothing measures double precision across GPUs: name an image of NVIDIA's HPC Benchmarks in "
                "`software.hpc_benchmarks`, and its HPL becomes a claim"
            )
            yield Warned(code="NO_HPL", path=f"{where}.software.hpc_benchmarks", message=message)
