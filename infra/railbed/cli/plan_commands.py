"""`railbed plan`."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from railbed import plan as plans
from railbed import spec as specs
from railbed.claims import Claim
from railbed.cli import output
from railbed.cli.spec_file import SPEC_OPTION, chosen


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("plan")(show)


def show(
    stack: str = output.STACK_OPTION, spec: Path | None = SPEC_OPTION, as_json: bool = output.JSON_OPTION
) -> None:
    """Print what a spec comes to: pools, filesystems, claims and what each must reach, price, warnings."""
    file = chosen(stack, spec)
    planned = plans.plan(specs.load(file), f"{file}:railbed:cluster")
    if as_json:
        output.print_json(planned.as_json())
        return
    output.out.print(_head(planned))
    parts = (
        _pools,
        _images,
        _filesystems,
        _storage,
        _jobs,
        _finetuning,
        _inference,
        _science,
        _claims,
        _out_of_scope,
    )
    for table in (part(planned) for part in parts):
        if table.row_count:
            output.out.print(table)
    for warning in planned.warnings:
        output.out.print(
            output.line((warning.code, "yellow"), f" {warning.message} ", (f"({warning.path})", "dim"))
        )


def _head(plan: plans.ClusterPlan) -> Text:
    price = plan.price.as_text() if plan.price else "price unknown"
    marks = ", hardware simulated (sim)" if plan.simulated else ""
    return output.line(
        (plan.name, "bold"),
        f": {plan.service} on {plan.platform}, {plan.scheduler}, release {plan.software.release}{marks}; {price}\n",
    )


def _pools(plan: plans.ClusterPlan) -> Table:
    table = _table("Pools", "pool", "machine", "nodes", "spares", "rails", "Gb/s a node")
    for pool in plan.pools:
        cells = (pool.nodes, pool.spares, pool.rails, f"{pool.node_gbps:g}")
        table.add_row(pool.name, pool.machine.key, *map(str, cells))
    return table


def _images(plan: plans.ClusterPlan) -> Table:
    table = _table(
        "Images that bring software", "pool", "profile", "brings, in versions", "the release fills"
    )
    for pool in plan.pools:
        if pool.brings:
            brought = ", ".join(f"{name} {versions}" for name, versions in pool.brings.items())
            table.add_row(pool.name, pool.profile, brought, ", ".join(pool.fills))
    return table


def _filesystems(plan: plans.ClusterPlan) -> Table:
    table = _table("Filesystems", "filesystem", "kind", "mount", "TiB", "copies", "data servers")
    for one in plan.filesystems:
        cells = (f"{one.capacity_tib:g}", one.copies, len(one.data_servers))
        table.add_row(one.name, one.kind, one.mount, *map(str, cells))
    return table


def _storage(plan: plans.ClusterPlan) -> Table:
    """GB/s: all compute nodes together, one while all work, one alone."""
    headings = (
        "GB/s read: all",
        "each",
        "alone",
        "GB/s written: all",
        "each",
        "alone",
        "checkpoint",
        "write",
        "restore",
    )
    table = _table("Storage", "filesystem", *headings)
    for one in plan.storage:
        r = one.rates
        if r.basis == "none" and one.checkpoint_gbytes is None:
            continue
        numbers = (
            r.read_gbytes_per_s, r.node_read_gbytes_per_s, r.node_read_alone_gbytes_per_s,
            r.write_gbytes_per_s, r.node_write_gbytes_per_s, r.node_write_alone_gbytes_per_s,
        )  # fmt: skip
        size = f"{one.checkpoint_gbytes:g} GB" if one.checkpoint_gbytes else ""
        times = (_seconds(one.checkpoint_write_s), _seconds(one.checkpoint_restore_s)) if size else ("", "")
        table.add_row(one.filesystem, *(_number(n) or "unknown" for n in numbers), size, *times)
    return table


def _jobs(plan: plans.ClusterPlan) -> Table:
    table = _table(
        "Long jobs", "workload", "GPUs", "days", "interruptions", "spares", "checkpoint every", "goodput"
    )
    for planned in plan.jobs:
        job = planned.job
        stops, spares = job.interruptions, job.spare_nodes_range
        table.add_row(
            f"{planned.kind} [{planned.workload}]",
            str(job.gpus),
            "unknown" if job.days is None else f"{job.days:g}",
            "unknown" if stops is None else f"{stops.central:.1f} ({stops.low:.1f} to {stops.high:.1f})",
            f"{job.spare_nodes} ({spares.low} to {spares.high})",
            _seconds(job.checkpoint_interval_s),
            f"{job.goodput:.1%}",
        )
    return table


def _finetuning(plan: plans.ClusterPlan) -> Table:
    """Waits at the spec's load, and the base model's load by one job and by all that run."""
    headings = (
        "GPUs a job",
        "slots",
        "at once",
        "load",
        "waits",
        "95 % within",
        "model",
        "one loads",
        "all load",
        "first step",
    )
    table = _table("Fine-tuning jobs", "workload", *headings)
    for one in plan.finetuning:
        queue = one.queue
        table.add_row(
            f"finetuning [{one.workload}]", str(one.gpus), str(one.slots), str(one.at_once),
            f"{queue.utilisation:.0%}" if queue else "", f"{queue.wait_chance:.1%} of jobs" if queue else "",
            _minutes(queue.wait_95_hours) if queue else "", f"{one.base_model_gbytes:g} GB",
            _seconds(one.load_one_s), _seconds(one.load_all_s), f"within {one.first_step_s:g} s",
        )  # fmt: skip
    return table


def _minutes(hours: float | None) -> str:
    return "no end" if hours is None else f"{hours * 60:.3g} min"


def _inference(plan: plans.ClusterPlan) -> Table:
    table = _table(
        "Inference services", "workload", "replicas × GPUs", "nodes", "requests/s", "at a time", "carry", "left", "left carry"
    )  # fmt: skip
    for one in plan.inference:
        service = one.service
        table.add_row(
            f"inference [{one.workload}]", f"{service.replicas} × {service.gpus_per_replica}", str(len(service.placed)),
            f"{service.requests_per_s:.4g}", _number(one.concurrency) or "unknown",
            _number(one.capacity_per_s) or "unknown",
            f"{one.replicas_left} (lost nodes: {service.lost_nodes})", _number(one.capacity_left_per_s) or "unknown",
        )  # fmt: skip
    return table


def _science(plan: plans.ClusterPlan) -> Table:
    table = _table(
        "Scientific jobs", "workload", "GPUs", "nodes", "ranks", "FP64 TFLOPS", "HPL at least", "N", "takes"
    )
    for one in plan.science:
        table.add_row(
            f"scientific [{one.workload}]", str(one.gpus), str(one.nodes), str(one.ranks),
            "unknown" if one.peak_tflops is None else f"{one.peak_tflops:g}",
            "unknown" if one.hpl_floor_tflops is None else f"{one.hpl_floor_tflops:.4g} TFLOPS",
            str(one.hpl_n), _seconds(one.hpl_s),
        )  # fmt: skip
    return table


def _seconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f} s"


def _claims(plan: plans.ClusterPlan) -> Table:
    table = _table("Claims in scope", "claim", "at least", "expected", "unit", "of", "")
    for claim in plan.claims:
        reach = claim.expectation
        numbers = (_number(reach.floor), _number(reach.expected), reach.unit) if reach else ("", "", "")
        table.add_row(claim.id, *numbers, _whose(claim), "sim" if claim.simulated else "")
    return table


def _out_of_scope(plan: plans.ClusterPlan) -> Table:
    table = _table("Out of scope: never run, never counted as passed", "claim", "reason")
    for claim in plan.out_of_scope:
        table.add_row(claim.id, claim.reason)
    return table


def _whose(claim: Claim) -> str:
    if not claim.roles:
        return "cluster"
    return "host" if "controller" in claim.roles else "node"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name)
    return table
