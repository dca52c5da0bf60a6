"""The claim `fabric.optics`: optical modules within their limits, and links whose errors are corrected under load.

Each node is read twice, before the rails carry data and after the collectives. mlxlink is NVIDIA's (MFT, part of DOCA); mstlink
of the package `mstflint` is built of the same source (Mellanox/mstflint, mlxlink/) with the same options and JSON. Where a node
has neither, or they fail (a kernel that is locked down, another maker's card), ethtool tells of Ethernet what it can.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from railbed import ended
from railbed.claims import Judged, Verdict
from railbed.contract import Node
from railbed.defaults import OPTICS_CARD_S, OPTICS_NODE_S, SSH_FANOUT
from railbed.judge import optics as law
from railbed.judge.optics import Card, Port
from railbed.run import Result
from railbed.validate.answers import judged
from railbed.validate.scope import Question
from railbed.validate.validation_run import ValidationRun

CLAIM = "fabric.optics"
NICS = "node.nics"
LINK, MODULE, STATISTICS, NOTHING = "link", "module", "statistics", "nothing"
HEAD = re.compile(rf"^=== (\S+) ({LINK}|{MODULE}|{STATISTICS}|{NOTHING})$", re.M)
SCRIPT = """
set -u
PATH="$PATH:/usr/sbin:/sbin"
link=$(command -v mlxlink || command -v mstlink)
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
ask() {{
  if [ -n "$link" ]; then
    echo "=== $1 {link}"
    timeout -k 2 {card_s:g} "$link" -d "$1" -m -c --json && {{ echo; return; }}
    echo
  fi
  if [ -n "$2" ]; then
    echo "=== $1 {module}"; timeout -k 2 {card_s:g} ethtool -m "$2"
    echo; echo "=== $1 {statistics}"; timeout -k 2 {card_s:g} ethtool -S "$2"
  elif [ -z "$link" ]; then
    echo "=== $1 {nothing}"
  fi
  echo
}}
{calls}
wait
cat "$folder"/*
"""
"""All cards of a node at once, since firmware takes a second or more to answer for one."""


def begin(validation: ValidationRun) -> None:
    """Reads every port for the first time."""
    nodes = _nodes(validation)
    if nodes:
        validation.say(f"modules and errors of the rails' ports of {len(nodes)} nodes, before the load")
        validation.ports_before = {name: ports for name, (_, ports) in _read(validation, nodes).items()}


def run(validation: ValidationRun) -> None:
    """Reads them again, and answers the claim of every node that could be read."""
    nodes = _nodes(validation)
    if not nodes:
        return
    validation.say(f"modules and errors of the rails' ports of {len(nodes)} nodes, after the load")
    questions = {question.node: question for question in validation.scope.get(CLAIM)}
    for name, (result, ports) in _read(validation, nodes).items():
        evidence = validation.keep(f"{name}/ports.txt", f"{result.stdout}\n{result.stderr}")
        if ports:
            validation.answers.add(_judged(validation, questions[name], ports, evidence))
        else:
            reason = ended.why(result, "the reading of ports", name)
            validation.answers.why(
                CLAIM, reason if not result.ok else f"{name} printed nothing of its ports", [name]
            )


def _nodes(validation: ValidationRun) -> list[Node]:
    """Nodes of which the claim is asked, with the names that their own cards have."""
    asked = {question.node for question in validation.scope.get(CLAIM)}
    for name in asked & set(validation.unreachable):
        validation.answers.why(CLAIM, validation.unreachable[name], [name])
    return [validation.as_observed.node(name) for name in sorted(asked - set(validation.unreachable))]


def _cards(validation: ValidationRun, node: Node) -> list[tuple[int, str, str]]:
    """Rail, device and interface of each card; the interface is empty where the rail carries no IP."""
    return [
        (rail.index, nic.device or nic.netdev, nic.netdev)
        for rail, nic in validation.as_observed.nics(node)
        if nic.device or nic.netdev
    ]


def _read(validation: ValidationRun, nodes: Sequence[Node]) -> dict[str, tuple[Result, dict[str, Port]]]:
    """Node → what it said, and its ports by the cards' devices."""
    by_name = {node.name: node for node in nodes}

    def ask(name: str) -> Result:
        asked = script(_cards(validation, by_name[name]))
        return validation.remote.run(name, asked, timeout_s=OPTICS_NODE_S, check=False)

    said = validation.remote.each(list(by_name), ask, SSH_FANOUT)
    return {name: (result, ports(result.stdout)) for name, result in said.items()}


def script(cards: Sequence[tuple[int, str, str]]) -> str:
    """What a node runs to tell of its cards: rail, device and interface of each."""
    calls = [
        f'ask {shlex.quote(device)} {shlex.quote(netdev)} > "$folder/{at:03d}" 2>&1 &'
        for at, (_, device, netdev) in enumerate(cards)
    ]
    return SCRIPT.format(
        card_s=OPTICS_CARD_S, link=LINK, module=MODULE, statistics=STATISTICS, nothing=NOTHING, calls="\n".join(calls)
    )  # fmt: skip


def ports(text: str) -> dict[str, Port]:
    """Device → its port, from what the script printed."""
    found: dict[str, dict[str, str]] = {}
    heads = list(HEAD.finditer(text))
    for head, after in zip(heads, [*heads[1:], None], strict=True) if heads else ():
        found.setdefault(head[1], {}).setdefault(head[2], text[head.end() : after.start() if after else None])
    return {device: _port(sections) for device, sections in found.items()}


def _port(sections: dict[str, str]) -> Port:
    port = law.of_link(sections[LINK]) if LINK in sections else None
    if port is not None and not port.problem:
        return port
    if MODULE in sections:
        return law.of_interface(sections[MODULE], sections.get(STATISTICS, ""))
    if port is not None:
        return port
    return Port(
        problem="neither mlxlink nor mstlink is installed, and the card has no interface that ethtool could read"
    )


def _judged(validation: ValidationRun, question: Question, seen: dict[str, Port], evidence: str) -> Judged:
    """The verdict on one node; cards that are gone or down are explained by the claim that finds them so."""
    first = validation.ports_before.get(question.node, {})
    silent = Port(problem="it was not read")
    cards = [
        Card(rail, device, first.get(device), seen.get(device, silent))
        for rail, device, _ in _cards(validation, validation.as_observed.node(question.node))
    ]
    verdict, reason, parts = law.judge(cards)
    nics = validation.answers.of(NICS, question.node)
    if verdict is Verdict.UNPROVEN and nics is not None and nics.verdict is Verdict.FAIL:
        reason = f"blocked by {NICS} on {question.node}: {reason}"
    detail = {"parts": parts} if parts else {}
    return judged(
        question, verdict, reason, measured=float(len(cards)), unit="ports", evidence=evidence, detail=detail
    )
