"""The claim `fabric.cabling`: where each rail's cable ends, by what its node hears (LLDP), or by the InfiniBand subnet itself.

Only the cables of nodes: no node learns which spine a leaf is cabled to. `railbed fabric verify` checks those.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from railbed import ended, strict_json
from railbed.claims import Verdict
from railbed.contract import Contract, Node
from railbed.defaults import COMMAND_TIMEOUT_S, FABRIC_OUTPUT_BYTES, SSH_FANOUT
from railbed.fabric import ends, observed
from railbed.fabric.ends import Planned, Seen
from railbed.fabric.observed import Link, Port
from railbed.parse import ibnetdiscover, lldp
from railbed.run import Result
from railbed.text import few
from railbed.validate.answers import judged
from railbed.validate.validation_run import ValidationRun

LLDP_HEARD_S = 35.0
"""A switch speaks every 30 s (IEEE 802.1AB-2016, 9.2.5.7: msgTxInterval): so long a rail may have heard nothing since its link
came up."""
LLDP_PAUSE_S = 2.0
"""Between two looks at who is heard."""
IBNETDISCOVER_TIMEOUT_S = 120.0
"""Of one subnet; its sweep asks every port of every switch."""

CLAIM = "fabric.cabling"
MOST_CAUSES = 3
NEIGHBOURS = "lldpcli -f json show neighbors"
SUBNET = "ibnetdiscover -C {device} -P 1"


def run(validation: ValidationRun) -> None:
    """Answers the claim, where it is asked."""
    questions = validation.scope.get(CLAIM)
    if not questions:
        return
    nodes = [node for node in validation.rail_nodes() if node.name not in validation.unreachable]
    if not nodes:
        validation.answers.why(CLAIM, "no node with rails can be reached")
        return
    contract = validation.as_observed
    infiniband = contract.machine(nodes[0].machine).transport == "infiniband"
    cables = planned(contract, [node.name for node in validation.rail_nodes()], by_device=infiniband)
    if unnamed := [cable for cable in cables if not cable.card.port or not cable.leaf.device]:
        where = f"{unnamed[0].card.device} rail {unnamed[0].rail}"
        validation.answers.why(CLAIM, f"nobody knows the card or the switch of {len(unnamed)} rails: {where}")
        return
    validation.say(f"cabling of {len(nodes)} nodes")
    seen, said = (_by_subnet if infiniband else _by_neighbours)(validation, contract, nodes, cables)
    evidence = validation.keep("cabling.json", said)
    for name, part in seen.guilty:
        # Its packets reach another rail's switch, which has no way to the rail's own network.
        if not infiniband:
            validation.dead_rails.setdefault(name, f"blocked by {CLAIM} on {name}, {part}")
    reason = f"{_causes(validation, seen)}{seen.reason}"
    detail = {"guilty": [list(pair) for pair in seen.guilty]} if seen.guilty else {}
    validation.answers.add(
        judged(
            questions[0], seen.verdict, reason, measured=seen.right, unit="cables", expected=len(cables), evidence=evidence,
            detail=detail,
        )
    )  # fmt: skip


def _causes(validation: ValidationRun, seen: Seen) -> str:
    """What stands before the reason where nothing is seen of cables because their nodes are away, or their rails down."""
    silent = dict.fromkeys(cable.card.device for cable in seen.unseen)
    causes = [validation.unreachable.get(name) or validation.dead_rails.get(name, "") for name in silent]
    if seen.verdict is not Verdict.UNPROVEN or not causes or not all(causes):
        return ""
    return f"{few(causes, MOST_CAUSES, '; ')}: "


def planned(contract: Contract, names: Sequence[str], *, by_device: bool) -> list[Planned]:
    """The cables of nodes. A card is known by its RDMA device in a subnet of InfiniBand, by its interface elsewhere."""
    return [
        Planned(rail.index, Port(name, nic.device if by_device else nic.netdev), Port(nic.switch, nic.port))
        for name in names
        for rail, nic in contract.nics(contract.node(name))
    ]


def _devices(cables: Sequence[Planned]) -> set[str]:
    return {port.device for cable in cables for port in (cable.card, cable.leaf)}


def _by_neighbours(
    validation: ValidationRun, _: Contract, nodes: Sequence[Node], cables: Sequence[Planned]
) -> tuple[Seen, dict[str, Any]]:
    """What every node hears. One whose rail just came up may have heard nothing yet, and is asked again."""
    deadline = time.monotonic() + LLDP_HEARD_S
    said: dict[str, Result] = {}
    asked = [node.name for node in nodes]
    while True:
        said |= validation.remote.each(
            asked, lambda name: validation.remote.run(name, NEIGHBOURS, timeout_s=COMMAND_TIMEOUT_S, check=False), SSH_FANOUT
        )  # fmt: skip
        links = [link for name, one in said.items() for link in heard(name, one, _devices(cables))]
        seen = _with_reasons(ends.compare(cables, links), said)
        # A rail that is down hears nothing however long one waits.
        asked = sorted(
            {cable.card.device for cable in seen.unseen}
            & {name for name, one in said.items() if one.ok} - set(validation.dead_rails)
        )
        if not asked or time.monotonic() >= deadline:
            return seen, {name: f"{one.stdout}{one.stderr}" for name, one in said.items()}
        time.sleep(LLDP_PAUSE_S)


def heard(name: str, said: Result, devices: set[str]) -> list[Link]:
    """The links that one node reports."""
    if not said.ok:
        return []
    document = lldp.plain(f"{{{strict_json.dumps(name)}: {said.stdout}}}")
    return observed.of(document, devices).links


def _with_reasons(seen: Seen, said: dict[str, Result]) -> Seen:
    """Adds why nodes reported nothing, where their program failed."""
    failed = {name: one for name, one in said.items() if not one.ok}
    if not failed or seen.verdict is Verdict.PASS:
        return seen
    name, one = next(iter(failed.items()))
    reason = f"{ended.why(one, 'lldpcli', name)} ({len(failed)} of {len(said)} nodes)"
    return Seen(seen.verdict, f"{reason}; {seen.reason}", seen.right, seen.guilty, seen.unseen)


def _by_subnet(
    validation: ValidationRun, contract: Contract, nodes: Sequence[Node], cables: Sequence[Planned]
) -> tuple[Seen, dict[str, Any]]:
    """The subnets as a node's cards see them; a card is asked only while nothing shows the cable of its own node's rail.

    A node whose rails are down sees nothing: it is asked where there is no other.
    """
    links: list[Link] = []
    said: dict[str, str] = {}
    failed = ""
    name = next((node.name for node in nodes if node.name not in validation.dead_rails), nodes[0].name)
    for _, nic in contract.nics(contract.node(name)):
        if any(Port(name, nic.device) in (link.one, link.other) for link in links):
            continue
        one = validation.remote.run(
            name, SUBNET.format(device=nic.device), timeout_s=IBNETDISCOVER_TIMEOUT_S, check=False,
            keep_bytes=FABRIC_OUTPUT_BYTES,
        )  # fmt: skip
        said[nic.device] = f"{one.stdout}{one.stderr}"
        if not one.ok:
            failed = failed or ended.why(one, "ibnetdiscover", name)
            continue
        links += observed.of(ibnetdiscover.plain(one.stdout), _devices(cables)).links
    seen = ends.compare(cables, links)
    if failed and seen.verdict is not Verdict.PASS:
        seen = Seen(seen.verdict, f"{failed}; {seen.reason}", seen.right, seen.guilty, seen.unseen)
    return seen, said
