"""The claim `node.affinity`: each rail's cards are those nearest to its GPUs, under the names that the contract has."""

from __future__ import annotations

from collections import defaultdict

from railbed.claims import Judged, Verdict
from railbed.contract import Contract, Node, wanted
from railbed.hardware import Document, Mapping, mapped, read
from railbed.hardware.rails import Why

CLAIM = "node.affinity"
RAILS = "rails"
"""What is to blame where no rail is named."""


def judged(one: Judged, contract: Contract, node: Node, document: Document) -> Judged:
    """The verdict on what a node is made of. A card that is missing fails; a choice that is left is unproven."""
    found = mapped(read(document), wanted.of(contract.machine(node.machine)))
    verdict, reason, parts = _of(found, contract, node)
    ranks = sorted({str(rail.rank) for rail in found.rails})
    return one.model_copy(
        update={
            "verdict": verdict,
            "reason": reason,
            "measured": ", ".join(ranks) or None,
            "detail": {"parts": parts},
        }
    )


def _of(found: Mapping, contract: Contract, node: Node) -> tuple[Verdict, str, list[str]]:
    if found.why is Why.FEW:
        return Verdict.FAIL, found.unproven, [RAILS]
    if found.why is not None:
        return Verdict.UNPROVEN, found.unproven, []
    other = _renamed(found, contract, node)
    if other:
        differences = "; ".join(f"rail {rail}: {', '.join(words)}" for rail, words in other.items())
        hint = "jobs use other names than the cards nearest to their GPUs have"
        return Verdict.FAIL, f"{hint}: {differences}", [f"rail {rail}" for rail in other]
    names = ", ".join(nic.device for nic in found.nics)
    return Verdict.PASS, f"each rail's cards are nearest to its GPUs: {names}", []


def _renamed(found: Mapping, contract: Contract, node: Node) -> dict[int, list[str]]:
    """Rail → how its cards are called, where the contract has other names. Names that it leaves open are no others."""
    named: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for rail, nic in contract.nics(node):
        named[rail.index].append((nic.device, nic.netdev))
    wrong: dict[int, list[str]] = {}
    for mapped_rail in found.rails:
        names = named[mapped_rail.index]
        seen = [{nic.device for nic in mapped_rail.nics}, {nic.netdev for nic in mapped_rail.nics}]
        for column in (0, 1):
            said = {name[column] for name in names} - {""}
            if said and said != seen[column]:
                difference = f"{', '.join(sorted(said))} is {', '.join(sorted(seen[column])) or 'nothing'}"
                wrong.setdefault(mapped_rail.index, []).append(difference)
    return wrong
