"""`hosts: machine` from the spec to what this computer must have for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from railbed import catalog, plan, spec
from railbed.effects.lab import content as lab_content
from railbed.effects.lab.machines import accelerator, content
from railbed.errors import SpecError, Unsupported
from railbed.plan import node_classes
from railbed.platforms.lab import doctor

ROOT = Path(__file__).resolve().parents[3]


def write(path: Path, hosts: str) -> Path:
    document = yaml.safe_load((ROOT / "examples/lab-cluster.yaml").read_text())
    document["config"]["railbed:cluster"]["platform"]["hosts"] = hosts
    path.write_text(yaml.safe_dump(document))
    return path


def test_the_contract_calls_them_machines(tmp_path: Path) -> None:
    made = {
        hosts: plan.plan(spec.load(write(tmp_path / "spec.yaml", hosts)))
        for hosts in ("container", "machine")
    }
    assert {hosts: one.hosts for hosts, one in made.items()} == {
        "container": "container",
        "machine": "machine",
    }
    assert [one.name for one in plan.hosts(made["machine"])] == [
        one.name for one in plan.hosts(made["container"])
    ]


def test_another_kind_of_host_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as refused:
        spec.load(write(tmp_path / "spec.yaml", "microvm"))
    assert "machine" in str(refused.value.allowed) + refused.value.message + refused.value.hint


def test_a_baked_image_is_for_containers(tmp_path: Path) -> None:
    path = write(tmp_path / "spec.yaml", "machine")
    document = yaml.safe_load(path.read_text())
    document["config"]["railbed:cluster"]["pools"][0]["image"] = "h100-1"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(Unsupported, match="baked image") as refused:
        plan.plan(spec.load(path))
    assert refused.value.path.endswith("pools[0].image")


def test_rdma_rails_need_machines(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    document = yaml.safe_load((ROOT / "examples/lab-machines.yaml").read_text())
    path.write_text(yaml.safe_dump(document))
    assert plan.plan(spec.load(path)).pools[0].machine.transport == "roce"
    document["config"]["railbed:cluster"]["platform"]["hosts"] = "container"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(Unsupported, match="RDMA rails of containers") as refused:
        plan.plan(spec.load(path))
    assert refused.value.path.endswith("pools[0].machine")
    assert "hosts: machine" in refused.value.hint


ON_MACHINES = {"node.affinity", "node.memory", "node.processors", "fabric.gid"}
"""Claims about what a container has none of."""


def test_machines_answer_claims_that_containers_cannot() -> None:
    roce = plan.plan(spec.load(ROOT / "examples/lab-machines.yaml"))
    usual = plan.plan(spec.load(ROOT / "examples/lab-cluster.yaml"))
    assert {one.id for one in roce.claims} >= ON_MACHINES
    assert {one.id for one in usual.out_of_scope} >= ON_MACHINES
    rails = [one for one in roce.claims if one.id.startswith("fabric.rail.")]
    assert len(rails) == 4
    assert all("ib_write_bw" in one.measured_by and one.simulated for one in rails)


def test_what_soft_roce_cannot_show_is_out_of_scope() -> None:
    """A stand-in that sends TCP would measure other ways than the rails; their ports count no errors."""
    roce = plan.plan(spec.load(ROOT / "examples/lab-machines.yaml"))
    out = {one.id for one in roce.out_of_scope}
    assert out >= {
        "fabric.transport",
        "fabric.transport.nccl_log",
        "fabric.port_errors",
        "collective.all_reduce@2",
    }
    usual = {one.id for one in plan.plan(spec.load(ROOT / "examples/lab-cluster.yaml")).claims}
    assert usual >= {
        "fabric.transport",
        "fabric.transport.nccl_log",
        "fabric.port_errors",
        "collective.all_reduce@2",
    }


def test_machines_boot_by_a_loader_that_is_the_cluster_s_to_set() -> None:
    roce, bare = catalog.load_machine("lab/roce4"), catalog.load_machine("metal/hgx-h100")
    words = {
        (one.key, hosts, provided): node_classes.boot_line_of(one, hosts, 0, provided=provided)
        for one in (roce, bare)
        for hosts in ("machine", "container")
        for provided in (False, True)
    }
    assert {key for key, said in words.items() if said == ["iommu=pt"]} == {
        ("lab/roce4", "machine", False), ("lab/roce4", "machine", True), ("metal/hgx-h100", "machine", False),
    }  # fmt: skip


def test_roles_of_machines_run_and_the_training_stack_is_this_computer_s() -> None:
    roce = catalog.load_machine("lab/roce4")
    groups = node_classes.of(node_classes.Kind("compute", roce.key, rails=True), roce, cluster("lab")).groups
    assert {"rdma_nodes", "scratch_nodes", "own_kernel_nodes"} <= set(groups)
    assert "training_fetched" not in groups
    bare = catalog.load_machine("metal/hgx-h100")
    groups = node_classes.of(
        node_classes.Kind("compute", bare.key, rails=True), bare, cluster("metal")
    ).groups
    assert "training_fetched" in groups


def cluster(vendor: str) -> node_classes.Cluster:
    return node_classes.Cluster(
        release=catalog.load_release("2026.11"), os="debian 12", installed=frozenset(), scheduler="slurm",
        mounts=frozenset(), imds=False, hosts="machine", vendor=vendor,
    )  # fmt: skip


def test_the_image_of_machines_has_what_only_their_roles_install() -> None:
    assert {"mdadm", "perftest", "linux-headers-@kernel"} <= set(lab_content.machine_packages())
    assert {"mdadm", "perftest", "linux-headers-amd64"} <= set(content.packages())
    assert not [name for name in content.packages() if "@" in name]
    assert {"mdadm", "linux-headers-@kernel"}.isdisjoint(lab_content.role_packages())


def findings(hosts: int, *, machines: bool) -> dict[str, doctor.Finding]:
    return {one.name: one for one in doctor.examine(hosts, machines=machines)}


def test_more_machines_than_memory_holds_are_refused() -> None:
    assert not findings(10_000, machines=True)["memory"].ok
    assert "10000 machines" in findings(10_000, machines=True)["memory"].found


def test_without_kvm_it_says_how_much_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "here", lambda: accelerator.TCG)
    told = findings(1, machines=True)["processor"]
    assert not told.ok
    assert not told.needed
    assert "sha256 51 times" in told.found
    monkeypatch.setattr(accelerator, "here", lambda: accelerator.KVM_HERE)
    assert findings(1, machines=True)["processor"].ok
    assert "processor" not in findings(1, machines=False)


def test_qemu_is_a_tool_of_machine_labs_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor.shutil, "which", lambda name: None if name.startswith("qemu") else f"/usr/bin/{name}"
    )
    assert doctor.missing_tools(machines=True) == ["qemu-system-x86", "qemu-utils"]
    assert doctor.missing_tools() == []
