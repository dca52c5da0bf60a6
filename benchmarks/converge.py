"""Measures what a converged run of the roles costs the controller: processor seconds a node, growth, one node of many.

usage: benchmarks/converge.py [--quick]

The hosts are not there: a connection plugin (stub_hosts/stub.py) takes each module as a node would and answers as a converged
one. All else is real: the plan and contract of a bare-metal cluster with RoCE rails and every part of a release,
`configure.converge`, inventory, playbooks/site.yml with all roles, templates, packed modules, events, redaction. Missing are the
`ssh` client's own milliseconds for each module, which would count for every task on both sides.

The alternative does the same work on the same hosts as a role author without `tree`, `debs` and `units` would: one task of
Ansible's own for each file, folder, link, unit, package and kernel parameter, 200 of them at most. It is spared what that
author would pay for beside: contents are given (no templates), no assertions, no conditions, facts or roles.

Seconds are of the processor (user and system, of this process and all that it starts), so other work on the machine matters
little. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "infra")]

from railbed import configure, spec  # noqa: E402 - the checkout's own, whatever is installed
from railbed import contract as contracts  # noqa: E402
from railbed import plan as plans  # noqa: E402
from railbed.configure import runner  # noqa: E402
from railbed.configure.redact import Redactor  # noqa: E402
from railbed.contract import Contract  # noqa: E402
from railbed.defaults import FORKS  # noqa: E402
from railbed.effects.secrets import ensure_stack_secrets  # noqa: E402
from railbed.effects.workspace import Workspace  # noqa: E402
from railbed.platforms import assemble  # noqa: E402
from railbed.platforms.metal import fabric, nodes  # noqa: E402

SIZES, SIDE_BY_SIDE, MANY = (10, 50, 200), 50, 4_000
QUICK_SIZES, QUICK_MANY = (2, 4), 40
SMALL_TASKS = 200
STACK, NODE = "bench", "h100-0"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExamplesAreNotKeysPutYourOwnPublicKeyHer"
AIM_EXPONENT, AIM_RATIO, AIM_ONE_S, AIM_MODULES = 1.1, 5.0, 2.0, 40


@dataclass(frozen=True)
class Cost:
    """What one run took."""

    cpu_s: float
    wall_s: float
    modules: int
    """On the node with the most."""
    tasks: int
    task_s: float
    """From the start of each task to its result on the slowest node, summed up."""


def contract_of(count: int) -> Contract:
    """A controller (one at every size) and ``count`` HGX H100 machines on RoCE rails, each of them a data server too."""
    data = yaml.safe_load((ROOT / "examples/metal-cluster.yaml").read_text())["config"]["railbed:cluster"]
    names = ["ctl0", *(f"h100-{i}" for i in range(count))]
    place = data["platform"]
    del place["switch"], data["workloads"], data["acknowledge"]
    place["machines"] = [
        {
            "name": name, "bmc": f"https://10.81.{i // 250}.{i % 250 + 1}", "serial": f"BENCH{i:05}",
            "address": f"10.80.{i // 250}.{i % 250 + 1}", "mac": f"02:00:5e:10:{i // 256:02x}:{i % 256:02x}",
        }
        for i, name in enumerate(names)
    ]  # fmt: skip
    data.update(
        pools=[{"name": "h100", "machine": "metal/hgx-h100", "nodes": count, "spares": 0}], filesystems=[],
        access={"admins": {"ada": KEY}},
    )  # fmt: skip
    plan = plans.plan(spec.from_config(data, "benchmark"))
    return _assembled(plan, names[1:])


def _assembled(plan: plans.ClusterPlan, names: list[str]) -> Contract:
    place = nodes.place_of(plan)
    machines = {one.name: one for one in place.machines}
    rails, unit = fabric.rails(plan, place), fabric.scalable_unit(plan, place)
    made = [nodes.node(machines["ctl0"], f"{KEY} ctl0", None, 0, [], 0)]
    for i, name in enumerate(names):
        made.append(nodes.node(machines[name], f"{KEY} {name}", plan.pools[0], i, rails[name], i // unit))
    served = contracts.Filesystem(
        name="scratch", kind="moosefs", mount="/scratch", metadata_server="ctl0", data_servers=names,
        data_path="/srv/railbed/data/scratch", copies=2, capacity_tib=100.0,
    )  # fmt: skip
    return assemble.cluster(plan, STACK, made, [served], [])


@contextmanager
def checkout(contract: Contract, small: list[dict[str, Any]] | None = None) -> Iterator[Workspace]:
    """A checkout beside this one, whose hosts are stubs; with ``small`` its playbook is these tasks."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "infra").mkdir()
        (root / "Pulumi.yaml").write_text("name: railbed\n")
        (root / "infra/railbed").symlink_to(ROOT / "infra/railbed")
        names = ["ansible.cfg", "roles", "plugins"] + ([] if small else ["playbooks"])
        for name in names:
            (root / name).symlink_to(ROOT / name)
        work = Workspace(root, contract.stack)
        ensure_stack_secrets(work)
        work.contract_file.write_text(json.dumps(contract.as_json()))
        if small:
            (root / "playbooks").mkdir()
            play = {"hosts": "gpu_nodes", "gather_facts": False, "tasks": small}
            (root / "playbooks/site.yml").write_text(json.dumps([play]))
        facts = work.runner_dir / "facts" / contract.hash[:12]
        facts.mkdir(parents=True)
        for one in contract.nodes:
            # The form in which ansible-core 2.19 keeps facts on disk.
            known = json.dumps({"ansible_virtualization_tech_guest": [], "_ansible_facts_gathered": True})
            (facts / f"s1_{one.name}").write_text(json.dumps({"__payload__": known}))
        answers = root / "answers.json"
        answers.write_text(json.dumps({"prints": _prints(contract), "checksums": _checksums(small or [])}))
        os.environ.update(
            ANSIBLE_TRANSPORT="stub", ANSIBLE_CONNECTION_PLUGINS=str(ROOT / "benchmarks/stub_hosts"),
            ANSIBLE_STUB_ANSWERS=str(answers), ANSIBLE_STUB_RECORD=NODE,
        )  # fmt: skip
        yield work


def _prints(contract: Contract) -> dict[str, str]:
    """What programs of a converged node say."""
    has = contract.software.versions
    return {"nvidia-smi": has["nvidia_driver"], "nvcc": f"V{has['cuda']}", "python3": has["torch"]}


def _checksums(small: list[dict[str, Any]]) -> dict[str, str]:
    copies = [task["ansible.builtin.copy"] for task in small if "ansible.builtin.copy" in task]
    return {one["dest"]: hashlib.sha1(one["content"].encode()).hexdigest() for one in copies}


def converged(contract: Contract, work: Workspace, limit: str | None = None) -> Cost:
    """A run that finds the facts of the one before, as every run does on a cluster that did not change."""
    events: list[configure.Event] = []
    cpu, start = used_s(), time.monotonic()
    result = configure.converge(contract, work, limit=limit, on_event=events.append)
    cost = used_s() - cpu, time.monotonic() - start
    if result.broken or result.changed:
        sys.exit(
            f"the stubs do not answer as converged nodes do: {result.nodes[(result.broken or [NODE])[0]]}"
        )
    most = result.nodes[NODE]
    return Cost(*cost, most.modules, most.tasks, sum(result.task_seconds.values()))


def small_tasks(work: Workspace) -> list[dict[str, Any]]:
    """What the modules of the recorded run were asked, as tasks of Ansible's own."""
    lines = work.root.joinpath("answers.recorded").read_text().splitlines()
    tasks: dict[str, dict[str, Any]] = {}
    for line in lines:
        call = json.loads(line)
        for task in _tasks_of(call["module"], call["asked"]):
            tasks.setdefault(json.dumps(task), task)
    return [{"name": f"Small task {i}", **task} for i, task in enumerate(tasks.values())][:SMALL_TASKS]


def _tasks_of(module: str, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, want in (asked.get("files") or {}).items():
        # Braces would be taken for a template's.
        content = (want if isinstance(want, str) else want["content"]).replace("{", "(")
        yield {"ansible.builtin.copy": {"dest": path, "content": content, "mode": "0644"}}
    for path in asked.get("directories") or {}:
        yield {"ansible.builtin.file": {"path": path, "state": "directory"}}
    for path, target in (asked.get("links") or {}).items() if module == "tree" else ():
        yield {"ansible.builtin.file": {"path": path, "src": target, "state": "link"}}
    for path in asked.get("absent") or ():
        yield {"ansible.builtin.file": {"path": path, "state": "absent"}}
    for unit in asked.get("units") or ():
        yield {"ansible.builtin.systemd_service": {"name": unit["name"], "state": "started", "enabled": True}}
    for package in asked.get("packages") or ():
        yield {"ansible.builtin.apt": {"name": package}}
    for kind in ("values", "where_writable"):
        for name, value in (asked.get(kind) or {}).items():
            yield {"ansible.builtin.command": {"argv": ["sysctl", f"{name}={value}"]}, "changed_when": False}


def played(contract: Contract, work: Workspace) -> float:
    """Processor seconds of the small tasks on every GPU node."""
    names = [node.name for node in contract.with_role("compute")]
    source = work.runner_dir / f"{STACK}.railbed.yaml"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(f"plugin: railbed\nstack: {STACK}\n")
    failed: list[Any] = []

    def take(event: dict[str, Any]) -> None:
        if event.get("event") in ("runner_on_failed", "runner_on_unreachable"):
            failed.append(event["event_data"].get("res"))

    cpu = used_s()
    runner.play(
        work, "site.yml", source, names, contract_hash=contract.hash, options="", forks=FORKS, redactor=Redactor([]),
        take=take,
    )  # fmt: skip
    if failed:
        sys.exit(f"the stubs do not answer small tasks: {failed[0]}")
    return used_s() - cpu


def used_s() -> float:
    """User and system seconds of this process and of its children that ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few hosts: whether it runs, no figures to keep"
    )
    quick = parser.parse_args().quick
    sizes, side, many = (QUICK_SIZES, 2, QUICK_MANY) if quick else (SIZES, SIDE_BY_SIDE, MANY)
    print(f"{'nodes':>6}{'CPU s':>9}{'CPU s a node':>14}{'wall s':>8}{'modules':>9}{'tasks':>7}", flush=True)
    costs: dict[int, Cost] = {}
    small: list[dict[str, Any]] = []
    for count in sorted({*sizes, side}):
        contract = contract_of(count)
        with checkout(contract) as work:
            costs[count] = one = converged(contract, work)
            small = small or small_tasks(work)
        print(
            f"{count:6}{one.cpu_s:9.1f}{one.cpu_s / count:14.2f}{one.wall_s:8.1f}{one.modules:9}{one.tasks:7}",
            flush=True,
        )
        if count == side:
            compare(contract, one, small)
    growth = math.log(costs[sizes[-1]].cpu_s / costs[sizes[0]].cpu_s) / math.log(sizes[-1] / sizes[0])
    print(f"growth exponent {growth:.2f} (at most {AIM_EXPONENT}); modules at most {AIM_MODULES}", flush=True)
    single(many)


def compare(contract: Contract, ours: Cost, small: list[dict[str, Any]]) -> None:
    """The same work as small tasks, in the same call."""
    with checkout(contract, small) as work:
        cpu = played(contract, work)
    nodes_there = len(contract.with_role("compute"))
    print(
        f"  {len(small)} small tasks on {nodes_there}: {cpu:.1f} CPU s, {cpu / nodes_there:.2f} a node; "
        f"ratio {cpu / ours.cpu_s:.1f} (at least {AIM_RATIO:g})", flush=True,
    )  # fmt: skip


def single(many: int) -> None:
    """One node of many, beside one of few."""
    for count in (2, many):
        contract = contract_of(count)
        with checkout(contract) as work:
            one = converged(contract, work, NODE)
        over = one.wall_s - one.task_s
        print(
            f"one node of {count}: {one.cpu_s:.1f} CPU s, {one.wall_s:.1f} s, of these {one.task_s:.1f} in tasks: "
            f"{over:.1f} s over them (at most {AIM_ONE_S:g})", flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
