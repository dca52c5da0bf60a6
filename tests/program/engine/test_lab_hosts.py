"""The real engine over railbed's own provider when a lab's hosts become hosts of the other kind. Hosts are folders here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pulumi.automation as auto
import pytest
from tests.program.clouds import cases
from tests.program.engine.harness import Step, steps
from tests.program.engine.serving import serving

from railbed import platforms
from railbed.effects.engine.session import environment
from railbed.effects.lab import hosts
from railbed.effects.lab.hosts import HostSpec
from railbed.effects.lab.machines.hosts import MACHINE_ID
from railbed.effects.workspace import Workspace
from railbed.platforms.lab import resources
from railbed.platforms.lab.nodes import TYPES
from railbed.platforms.provider import Railbed

pytestmark = pytest.mark.engine
ROOT = Path(__file__).resolve().parents[3]
CONTROLLER = "ctl0"
NODES = {CONTROLLER, *(f"h100-{at}" for at in range(5))}
MADE = {"container": hosts.UPPER, "machine": MACHINE_ID}
"""What a host of the kind has in its folder, and the other kind has not."""


def folders_only(patch: pytest.MonkeyPatch) -> None:
    """Effects make and remove a host's folder, and nothing else."""

    def destroy(lab_id: str, name: str, lab_dir: Path) -> None:
        shutil.rmtree(hosts.folder_of(lab_dir, name), ignore_errors=True)

    def create(spec: HostSpec, kind: str) -> None:
        destroy(spec.lab_id, spec.name, Path(spec.lab_dir))
        (spec.folder / MADE[kind]).mkdir(parents=True)

    def made(spec: HostSpec) -> str:
        return f"ssh-ed25519 AAAA {spec.name}"

    patch.setattr(hosts, "destroy", destroy)
    patch.setattr(hosts, "create", lambda one: create(one, "container"))
    patch.setattr(resources.machines, "create", lambda one: create(one.host, "machine"))
    for module in (hosts, resources.machines):
        patch.setattr(module, "host_key", made)
        patch.setattr(module, "machine_id", made)
    patch.setattr(resources, "ensure_image", lambda say: Path("/image"))
    patch.setattr(
        resources.machine_image, "ensure_image", lambda say: SimpleNamespace(folder=Path("/machine-image"))
    )
    patch.setattr(resources, "ensure_repository", lambda tools, say: Path("/repository"))
    patch.setattr(resources, "ensure_training_stack", lambda tools, say: Path("/training"))
    for name in ("ensure_namespace", "ensure_bridge", "ensure_control"):
        patch.setattr(resources.network, name, lambda *given: None)
    patch.setattr(resources.network, "links", lambda namespace: {})
    for name in ("ensure", "remove"):
        patch.setattr(resources.switches, name, lambda *given: None)
    patch.setattr(
        resources.sweep, "sweep", lambda lab_id, lab_dir: shutil.rmtree(lab_dir, ignore_errors=True)
    )
    patch.setattr(
        "railbed.platforms.lab.platform.repository_key",
        (ROOT / "tests/unit/data/openpgp/mirror.asc").read_text,
    )


class Bench:
    """One stack of the example with hosts of one kind, then of the other."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.work = Workspace(folder, cases.STACK)
        self.data: dict[str, Any] = {}
        self.stack = auto.create_stack(
            cases.STACK, project_name="railbed", program=self.program,
            opts=auto.LocalWorkspaceOptions(work_dir=str(folder), env_vars=variables),
        )  # fmt: skip

    def program(self) -> None:
        pulumi.export(
            "contract", platforms.build(cases.planned(self.data), Workspace(Path.cwd(), cases.STACK))
        )

    def up(self, kind: str) -> list[Step]:
        self.data = cases.example("lab-cluster")
        self.data["platform"]["hosts"] = kind
        events: list[Any] = []
        self.stack.up(on_event=events.append)
        return steps(events)

    def kinds(self) -> dict[str, list[str]]:
        """Host → what is in its folder."""
        return {
            one.name: [part.name for part in one.iterdir()] for one in (self.work.lab_dir / "hosts").iterdir()
        }


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patch, serving(Railbed()) as port:
        cases.checkout(tmp_path, patch, pulumi_yaml=False)
        (tmp_path / "Pulumi.yaml").write_text("name: railbed\nruntime: {name: python}\n")
        folders_only(patch)
        variables = environment(Workspace(tmp_path, cases.STACK), print)
        variables["PULUMI_DEBUG_PROVIDERS"] = f"railbed:{port}"
        for name, value in variables.items():
            patch.setenv(name, value)
        yield Bench(tmp_path, variables)


def test_hosts_of_the_other_kind_take_the_place_of_those_before(bench: Bench) -> None:
    assert {one.name for one in bench.up("container") if one.typ == TYPES["container"]} == NODES
    assert bench.kinds() == {name: [MADE["container"]] for name in NODES}
    for kind in ("machine", "container"):
        done = bench.up(kind)
        of_kind = {name: [MADE[kind]] for name in NODES - {CONTROLLER}}
        assert bench.kinds() == of_kind | {CONTROLLER: [MADE["container"]]}, (
            "none is deleted, none is of both kinds"
        )
        replaced = {one.name for one in done if one.op == "replace"}
        assert replaced >= NODES - {CONTROLLER}
        assert CONTROLLER not in replaced, "a controller is a container in either"
    assert not [one for one in bench.up("container") if one.op not in ("same", "refresh", "read")]
