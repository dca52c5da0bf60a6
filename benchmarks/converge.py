"""Measures what a converged run of the roles costs the controller: processor seconds a node, growth, one node of many.

usage: benchmarks/converge.py [--quick] [--one]

The nodes are not there: in a network namespace of its own all their addresses are one sshd, which answers each module as a
converged node would (stub_hosts). All else is real: the plan and contract of a bare-metal cluster with RoCE rails and every
part of a release, `configure.converge`, inventory, playbooks/site.yml with all roles, templates, packed modules, the ssh client
and its shared connections, events, redaction.

The alternative does the same work on the same hosts as a role author without `tree`, `debs` and `units` would: one task of
Ansible's own for each file, folder, link, unit, package and kernel parameter, 200 of them at most. It is spared what that
author would pay for beside: contents are given (no templates), no assertions, no conditions, facts or roles.

Seconds are of the controller's processor (user and system, of this process, all that it starts and the ssh clients that keep
connections open), so other work on the machine matters little. Nothing is asserted. Needs root and openssh-server.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
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
sys.path[:0] = [str(ROOT / "infra"), str(ROOT / "benchmarks")]

from stub_hosts import network  # noqa: E402

from railbed import configure, spec  # noqa: E402 - the checkout's own, whatever is installed
from railbed import contract as contracts  # noqa: E402
from railbed import plan as plans  # noqa: E402
from railbed.configure import runner  # noqa: E402
from railbed.configure.redact import Redactor  # noqa: E402
from railbed.contract import Contract  # noqa: E402
from railbed.defaults import FORKS  # noqa: E402
from railbed.effects import contract_store, observations  # noqa: E402
from railbed.effects.remote import write_ssh_files  # noqa: E402
from railbed.effects.secrets import ensure_stack_secrets  # noqa: E402
from railbed.effects.workspace import Workspace  # noqa: E402
from railbed.hardware import NodeFacts, RailNames  # noqa: E402
from railbed.platforms import assemble  # noqa: E402
from railbed.platforms.metal import fabric, nodes  # noqa: E402

SIZES, SIDE_BY_SIDE, MANY = (10, 50, 200), 50, 4_000
QUICK_SIZES, QUICK_MANY = (2, 4), 40
SMALL_TASKS = 200
STACK, NODE = "bench", "h100-0"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExamplesAreNotKeysPutYourOwnPublicKeyHer"
KERNEL = "6.8.0-45-generic"
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


def contract_of(count: int, host_key: str) -> Contract:
    """A controller (one at every size) and ``count`` HGX H100 machines on RoCE rails, each of them a data server too."""
    data = yaml.safe_load((ROOT / "examples/metal-cluster.yaml").read_text())["config"]["railbed:cluster"]
    names = ["ctl0", *(f"h100-{i}" for i in range(count))]
    place = data["platform"]
    for unused in (
        "switch",
        "storage_network",
    ):  # of what it does not have here: switches to read, a filesystem over IPoIB
        place.pop(unused, None)
    del data["workloads"], data["acknowledge"]
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
    return _assembled(plan, names[1:], host_key)


def _assembled(plan: plans.ClusterPlan, names: list[str], host_key: str) -> Contract:
    place = nodes.place_of(plan)
    machines = {one.name: one for one in place.machines}
    rails, unit = fabric.rails(plan, place), fabric.scalable_unit(plan, place)
    made = [nodes.node(place, machines["ctl0"], host_key, None, 0, [], 0)]
    for i, name in enumerate(names):
        made.append(nodes.node(place, machines[name], host_key, plan.pools[0], i, rails[name], i // unit))
    served = contracts.Filesystem(
        name="scratch", kind="moosefs", mount="/scratch", metadata_server="ctl0", data_servers=names,
        data_path="/srv/railbed/data/scratch", copies=2, capacity_tib=100.0,
    )  # fmt: skip
    return assemble.cluster(plan, STACK, made, [served], [])


@contextmanager
def checkout(count: int, small: list[dict[str, Any]] | None = None) -> Iterator[tuple[Contract, Workspace]]:
    """A checkout beside this one, whose nodes are stubs; with ``small`` its playbook is these tasks."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        contract = contract_of(count, network.host_key(root))
        (root / "infra").mkdir()
        (root / "Pulumi.yaml").write_text("name: railbed\n")
        (root / "infra/railbed").symlink_to(ROOT / "infra/railbed")
        names = ["ansible.cfg", "roles", "plugins"] + ([] if small else ["playbooks"])
        for name in names:
            (root / name).symlink_to(ROOT / name)
        work = Workspace(root, contract.stack)
        ensure_stack_secrets(work)
        contract_store.write(work, contract)
        if small:
            (root / "playbooks").mkdir()
            play = {"hosts": "gpu_nodes", "gather_facts": False, "tasks": small}
            (root / "playbooks/site.yml").write_text(json.dumps([play]))
        _know(work, contract)
        answers = root / "answers.json"
        record = contract.node(NODE).address
        answers.write_text(
            json.dumps({"record": record, "prints": _prints(contract), "checksums": _checksums(small or [])})
        )
        with network.sshd(root, work, f"/usr/bin/python3 -I -S {network.ANSWER} {answers}"):
            yield contract, work


def _know(work: Workspace, contract: Contract) -> None:
    """What the run before left: that all nodes passed, what was observed of them, and their facts, as ansible-core keeps them."""
    work.accepted.write({node.name: node.identity.value for node in contract.nodes})
    work.releases.write({node.name: contract.software.release for node in contract.nodes})
    observations.remember(
        work,
        {
            node.name: NodeFacts(
                identity=node.identity.value,
                rails=[
                    RailNames(devices=[f"mlx5_{rail.index}"], netdevs=[f"rail{rail.index}"])
                    for rail in node.rails
                ],
            )
            for node in contract.nodes
            if node.rails
        },
    )
    folder = work.runner_dir / "facts" / contract.hash[:12]
    folder.mkdir(parents=True)
    for one in contract.nodes:
        known = json.dumps(
            {
                "ansible_virtualization_tech_guest": [],
                "ansible_kernel": KERNEL,
                "_ansible_facts_gathered": True,
            }
        )
        (folder / f"s1_{one.name}").write_text(json.dumps({"__payload__": known}))


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
    lines = work.root.joinpath("answers.json.recorded").read_text().splitlines()
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
    write_ssh_files(work, contract)
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
    """User and system seconds of this process, of its children that ended, and of the ssh clients between them and the nodes."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both) + sum(cpu_s for _, cpu_s in network.masters())


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few hosts: whether it runs, no figures to keep"
    )
    parser.add_argument("--one", action="store_true", help="one node of many alone: a minute")
    asked = parser.parse_args()
    quick = asked.quick
    network.enter()
    sizes, side, many = (QUICK_SIZES, 2, QUICK_MANY) if quick else (SIZES, SIDE_BY_SIDE, MANY)
    if not asked.one:
        grown(sizes, side)
    single(many)


def grown(sizes: tuple[int, ...], side: int) -> None:
    """All nodes of each size; at ``side`` nodes beside the same work as small tasks."""
    print(f"{'nodes':>6}{'CPU s':>9}{'CPU s a node':>14}{'wall s':>8}{'modules':>9}{'tasks':>7}", flush=True)
    costs: dict[int, Cost] = {}
    small: list[dict[str, Any]] = []
    for count in sorted({*sizes, side}):
        with checkout(count) as (contract, work):
            costs[count] = one = converged(contract, work)
            small = small or small_tasks(work)
        print(
            f"{count:6}{one.cpu_s:9.1f}{one.cpu_s / count:14.2f}{one.wall_s:8.1f}{one.modules:9}{one.tasks:7}",
            flush=True,
        )
        if count == side:
            compare(count, one, small)
    growth = math.log(costs[sizes[-1]].cpu_s / costs[sizes[0]].cpu_s) / math.log(sizes[-1] / sizes[0])
    print(f"growth exponent {growth:.2f} (at most {AIM_EXPONENT}); modules at most {AIM_MODULES}", flush=True)


def compare(count: int, ours: Cost, small: list[dict[str, Any]]) -> None:
    """The same work as small tasks, in the same call."""
    with checkout(count, small) as (contract, work):
        cpu = played(contract, work)
    print(
        f"  {len(small)} small tasks on {count}: {cpu:.1f} CPU s, {cpu / count:.2f} a node; "
        f"ratio {cpu / ours.cpu_s:.1f} (at least {AIM_RATIO:g})", flush=True,
    )  # fmt: skip


def single(many: int) -> None:
    """One node of many, beside one of few."""
    for count in (2, many):
        with checkout(count) as (contract, work):
            one = converged(contract, work, NODE)
        over = one.wall_s - one.task_s
        print(
            f"one node of {count}: {one.cpu_s:.1f} CPU s, {one.wall_s:.1f} s, of these {one.task_s:.1f} in tasks: "
            f"{over:.1f} s over them (at most {AIM_ONE_S:g})", flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()
