"""A search for settings of NCCL: what is tried, on which nodes, and who stands in the way. Changes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from railbed import catalog
from railbed.contract import Contract, Machine, Node, nccl
from railbed.errors import UsageError
from railbed.judge import halving
from railbed.operate.picture import Picture
from railbed.validate import collective_table

COLLECTIVES = ("all_reduce", "all_gather", "reduce_scatter", "alltoall")
RESERVATION = "railbed-tuning"
"""Holds the nodes while a search runs, and for a bounded time: one that was killed gives them back by itself."""
LEAST_NODES = 2


@dataclass(frozen=True)
class Search:
    """What a search measures; the same search goes on from its own points only."""

    machine: Machine
    nodes: tuple[str, ...]
    collective: str
    size_bytes: int
    """Of a message."""
    present: Mapping[str, str]
    """Settings that nodes have by their own file: the baseline."""
    candidates: Mapping[str, Mapping[str, str]]
    """Name → settings that a start of it gets in its environment."""
    versions: Mapping[str, str]
    """Component → version, of the release that the contract has."""

    @property
    def starts(self) -> int:
        """Starts of the program where no candidate is rejected."""
        return halving.starts(len(self.candidates))

    @property
    def digest(self) -> str:
        """Of everything that a point depends on."""
        said = [
            self.machine.key, self.nodes, self.collective, self.size_bytes, sorted(self.present.items()),
            sorted(self.candidates), sorted(self.versions.items()),
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:12]


def plan(contract: Contract, collective: str, names: Sequence[str] = ()) -> Search:
    """The search on these nodes; on all compute nodes with rails where none is named.

    Raises UsageError for an unknown collective, nodes of several machines or too few, and CatalogError.
    """
    if collective not in COLLECTIVES:
        raise UsageError("no such collective", path="--collective", found=collective, allowed=COLLECTIVES)
    nodes = [contract.node(name) for name in dict.fromkeys(names)] or [
        node for node in contract.with_role("compute") if node.rails
    ]
    machine = _machine(contract, nodes)
    present, versions = nccl.settings(contract, nodes[0]), contract.software.versions
    space = catalog.load_tuning(machine.transport)
    found = space.candidates(present, versions.get("nccl", ""))
    claim = next((one for one in contract.claims if one.id == f"collective.{collective}@{len(nodes)}"), None)
    return Search(
        machine=machine, nodes=tuple(node.name for node in nodes), collective=collective,
        size_bytes=collective_table.gating_size(machine, claim), present=present,
        candidates={name_of(one): one for one in found},
        versions={"release": contract.software.release, **versions},
    )  # fmt: skip


def name_of(settings: Mapping[str, str]) -> str:
    """``NAME=VALUE`` with blanks between."""
    return " ".join(f"{name}={value}" for name, value in settings.items())


def _machine(contract: Contract, nodes: Sequence[Node]) -> Machine:
    keys = sorted({node.machine for node in nodes if node.rails and node.role != "storage"})
    bare = [node.name for node in nodes if not node.rails]
    if bare or len(keys) != 1 or len(nodes) < LEAST_NODES:
        raise UsageError(
            "a search runs on several nodes of one machine with rails", path="--node", code="TUNE_NODES",
            found=[node.name for node in nodes], allowed=f"{LEAST_NODES} nodes or more of one of {keys}",
            hint="name nodes of one pool: --node NAME, once for each",
        )  # fmt: skip
    return contract.machine(keys[0])


def obstacles(seen: Picture, names: Sequence[str]) -> dict[str, str]:
    """Node → why no search may run there now: who holds it, or what is not proven."""
    found: dict[str, str] = {}
    for name in names:
        state, jobs = seen.states.get(name), seen.jobs.get(name, [])
        others = [one for one in seen.set_aside.get(name, []) if one != RESERVATION]
        if jobs:
            found[name] = ", ".join(f"job {job.id} of {job.user}" for job in jobs)
        elif state is None or not state.usable:
            found[name] = (
                "the scheduler does not know it"
                if state is None
                else f"it is {state.text} {state.reason}".strip()
            )
        elif name in seen.reserved or not seen.is_accepted(seen.contract.node(name)):
            found[name] = "it never passed a full validation"
        elif others:
            found[name] = f"it is in reservation {', '.join(others)}"
    return found


def require_idle(seen: Picture, names: Sequence[str]) -> None:
    """Raises UsageError ``TUNE_BUSY`` with who holds the nodes."""
    if found := obstacles(seen, names):
        raise UsageError(
            "a search runs on idle nodes that were proven, never beside a job", code="TUNE_BUSY", path="--node",
            found=[f"{name}: {why}" for name, why in found.items()], allowed="idle nodes that passed a validation",
            hint="wait, or name other nodes: --node NAME, once for each; nothing was started",
        )  # fmt: skip
