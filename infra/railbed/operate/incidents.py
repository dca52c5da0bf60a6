"""What nodes report of what they share, put together: one outage is one incident, whoever sees it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from railbed.claims import WORKERS, FrozenModel
from railbed.contract import Contract
from railbed.defaults import HEALTH_REPORT_PREFIX
from railbed.effects.slurm_text import NodeState
from railbed.validate.node import faults, report
from railbed.validate.node.probe import Symptom


class Incident(FrozenModel):
    """One thing that is down, or cannot be checked."""

    part: str
    """``filesystem scratch``, ``scheduler``, ``time``, …; where few nodes see it ``storage client of scratch``."""
    nodes: list[str]
    """Those that see it."""
    asked: int
    """Nodes whose health check says how they are."""
    reason: str


def incidents(contract: Contract, states: Mapping[str, NodeState]) -> list[Incident]:
    """From what the scheduler keeps with each node.

    What all nodes use is down itself where most of them say so; where only a few do, their own way to it is broken.
    """
    nodes = [node.name for node in contract.with_role(*WORKERS) if node.name in states]
    seen: dict[tuple[str, str], dict[str, Symptom]] = {}
    for name in nodes:
        for symptom in report.parse(states[name].comment, HEALTH_REPORT_PREFIX):
            fault = faults.FAULTS.get(symptom.code)
            part = fault.part if fault else symptom.code
            subject = symptom.subject if part == "filesystem" else ""
            seen.setdefault((part, subject), {}).setdefault(name, symptom)
    return [
        _incident(contract, part, subject, by_node, len(nodes)) for (part, subject), by_node in seen.items()
    ]


def _incident(
    contract: Contract, part: str, subject: str, by_node: Mapping[str, Symptom], asked: int
) -> Incident:
    symptom = next(iter(by_node.values()))
    everywhere = 2 * len(by_node) > asked
    title, reason = part, symptom.text
    if part == "filesystem":
        known = next((f for f in contract.filesystems if f.mount == subject), None)
        name = known.name if known else subject
        title = f"filesystem {name}" if everywhere else f"storage client of {name}"
        if everywhere and known and known.metadata_server:
            reason = f"{reason}; look at {known.metadata_server}, which serves it"
    return Incident(part=title, nodes=list(by_node), asked=asked, reason=reason)
