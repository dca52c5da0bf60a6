"""From verdicts to culprits: the fewest parts that explain every failure.

Some claims point at a part by themselves (a rail, a GPU, the driver, a data server). Others fail because of
such a part (a collective over a slow rail, a job on a drained node): they are added to its culprit and make
none of their own, unless nothing else explains them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from railbed.claims import Culprit, Judged, Verdict, table
from railbed.claims.definition import Explanation

PART = re.compile(r"\b(rail|gpu) (\d+)\b", re.IGNORECASE)
BLOCKED = re.compile(r"\bblocked(?: by |:)")
"""How a reason says that something else stood in the way."""
DIRECT = 0.95
"""Confidence of a part that a measurement confined to it, or a check that names it, found."""
INFERRED = 0.5
"""Confidence of a part that follows only from claims about more than it."""

Key = tuple[str, str]
"""Node and part."""


@dataclass
class _Suspect:
    claims: list[str] = field(default_factory=list)
    confidence: float = DIRECT
    not_separated: list[str] = field(default_factory=list)

    def add(self, claim: str, candidates: Iterable[str] = ()) -> None:
        if claim not in self.claims:
            self.claims.append(claim)
        self.not_separated += [one for one in candidates if one not in self.not_separated]


ANYTHING = Explanation()


def _explanation(claim: str) -> Explanation | None:
    """Which parts, that other claims look at directly, can be why ``claim`` fails; None: it points at a part itself."""
    definition = table.find(claim)
    return definition.explained if definition else None


def _accused(claim: str) -> str:
    """The part that a claim accuses where its verdict names none; a claim of another release by its family."""
    definition = table.find(claim)
    return definition.part_of(claim) if definition else claim.split(".")[0]


def named_parts(judged: Judged) -> list[str]:
    """The parts that a verdict names: its ``parts``, else those in its reason, else its claim's subject."""
    parts = judged.detail.get("parts")
    if isinstance(parts, (list, tuple)) and parts:
        return [str(part) for part in parts]
    found = [f"{kind.lower()} {index}" for kind, index in PART.findall(judged.reason)]
    if judged.claim == "node.gpus" and found:
        return [part for part in dict.fromkeys(found) if part.startswith("gpu")] or ["gpu"]
    return [_accused(judged.claim)]


def named_nodes(judged: Judged) -> list[str]:
    """The nodes that a verdict is about: its own, else those it names as guilty, else the whole cluster."""
    if judged.node:
        return [judged.node]
    nodes = judged.detail.get("guilty_nodes")
    return [str(node) for node in nodes] if isinstance(nodes, (list, tuple)) and nodes else [""]


def named_pairs(judged: Judged) -> list[Key]:
    """The nodes and parts that a verdict names together (``guilty``); empty where it does not."""
    pairs = judged.detail.get("guilty")
    return [(str(node), str(part)) for node, part in pairs] if isinstance(pairs, list) else []


def _direct(failed: Sequence[Judged]) -> dict[Key, _Suspect]:
    suspects: dict[Key, _Suspect] = {}
    for judged in failed:
        each = [(node, part) for node in named_nodes(judged) for part in named_parts(judged)]
        for key in named_pairs(judged) or each:
            suspects.setdefault(key, _Suspect()).add(judged.claim)
    return suspects


def _merge(suspects: dict[Key, _Suspect], into: Key, parts: Iterable[Key], confidence: float) -> None:
    merged = suspects.setdefault(into, _Suspect(confidence=confidence))
    merged.confidence = confidence
    for key in parts:
        if key != into and key in suspects:
            for claim in suspects.pop(key).claims:
                merged.add(claim)


def _whole_nodes(suspects: dict[Key, _Suspect], judged: Sequence[Judged]) -> None:
    """A node of which every rail fails is itself the part."""
    rails: dict[str, set[str]] = {}
    for one in judged:
        if one.rail is not None:
            rails.setdefault(one.node, set()).update(named_parts(one))
    for node, parts in rails.items():
        keys = [(node, part) for part in sorted(parts)]
        if len(keys) > 1 and all(key in suspects for key in keys):
            _merge(suspects, (node, "node"), keys, DIRECT)


def _whole_rails(suspects: dict[Key, _Suspect], judged: Sequence[Judged]) -> None:
    """A rail that fails on every node that was measured is a fault of its switch: no node is to blame."""
    nodes: dict[str, set[str]] = {}
    for one in judged:
        if one.rail is not None and one.verdict is not Verdict.UNPROVEN:
            for part in named_parts(one):
                nodes.setdefault(part, set()).add(one.node)
    for part, members in nodes.items():
        keys = [(node, part) for node in sorted(members)]
        if len(keys) > 2 and all(key in suspects for key in keys):
            _merge(suspects, ("", part), keys, DIRECT)
    whole = [("", part) for part in sorted(nodes)]
    if len(whole) > 1 and all(key in suspects for key in whole):
        # What all rails of all nodes have in common: a subnet manager, power, the way they are measured.
        _merge(suspects, ("", "fabric"), whole, DIRECT)


def _named_rails(suspects: dict[Key, _Suspect]) -> None:
    """Of a node's rails in general nothing is left to say where one of them is named."""
    for node, part in list(suspects):
        named = [key for key in suspects if key[0] == node and re.fullmatch(r"rail \d+", key[1])]
        if part == "rails" and len(named) == 1:
            _merge(suspects, named[0], [(node, part)], suspects[named[0]].confidence)


def _whole_clock(suspects: dict[Key, _Suspect], judged: Sequence[Judged]) -> None:
    """Clocks that are wrong on most nodes follow a wrong source: no node is to blame."""
    asked = [one for one in judged if one.claim == "node.time" and one.verdict is not Verdict.UNPROVEN]
    keys = [(one.node, "time") for one in asked if one.verdict is Verdict.FAIL]
    if len(keys) > 2 and 2 * len(keys) > len(asked):
        _merge(suspects, ("", "time"), keys, DIRECT)
        suspects["", "time"].not_separated = [*(node for node, _ in keys), "the source that they follow"]


def _driver_hides_gpus(suspects: dict[Key, _Suspect]) -> None:
    """Without a working driver nothing is known about the GPUs: their failures are the driver's."""
    for node, part in list(suspects):
        if part == "driver":
            hidden = [key for key in suspects if key[0] == node and key[1].split(" ")[0] in ("gpu", "gpus")]
            _merge(suspects, (node, "driver"), hidden, suspects[node, part].confidence)


def _mount_hides_client(suspects: dict[Key, _Suspect]) -> None:
    """What is mounted wrongly, or not at all, is no second fault of the node's client."""
    for node, part in list(suspects):
        if part == "mounts":
            _merge(suspects, (node, part), [(node, "storage client")], suspects[node, part].confidence)


def _took_part(judged: Judged) -> set[str]:
    """Nodes that a collective ran on; empty where the verdict does not say."""
    nodes = judged.detail.get("nodes")
    return {str(node) for node in nodes} if isinstance(nodes, (list, tuple)) else set()


def _explains(key: Key, judged: Judged) -> bool:
    """Whether a guilty part can be why ``judged`` failed."""
    node, kind = key[0], key[1].split(" ")[0]
    took_part = _took_part(judged)
    if node and ((judged.node and judged.node != node) or (took_part and node not in took_part)):
        return False
    explained = _explanation(judged.claim) or ANYTHING
    return kind not in explained.never and (not explained.only or kind in explained.only)


def _likeliest(judged: Judged, suspects: dict[Key, _Suspect]) -> list[Key]:
    """The culprits that a failed consequence is added to: rails for traffic, storage for files, else any."""
    fitting = [key for key in suspects if _explains(key, judged)]
    kind = (_explanation(judged.claim) or ANYTHING).first
    return [key for key in fitting if kind and key[1].startswith(kind)] or fitting


def _blocked_by(judged: Judged, suspects: dict[Key, _Suspect]) -> list[Key]:
    """The culprits that the reason of a blocked claim speaks of, by their node or by one of their claims."""
    if judged.verdict is not Verdict.UNPROVEN or not BLOCKED.search(judged.reason):
        return []
    words = {word.strip(".") for word in re.findall(r"[\w.@-]+", judged.reason)}
    by_node = [key for key in suspects if key[0] and key[0] in words]
    by_claim = [key for key in suspects if words & set(suspects[key].claims)]
    both = [key for key in by_node if key in by_claim]
    same_node = [key for key in by_claim if judged.node in ("", key[0])]
    return both or by_node or same_node


def _common_node(judged: Sequence[Judged]) -> str:
    """The one node in every failing collective and in no passing one; empty where there is no single one."""
    tried = [(j, _took_part(j)) for j in judged if j.claim.startswith("collective.")]
    failing = [nodes for j, nodes in tried if j.verdict is Verdict.FAIL and nodes]
    suspects = set.intersection(*failing) if failing else set()
    for j, nodes in tried:
        if j.verdict is Verdict.PASS:
            suspects -= nodes
    return suspects.pop() if len(suspects) == 1 else ""


def culprits(judged: Sequence[Judged]) -> list[Culprit]:
    """What is to blame, each with every claim that it explains; empty where nothing failed.

    Claims that are ``blocked`` are added to the culprit that their reason speaks of; other unproven claims
    blame nobody.
    """
    failed = [j for j in judged if j.verdict is Verdict.FAIL]
    suspects = _direct([j for j in failed if _explanation(j.claim) is None])
    _named_rails(suspects)
    _whole_rails(suspects, judged)
    _whole_nodes(suspects, judged)
    _whole_clock(suspects, judged)
    _driver_hides_gpus(suspects)
    # First those that name a part: what others only point at may be the same fault.
    for one in sorted(
        (j for j in failed if _explanation(j.claim) is not None), key=lambda j: not named_pairs(j)
    ):
        _explain(one, judged, suspects)
    _mount_hides_client(suspects)
    for one in judged:
        for key in _blocked_by(one, suspects):
            suspects[key].add(one.claim)
    return [
        Culprit(
            node=node,
            part=part,
            claims=s.claims,
            confidence=s.confidence,
            not_separated=[] if node else s.not_separated,
        )
        for (node, part), s in suspects.items()
    ]


def _searched(judged: Judged) -> dict[str, Any]:
    """How a search among pairs of nodes ended (``detail.search``); empty where there was none."""
    search = judged.detail.get("search")
    return search if isinstance(search, dict) else {}


def _sureness(judged: Judged) -> float:
    """How sure a search is of the parts that a verdict names; INFERRED where there was none."""
    confidence = judged.detail.get("confidence")
    return confidence if isinstance(confidence, float) and 0 < confidence <= DIRECT else INFERRED


def _candidates(judged: Judged) -> list[str]:
    """What a claim about many parts cannot distinguish: the nodes that were slow, or all of them, and what joins them."""
    if suspects := _searched(judged).get("suspects"):
        return [*suspects, (_explanation(judged.claim) or ANYTHING).beside]
    nodes, floor = sorted(_took_part(judged)), judged.floor
    rates, clients = judged.detail.get("rates"), judged.detail.get("clients")
    if isinstance(rates, dict) and floor is not None:
        nodes = sorted(node for node, directions in rates.items() if min(directions.values()) < floor)
    if isinstance(clients, dict) and floor is not None:
        nodes = sorted(node for node, rate in clients.items() if rate < floor)
    return [*nodes, (_explanation(judged.claim) or ANYTHING).beside]


def _wider(key: Key, suspects: Iterable[Key]) -> Key | None:
    """The culprit that a part is, or was merged into: its whole node, or its rail on all nodes; None where there is none."""
    node, part = key
    found = set(suspects)
    return next((one for one in (key, (node, "node"), ("", part)) if one in found), None)


def _explain(one: Judged, judged: Sequence[Judged], suspects: dict[Key, _Suspect]) -> None:
    """Adds a failed consequence to the culprits that explain it; else blames the least that it points at."""
    wanted = named_pairs(one)
    if wanted:
        known = [wider for key in wanted if (wider := _wider(key, suspects)) is not None]
        for key in dict.fromkeys(known or wanted):
            suspects.setdefault(key, _Suspect(confidence=_sureness(one))).add(one.claim)
        return
    part = _accused(one.claim)
    nodes = named_nodes(one)
    if nodes == [""]:
        keys = _likeliest(one, suspects)
        node = _common_node(judged) if one.claim.startswith("collective.") and not _searched(one) else ""
        part = "node" if node else part
        for key in keys:
            suspects[key].add(one.claim)
        if not keys:
            suspects.setdefault((node, part), _Suspect(confidence=INFERRED)).add(one.claim, _candidates(one))
        return
    for node in nodes:
        keys = [key for key in _likeliest(one, suspects) if key[0] in (node, "")]
        # Files of a client fail because of a data server elsewhere.
        keys = keys or [key for key in suspects if part == "storage" and key[1] == "storage"]
        for key in keys or [(node, part)]:
            suspects.setdefault(key, _Suspect(confidence=INFERRED)).add(one.claim)
