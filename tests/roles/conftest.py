"""The real playbooks and roles, run in check mode over recorders in place of railbed's modules.

What each role would write on each host is then known, from the mapping of the contract to the last template.
"""

from __future__ import annotations

import fcntl
import json
import os
import pickle
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.support.contracts import lab_software, planned_software, sealed

from railbed.configure import runner
from railbed.configure.events import Collector
from railbed.configure.redact import Redactor
from railbed.contract import (
    Contract,
    Filesystem,
    Identity,
    Machine,
    Nic,
    Node,
    Rail,
    Repository,
    Software,
    Ssh,
)
from railbed.effects import contract_store, observations
from railbed.effects.secrets import ensure_stack_secrets
from railbed.effects.workspace import Workspace
from railbed.hardware import NodeFacts

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("tree", "units", "debs", "sysctls", "links", "reservation", "built", "people")
MACHINE = "lab/rail2"
KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEAAAA\n=AAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"


def node(name: str, role: str, octet: int, unit: int = 0) -> Node:
    gpus = 0 if role == "controller" else 8
    rails = [
        Rail(
            index=i, address=f"10.91.{i}.{octet}/24", mtu=9000, rate_gbps=0.1,
            nics=[Nic(device=f"mlx5_{i}", netdev=f"rail{i}", rate_gbps=0.1, switch=f"leaf{i}", port="p")],
        )
        for i in range(2)
    ]  # fmt: skip
    return Node(
        name=name, pool="controller" if role == "controller" else "h100", role=role,  # type: ignore[arg-type]
        machine="" if role == "controller" else MACHINE, gpus=gpus, cpus=8, memory_mib=4096,
        address=f"10.90.0.{octet}", ssh=Ssh(user="root", host_keys=[f"ssh-ed25519 AAAAC3Nza{octet} {name}"]),
        rails=rails if gpus else [], scalable_unit=unit, identity=Identity(kind="machine_id", value=f"id-{octet}"),
    )  # fmt: skip


def cluster(**changes: Any) -> Contract:
    """One controller, two compute nodes in two scalable units, one spare, one filesystem."""
    made = Contract(
        stack="small", name="small", service="cluster", scheduler="slurm", platform="lab", simulated=True,
        admins={"ada": "ssh-ed25519 AAAAada ada"}, domain="small.test",
        nodes=[
            node("ctl0", "controller", 10), node("h100-0", "compute", 11), node("h100-1", "compute", 12, unit=1),
            node("h100-2", "spare", 13, unit=1),
        ],
        machines=[
            Machine(
                key=MACHINE, gpu_model="NVIDIA H100 80GB HBM3", gpus=8, gpu_memory_mib=81559, rails=2,
                nics_per_rail=1, nic_gbps=0.1, payload_fraction=0.9927, transport="tcp", collective_ranks_per_node=1,
                stands_for="metal/hgx-h100", scale=4000.0,
            )
        ],
        filesystems=[
            Filesystem(
                name="scratch", kind="moosefs", mount="/scratch", metadata_server="ctl0",
                data_servers=["h100-0", "h100-1"], data_path="/srv/railbed/data/scratch", copies=2, capacity_tib=0.01,
            )
        ],
        software=Software(
            **lab_software(),
            repositories=[
                Repository(name="r", uri="file:/srv/repo", suite="./", components=[], signed_by=KEY),
                Repository(name="d", uri="https://deb.test/debian", suite="bookworm", components=["main"], signed_by=KEY),
            ],
        ),
        claims=[], out_of_scope=[], hosts="container", spec_hash="0" * 64,
    )  # fmt: skip
    return sealed(made.model_copy(update=changes))


@dataclass
class Recorded:
    """What the roles would do."""

    collector: Collector
    files: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    """Host → path → content and attributes."""
    asked: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    """Host → task → everything that the module was asked."""

    called: dict[str, dict[str, list[Any]]] = field(
        default_factory=lambda: defaultdict(partial(defaultdict, list))
    )
    """Host → task → what each call of one of Ansible's own modules was given."""

    def take(self, event: dict[str, Any]) -> None:
        self.collector.take(event)
        data = event.get("event_data") or {}
        result = data.get("res") or {}
        asked = result.get("asked")
        if "module_args" in result.get("invocation", {}):
            title = f"{data.get('role')}: {data.get('task')}"
            self.called[data["host"]][title].append(result["invocation"]["module_args"])
        if asked is None:
            return
        self.asked[data["host"]][f"{data.get('role')}: {data.get('task')}"] = asked
        for path, want in asked.get("files", {}).items():
            self.files[data["host"]][path] = want if isinstance(want, dict) else {"content": want}

    def text(self, host: str, path: str) -> str:
        return str(self.files[host][path]["content"])


def checkout(folder: Path, contract: Contract) -> Workspace:
    """A checkout of railbed whose modules are recorders."""
    (folder / "infra").mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text("name: railbed\n")
    shutil.copy(ROOT / "ansible.cfg", folder)
    (folder / "infra/railbed").symlink_to(ROOT / "infra/railbed")
    for name in ("roles", "playbooks"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "tools").symlink_to(ROOT / "tools")
    (folder / "actions").mkdir()
    (folder / "plugins").symlink_to(ROOT / "plugins")
    for name in MODULES:
        shutil.copy(ROOT / "tests/roles/recorder.py", folder / f"actions/{name}.py")
    work = Workspace(folder, contract.stack)
    ensure_stack_secrets(work)
    contract_store.write(work, contract)
    return work


def record(
    folder: Path, contract: Contract, *, container: bool, tags: str = "all",
    facts_of: Mapping[str, Mapping[str, Any]] | None = None, observed: Mapping[str, NodeFacts] | None = None,
    extra: Path | None = None,
) -> Recorded:  # fmt: skip
    """Runs site.yml, or the roles of these tags; ``container`` is what the hosts' facts say, beside ``facts_of`` each.

    ``observed`` is what was seen of nodes before; ``extra`` is a JSON file of Ansible's extra variables."""
    work = checkout(folder, contract)
    observations.remember(work, observed or {})
    facts = work.runner_dir / "facts" / contract.hash[:12]
    facts.mkdir(parents=True)
    for one in contract.nodes:
        guest = ["container" if container else "kvm"]
        # The form in which ansible-core 2.19 keeps facts on disk.
        known = {
            "ansible_virtualization_tech_guest": guest,
            "ansible_kernel": "6.8.0-45-generic",
            "_ansible_facts_gathered": True,
        }
        known |= (facts_of or {}).get(one.name, {})
        (facts / f"s1_{one.name}").write_text(json.dumps({"__payload__": json.dumps(known)}))
    source = work.runner_dir / f"{work.stack}.railbed.yaml"
    source.write_text(f"plugin: railbed\nstack: {work.stack}\n")
    names = [one.name for one in contract.nodes]
    recorded = Recorded(Collector(names))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANSIBLE_ACTION_PLUGINS", str(folder / "actions"))
        runner.play(
            work, "site.yml", source, names, contract_hash=contract.hash,
            options=f"--check --connection local --tags {tags}" + (f" --extra-vars @{extra}" if extra else ""),
            forks=4, redactor=Redactor([]), take=recorded.take,
        )  # fmt: skip
    return recorded


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Recorded]) -> Recorded:
    """What ``make`` records in a folder; with several workers the first of them that asks makes it for all."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return make(factory.mktemp(name))
    kept = factory.getbasetemp().parent / f"{name}.pickle"
    with kept.with_suffix(".lock").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_bytes(pickle.dumps(make(factory.mktemp(name))))
        made: Recorded = pickle.loads(kept.read_bytes())
    return made


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """On hosts that are containers."""
    return once(tmp_path_factory, "lab", lambda at: record(at / "checkout", cluster(), container=True))


def whole_cluster() -> Contract:
    """Machines of their own, with InfiniBand rails and every part of a release."""
    contract = cluster()
    infiniband = contract.machines[0].model_copy(update={"transport": "infiniband"})
    software = Software(
        **planned_software("2026.12", infiniband, "ubuntu 24.04"), repositories=contract.software.repositories
    )
    changed = {"machines": [infiniband], "simulated": False, "hosts": "machine", "software": software}
    return sealed(contract.model_copy(update=changed))


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """On hosts of `whole_cluster`."""
    return once(
        tmp_path_factory, "machines", lambda at: record(at / "checkout", whole_cluster(), container=False)
    )
