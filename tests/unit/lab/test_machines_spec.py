"""`hosts: machine` from the spec to what this computer must have for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from railbed import flow, plan, spec
from railbed.effects.lab.machines import accelerator
from railbed.effects.workspace import Workspace
from railbed.errors import SpecError, Unsupported
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


def test_up_refuses_them_before_anything_is_made(tmp_path: Path) -> None:
    work = Workspace(tmp_path, "vm")
    write(work.stack_file, "machine")
    with pytest.raises(Unsupported) as refused:
        flow.up(work, lambda text: None)
    assert refused.value.path == "railbed:cluster.platform.hosts"
    assert "pulumi up" in refused.value.hint
    assert not work.lab_dir.exists()


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
