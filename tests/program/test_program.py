"""The Pulumi program under mocks, for every example: what it declares and the contract that comes out."""

from __future__ import annotations

import asyncio
import base64
import json
import runpy
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from railbed.effects import contract_store
from railbed.effects.lab import names
from railbed.effects.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = [ROOT / "examples/lab-cluster.yaml"]


class Recorder(pulumi.runtime.Mocks):
    """Answers every resource with its inputs and plausible outputs, and keeps what was declared."""

    def __init__(self) -> None:
        self.declared: list[tuple[str, str, dict[str, Any]]] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        self.declared.append((args.typ, args.name, dict(args.inputs)))
        outputs = {
            "image": "/image", "containers": "/containers", "repository": "/repository", "training": "/training",
            "host_key": f"ssh-ed25519 AAAA {args.name}", "machine_id": f"id-{args.name}",
        }  # fmt: skip
        return f"{args.name}-id", {**args.inputs, **outputs}

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[Any, Any]:
        raise AssertionError(f"the lab program calls no provider function, but called {args.token}")


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of its own, so that no secrets are made in this one."""
    for name in ("Pulumi.yaml", "infra", "tools", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "railbed.platforms.lab.platform.repository_key",
        (ROOT / "tests/unit/data/openpgp/mirror.asc").read_text,
    )
    return tmp_path


def run(example: Path) -> tuple[Recorder, Any]:
    data = yaml.safe_load(example.read_text())["config"]["railbed:cluster"]
    recorder, exported = Recorder(), {}
    # An earlier test in this process may have closed the thread's loop (asyncio.run does).
    asyncio.set_event_loop(asyncio.new_event_loop())
    pulumi.runtime.set_mocks(recorder, project="railbed", stack="test")
    pulumi.runtime.set_config("railbed:cluster", json.dumps(data))
    real = pulumi.export
    pulumi.export = exported.__setitem__  # type: ignore[assignment]
    try:

        @pulumi.runtime.test
        def checked() -> Any:
            runpy.run_path(str(ROOT / "infra/__main__.py"))
            return pulumi.Output.from_input(exported["contract"]).apply(
                lambda value: exported.__setitem__("value", value)
            )

        checked()
    finally:
        pulumi.export = real
    return recorder, exported["value"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_declares_its_hosts_and_gives_a_whole_contract(example: Path, workdir: Path) -> None:
    recorder, value = run(example)
    contract = contract_store.parse(Workspace(workdir, "test"), value, example.name)
    types = [declared[0] for declared in recorder.declared]
    assert types.count("railbed:lab:Host") == len(contract.nodes)
    assert types.count("railbed:lab:Switch") == len(
        {rail.index for node in contract.nodes for rail in node.rails}
    )
    assert types.count("railbed:lab:Network") == 1
    assert contract.simulated
    assert all(node.ssh.host_keys == [f"ssh-ed25519 AAAA {node.name}"] for node in contract.nodes)
    body = len(json.dumps([node.model_dump(mode="json") for node in contract.nodes]))
    assert body / len(contract.nodes) <= 2048 * 1.2, "a node takes about 2 KB of the contract"


def test_rails_carry_the_catalogue_s_rate(workdir: Path) -> None:
    recorder, _ = run(ROOT / "examples/lab-cluster.yaml")
    compute = [
        inputs for typ, name, inputs in recorder.declared if typ == "railbed:lab:Host" and name != "ctl0"
    ]
    assert len(compute) == 5
    assert all([rail["rate_mbit"] for rail in one["rails"]] == [100] * 8 for one in compute)


def machines(tmp: Path) -> Path:
    """The example with virtual machines as its hosts."""
    document = yaml.safe_load((ROOT / "examples/lab-cluster.yaml").read_text())
    document["config"]["railbed:cluster"]["platform"]["hosts"] = "machine"
    path = tmp / "machines.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_nodes_that_are_machines_are_the_same_but_for_kind_image_and_identity(workdir: Path) -> None:
    recorder, value = run(machines(workdir))
    contract = contract_store.parse(Workspace(workdir, "test"), value, "machines")
    types = [declared[0] for declared in recorder.declared]
    assert types.count("railbed:lab:Machine") == 5
    assert [name for typ, name, _ in recorder.declared if typ == "railbed:lab:Host"] == ["ctl0"]
    assert types.count("railbed:lab:MachineImage") == 1
    assert "railbed:lab:Image" not in types
    assert contract.hosts == "machine"
    lab_id = Workspace(workdir, "test").lab_id
    nodes = [node for node in contract.nodes if node.role != "controller"]
    assert {node.name: node.identity.model_dump() for node in nodes} == {
        node.name: {"kind": "serial", "value": names.serial(lab_id, node.name)} for node in nodes
    }
    assert contract.with_role("controller")[0].identity.kind == "machine_id"
    usual, _ = run(ROOT / "examples/lab-cluster.yaml")
    as_machines = {name: inputs for typ, name, inputs in recorder.declared if typ in MADE}
    as_containers = {name: inputs for typ, name, inputs in usual.declared if typ in MADE}
    controller = as_machines.pop("ctl0"), as_containers.pop("ctl0")
    assert as_machines == as_containers
    assert controller[0] == controller[1] | {"image": "/containers"}


MADE = ("railbed:lab:Host", "railbed:lab:Machine")


def test_soft_roce_is_asked_of_nodes_whose_machine_has_it(workdir: Path) -> None:
    recorder, value = run(ROOT / "examples/lab-machines.yaml")
    asked = {name: inputs.get("roce") for typ, name, inputs in recorder.declared if typ in MADE}
    assert asked == {"ctl0": None, "h100-0": True, "h100-1": True, "h100-2": True}
    contract = contract_store.parse(Workspace(workdir, "test"), value, "machines")
    assert contract.machines[0].transport == "roce"
    node = contract.node("h100-0")
    assert [rail.address for rail in node.rails] == [f"10.91.{rail}.11/24" for rail in range(4)]
    assert {nic.device for rail in node.rails for nic in rail.nics} == {""}, "names are the node's to tell"


def test_secrets_never_become_inputs(workdir: Path) -> None:
    recorder, value = run(ROOT / "examples/lab-cluster.yaml")
    said = json.dumps([declared[2] for declared in recorder.declared]) + json.dumps(value)
    secrets = [
        path.read_bytes() for path in (workdir / ".railbed/test/secrets").iterdir() if path.suffix != ".pub"
    ]
    assert len(secrets) == 5
    for secret in secrets:
        # The middle of a key file is key material in base64; of the raw munge key every encoding is looked for.
        middle = secret[len(secret) // 2 :][:48]
        for form in (middle.decode("latin1"), middle.hex(), base64.b64encode(middle).decode()):
            assert form.strip() not in said
