"""The scheduler, as a node asks it. Every method says so where it does not answer: nothing is assumed then."""

from __future__ import annotations

from typing import Optional

from railbed.effects import slurm_text
from railbed.effects.slurm_text import NodeState
from railbed.validate.node.probe import Answer, Probe

ANSWER_S = 5
"""slurmctld answers within milliseconds; one that is overloaded must not take up the health check's time."""
SCONTROL = ("env", "SLURM_TIME_FORMAT=%s", "scontrol")
"""Times as seconds since the epoch: the zone of node and controller may differ."""


class Controller:
    """One node's requests to the scheduler about itself."""

    def __init__(self, probe: Probe, node: str) -> None:
        self.probe = probe
        self.node = node

    def nodes(self) -> Optional[dict[str, NodeState]]:
        """Every node by name; None where the scheduler does not answer."""
        answer = self._ask("show", "node", "--oneliner")
        found = slurm_text.nodes(answer.out) if answer.code == 0 else {}
        return found or None

    def own(self) -> Optional[NodeState]:
        """This node; None where the scheduler does not answer, or does not know it."""
        answer = self._ask("show", "node", self.node, "--oneliner")
        return slurm_text.nodes(answer.out).get(self.node) if answer.code == 0 else None

    def drain(self, reason: str) -> bool:
        """Takes this node out of service; jobs on it go on."""
        return self._update("State=DRAIN", f"Reason={reason}")

    def resume(self) -> bool:
        """Gives this node back."""
        return self._update("State=RESUME")

    def comment(self, text: str) -> bool:
        """Leaves a line with this node."""
        return self._update(f"Comment={text}")

    def _update(self, *fields: str) -> bool:
        return self._ask("update", f"NodeName={self.node}", *fields).code == 0

    def _ask(self, *words: str) -> Answer:
        return self.probe.execute([*SCONTROL, *words], ANSWER_S)
