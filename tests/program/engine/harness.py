"""Runs a cloud's own program on the real engine, over the stand-in provider (``stand_in``), and says what the engine does.

The program runs in this process by the Automation API, so that an SDK is imported once. Members of pools come from the
cloud's view, as in the conformance suite. Nothing leaves this machine, and no cloud is asked.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi.automation as auto
import pytest
from tests.program.clouds import cases
from tests.program.clouds.view import View
from tests.program.engine.serving import serving
from tests.program.engine.stand_in import StandIn, named

from railbed import platforms
from railbed.effects.engine.session import environment
from railbed.effects.workspace import Workspace
from railbed.plan import ClusterPlan

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = {"azure": "azure-native"}
"""Where the provider's package is not called after the platform."""
QUIET = ("same", "read", "refresh")
KEEPS = ("same", "update", "read", "refresh", "import")
"""Steps that leave what there is where it is."""


@dataclass(frozen=True)
class Step:
    """One thing that the engine does, or would do."""

    op: str
    typ: str
    name: str
    keys: tuple[str, ...] = ()
    """Inputs that differ."""


@dataclass
class Bench:
    """One stack of one cloud: its state, its stand-in cloud, and the program of the plan at hand."""

    view: View
    folder: Path
    patch: pytest.MonkeyPatch
    provider: StandIn
    variables: dict[str, str]
    plan: ClusterPlan | None = None
    contract: dict[str, Any] = field(default_factory=dict)
    stack: Any = None
    history: dict[str, list[Step]] = field(default_factory=dict)
    seen: list[Step] = field(default_factory=list)
    """What the last preview came to, also where it ended in an error."""

    @property
    def cloud(self) -> dict[str, dict[str, Any]]:
        """What the stand-in holds."""
        return self.provider.held

    @property
    def contract_file(self) -> Path:
        return Workspace(self.folder, cases.STACK).contract_file

    @classmethod
    @contextmanager
    def opened(cls, view: View, folder: Path) -> Iterator[Bench]:
        """A stack in a checkout of its own, and the stand-in as its provider."""
        provider = StandIn(view.kind)
        with pytest.MonkeyPatch.context() as patch, serving(provider) as port:
            cases.checkout(folder, patch, pulumi_yaml=False)
            (folder / "Pulumi.yaml").write_text("name: railbed\nruntime: {name: python}\n")
            variables = environment(Workspace(folder, cases.STACK), print)
            variables["PULUMI_DEBUG_PROVIDERS"] = f"{PACKAGES.get(view.kind, view.kind)}:{port}"
            for name, value in variables.items():
                patch.setenv(name, value)
            made = cls(view, folder, patch, provider, variables)
            made.stack = made._stack(cases.STACK)
            yield made

    def _stack(self, name: str) -> Any:
        return auto.create_stack(
            name, project_name="railbed", program=self._program,
            opts=auto.LocalWorkspaceOptions(work_dir=str(self.folder), env_vars=self.variables),
        )  # fmt: skip

    def beside(self, name: str) -> Bench:
        """Another stack in the same checkout, of which the engine knows nothing yet."""
        other = Bench(self.view, self.folder, self.patch, self.provider, self.variables)
        other.stack = other._stack(name)
        return other

    def _program(self) -> None:
        assert self.plan is not None
        made = platforms.build(self.plan, Workspace(Path.cwd(), cases.STACK))
        pulumi.export("contract", made)

    def wants(self, data: dict[str, Any]) -> None:
        """The next run's spec, all of whose members are there."""
        self.plan = cases.planned(data)
        there = cases.members(self.plan)
        for pool in self.plan.pools:
            if pool.formerly:
                # A rename changes no instance; the provider may list them under either name.
                there[pool.name] = there[pool.formerly] = [
                    cases.node(pool.formerly, at) for at in range(pool.size)
                ]
        self.view.members(self.patch, there, {})
        for place in ("cloud.consoles.CONSOLE_TIMEOUT_S", "cloud.pool_wait.CLOUD_POOL_TIMEOUT_S"):
            self.patch.setattr(f"railbed.platforms.{place}", 0.0)

    def preview(self, data: dict[str, Any], **more: Any) -> list[Step]:
        """What `up` would do."""
        self.wants(data)
        events: list[Any] = []
        try:
            self.stack.preview(on_event=events.append, **more)
        finally:
            self.seen = steps(events)
        return self.seen

    def up(self, data: dict[str, Any]) -> list[Step]:
        """What `up` does; the contract is kept where the next run looks for it."""
        self.wants(data)
        events: list[Any] = []
        outputs = self.stack.up(on_event=events.append).outputs
        self.contract = outputs["contract"].value
        self.contract_file.parent.mkdir(parents=True, exist_ok=True)
        self.contract_file.write_text(json.dumps(self.contract))
        return steps(events)

    def destroy(self, **more: Any) -> list[Step]:
        events: list[Any] = []
        self.stack.destroy(on_event=events.append, **more)
        return steps(events)


def steps(events: list[Any]) -> list[Step]:
    """What the engine's events tell of resources, in the order of their types and names."""
    found = []
    for event in events:
        if event.resource_pre_event is None:
            continue
        about = event.resource_pre_event.metadata
        op = str(getattr(about.op, "value", about.op))
        typ, name = named(about.urn)
        if typ == "pulumi:pulumi:Stack":
            continue
        paths = (about.detailed_diff or {}) if op != "same" else {}
        keys = sorted({*(path.split(".")[0].split("[")[0] for path in paths), *(about.diffs or [])})
        found.append(Step(op, typ, name, tuple(keys)))
    return sorted(found, key=lambda one: (one.op, one.typ, one.name))


def told(steps: list[Step]) -> str:
    """One line per step that changes something, and how many there are that change nothing."""
    lines = [" ".join([one.op, one.typ, one.name, *one.keys]) for one in steps if one.op not in QUIET]
    quiet = Counter(one.op for one in steps if one.op in QUIET)
    return "\n".join([*lines, *(f"{op}: {count}" for op, count in sorted(quiet.items()))]) + "\n"


def losing(steps: list[Step], types: frozenset[str]) -> list[Step]:
    """Steps that would take away or make anew something of these types."""
    return [one for one in steps if one.typ in types and one.op not in (*KEEPS, "create")]
