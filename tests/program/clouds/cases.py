"""Programs for the conformance suite: every example of a cloud, and every machine of its vendor in its place."""

from __future__ import annotations

import base64
import copy
import functools
import hashlib
import importlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml
from tests.program.clouds import recording
from tests.program.clouds.checks import Case
from tests.program.clouds.view import Node, View

from railbed import catalog, platforms, spec
from railbed import plan as plans
from railbed.effects.workspace import Workspace
from railbed.plan import ClusterPlan
from railbed.platforms.cloud.cluster import CONTROLLER_POOL

ROOT = Path(__file__).resolve().parents[3]
STACK = "test"
DECLARED_GBPS = 3200.0
"""What the spec declares where nobody published a machine's rate."""


@functools.cache
def views() -> dict[str, View]:
    """Every cloud that has a view, by kind."""
    found = (path.stem for path in sorted(Path(__file__).parent.glob("*_view.py")))
    made = (importlib.import_module(f"tests.program.clouds.{stem}").VIEW for stem in found)
    return {view.kind: view for view in made}


def example(name: str) -> dict[str, Any]:
    """The spec of a stack file of ``examples/``."""
    return copy.deepcopy(_read(name))


@functools.cache
def _read(name: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((ROOT / f"examples/{name}.yaml").read_text())
    return data["config"]["railbed:cluster"]  # type: ignore[no-any-return]


def with_machine(data: dict[str, Any], key: str) -> dict[str, Any]:
    """The same spec with another machine in all pools: rails, rate and the job's size follow; of the newest release,
    whose driver knows every machine."""
    changed = copy.deepcopy(data)
    changed["software"] = {"release": catalog.keys("software")[-1]}
    machine = catalog.load_machine(key)
    for pool in changed["pools"]:
        pool["machine"] = key
    image = changed["platform"].get("image")
    if isinstance(image, dict) and "id" in image:
        # A vendor's image is for some of its machines.
        changed["platform"]["image"] = image["id"]
    if changed.get("fabric"):
        rate = machine.node_gbps if machine.rate_is_known else DECLARED_GBPS
        changed["fabric"] = {"rails": machine.rails, "node_gbps": rate}
    for workload in changed.get("workloads", []):
        workload["gpus"] = min(
            workload["gpus"], sum(pool["nodes"] for pool in changed["pools"]) * machine.gpus
        )
    return changed


def planned(data: dict[str, Any]) -> ClusterPlan:
    """Its plan, with every purchase acknowledged."""
    plan = plans.plan(spec.from_config(data, "test"))
    words = [purchase.words for purchase in plan.purchases]
    return plans.plan(spec.from_config({**data, "acknowledge": words}, "test")) if words else plan


def changed(change: Callable[[dict[str, Any]], Any] = lambda data: None, *, name: str) -> ClusterPlan:
    """The plan of an example that was changed in place."""
    data = example(name)
    change(data)
    return planned(data)


def host_key(seed: str) -> str:
    """An ed25519 public key that nobody has the private part of."""
    body = base64.b64encode(b"\0\0\0 " + hashlib.sha256(seed.encode()).digest()).decode().rstrip("=")
    return f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5{body}"


def node(pool: str, place: int, key: str | None = None) -> Node:
    """A member as cloud-init leaves it: its host key stands on the console. ``key`` empty: nothing was printed yet."""
    name = f"{pool}-{place}"
    key = host_key(name) if key is None else key
    block = (
        f"-----BEGIN SSH HOST KEY KEYS-----\n{key} root@{name}\n-----END SSH HOST KEY KEYS-----\n"
        if key
        else ""
    )
    return Node(
        f"i-{pool}-{place:05d}", f"10.64.{place // 250}.{place % 250 + 2}", f"cloud-init: booting\n{block}"
    )


def members(plan: ClusterPlan) -> dict[str, list[Node]]:
    """Every pool whole, and the controllers where there are any."""
    pools = {pool.name: [node(pool.name, place) for place in range(pool.size)] for pool in plan.pools}
    controllers = {CONTROLLER_POOL: [node(CONTROLLER_POOL, place) for place in range(plan.controllers)]}
    return {**pools, **(controllers if plan.has_controller else {})}


def run(
    view: View,
    plan: ClusterPlan,
    monkeypatch: Any,
    pools: dict[str, list[Node]] | None = None,
    reasons: dict[str, list[str]] | None = None,
) -> Case:
    """The program of ``plan`` under mocks, with these members at the fake provider."""
    for place in ("cloud.consoles.CONSOLE_TIMEOUT_S", "cloud.pool_wait.CLOUD_POOL_TIMEOUT_S"):
        monkeypatch.setattr(f"railbed.platforms.{place}", 0.0)
    view.members(monkeypatch, pools or members(plan), reasons or {})
    made = recording.run(lambda: platforms.build(plan, Workspace(Path.cwd(), STACK)), view.answers, view.call)
    return Case(view, plan, made, tuple(_forms(Workspace(Path.cwd(), STACK))))


def _forms(work: Workspace) -> Iterable[str]:
    """Key material of each secret file, in every form in which JSON or a boot script could hold it."""
    for path in sorted(work.secrets.iterdir()):
        if path.suffix == ".pub":
            continue
        secret = path.read_bytes()
        lines = secret.splitlines()
        if secret.startswith(b"-----BEGIN"):
            # A line from the middle of the file: base64 without a line break in it.
            yield lines[len(lines) // 2].decode()
        yield from (secret[:48].hex(), base64.b64encode(secret[:48]).decode())


def keep(case: Case) -> None:
    """Writes the contract where the next run finds what was there before."""
    file = Workspace(Path.cwd(), STACK).contract_file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(case.run.contract))


def by_the_hour(data: dict[str, Any]) -> dict[str, Any]:
    return with_capacity(data, {"kind": "on_demand"})


def with_capacity(data: dict[str, Any], capacity: dict[str, Any]) -> dict[str, Any]:
    """Bought another way; a reservation or block keeps the id that the example has, where it has one."""
    changed = copy.deepcopy(data)
    changed["workloads"] = []
    for pool in changed["pools"]:
        held = pool.get("capacity", {}).get("id", "reserved-1")
        pool["capacity"] = {
            **capacity,
            **({"id": held} if capacity["kind"] in ("reservation", "block") else {}),
        }
    return changed


def small(kind: str) -> dict[str, Any]:
    """The same cluster on every cloud: the example's place, machine, way of buying and filesystem; three nodes and a spare."""
    data = copy.deepcopy(example(f"{kind}-cluster"))
    pool = data["pools"][0]
    if "flavors" in data["platform"]:
        data["platform"]["flavors"]["gpu"] = data["platform"]["flavors"][pool["name"]]
    pool.update(name="gpu", nodes=3, spares=1)
    filesystem = data["filesystems"][0]
    filesystem.update(name="scratch", mount="/scratch")
    return {**data, "name": "same", "pools": [pool], "filesystems": [filesystem], "workloads": []}


EXISTING = {
    "aws": "fs-0123456789abcdef0",
    "azure": "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/a"
    "/providers/Microsoft.StorageCache/amlFilesystems/b",
    "oci": "ocid1.lustrefilesystem.oc1.iad.examplefilesystem",
}
"""Identifiers in the provider's form, where its form matters."""


def with_existing(data: dict[str, Any], kind: str) -> dict[str, Any]:
    """The filesystem is one that is there already."""
    changed = copy.deepcopy(data)
    changed["filesystems"][0]["existing"] = EXISTING.get(kind, "existing-1")
    return changed


NETWORKS = {
    "aws": ("vpc-0123456789abcdef0", "subnet-0123456789abcdef0"),
    "oci": ("ocid1.vcn.oc1.ord.examplenetwork", "ocid1.subnet.oc1.ord.examplesubnet"),
}
"""Networks and subnets in the provider's form, where its form matters."""


def in_network(data: dict[str, Any], kind: str) -> dict[str, Any]:
    """Nodes go into a network and subnet that are there already."""
    network, subnet = NETWORKS.get(kind, ("network-1", "subnet-1"))
    return {**data, "platform": {**data["platform"], "network": network, "subnet": subnet}}


def asking_for(kind: str, feature: str) -> dict[str, Any] | None:
    """A spec that needs ``feature``; None where no key of the spec asks for it."""
    data = small(kind)
    if feature in ("on_demand", "spot"):
        return with_capacity(data, {"kind": feature})
    if feature == "reservation":
        return with_capacity(data, {"kind": feature})
    if feature == "block":
        return with_capacity(data, {"kind": feature, "starts": "2027-01-01", "ends": "2028-03-01"})
    if feature == "existing_filesystem":
        return with_existing(data, kind)
    if feature == "data_repository":
        data["filesystems"][0]["data_repository"] = "s3://bucket/prefix"
        return data
    if feature == "existing_network":
        return in_network(data, kind)
    if feature in ("hosts", "metal"):
        return {**data, "service": feature, "scheduler": "none"}
    return None


def shape(value: Any, at: str = "") -> set[str]:
    """Paths and types of everything in a contract. Of facts that somebody may not have published only the path counts."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if at not in FREE}
        return {f"{at}.{key}" for key in kept}.union(
            *(shape(item, f"{at}.{key}") for key, item in kept.items())
        )
    if isinstance(value, list):
        return set().union(*(shape(item, at) for item in value))
    kind = (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )
    return set() if at.startswith(UNPUBLISHED) else {f"{at}: {kind}"}


FREE = (
    ".software.versions",
    ".software.packages",
    ".software.package_versions",
    ".classes.components",
    ".classes.packages",
    ".classes.parts",
    ".machines.nccl_environment",
    ".admins",
    ".claims.expectation",
)
"""Maps whose keys are data, and numbers that are only there where they mean something."""
UNPUBLISHED = (".machines.", ".claims.", ".out_of_scope.")
"""Facts that are None where nobody published them, and what follows from them."""


def checkout(folder: Path, monkeypatch: Any, *, pulumi_yaml: bool = True) -> None:
    """A checkout of its own, so that no secrets are made in this one."""
    for name in (*(["Pulumi.yaml"] if pulumi_yaml else []), "infra", "tools", "examples"):
        (folder / name).symlink_to(ROOT / name)
    monkeypatch.chdir(folder)
