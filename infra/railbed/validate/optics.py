"""The claim `fabric.optics`: optical modules within their limits, and links that lose nothing while the fabric is loaded.

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
from railbed.validate.bench import Bench
from railbed.validate.scope import Question

CLAIM = "fabric.optics"
NICS = "node.nics"
LINK, MODULE, STATISTICS, NOTHING = "link", "module", "statistics", "nothing"
HEAD = re.compile(rf"^=== (\S+) ({LINK}|{MODULE}|{STATISTICS}|{NOTHING})$", re.M)
SCRIPT = """
set -u
PATH="$PATH:/usr/sbin:/sbin"
root=; [ "$(id -u)" = 0 ] || root="sudo -n"
link=$(command -v mlxlink || command -v mstlink)
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
ask() {{
  if [ -n "$link" ]; then
    echo "=== $1 {link}"
    $root timeout -k 2 {card_s:g} "$link" -d "$1" -m -c --json && {{ echo; return; }}
    echo
  fi
  if [ -n "$2" ]; then
    echo "=== $1 {module}"; $root timeout -k 2 {card_s:g} ethtool -m "$2"
    echo; echo "=== $1 {statistics}"; $root timeout -k 2 {card_s:g} ethtool -S "$2"
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


def before(bench: Bench) -> None:
    """Reads every port for the first time."""
    nodes = _nodes(bench)
    if nodes:
        bench.say(f"modules and errors of the rails' ports of {len(nodes)} nodes, before the load")
        bench.ports_before = {name: ports for name, (_, ports) in _read(bench, nodes).items()}


def run(bench: Bench) -> None:
    """Reads them again, and answers the claim of every node that could be read."""
    nodes = _nodes(bench)
    if not nodes:
        return
    bench.say(f"modules and errors of the rails' ports of {len(nodes)} nodes, after the load")
    questions = {question.node: question for question in bench.scope.get(CLAIM)}
    for name, (result, ports) in _read(bench, nodes).items():
        evidence = bench.keep(f"{name}/ports.txt", f"{result.stdout}\n{result.stderr}")
        if ports:
            bench.answers.add(_judged(bench, questions[name], ports, evidence))
        else:
            told = ended.why(result, "the reading of ports", name)
            bench.answers.why(CLAIM, told if not result.ok else f"{name} told nothing of its ports", [name])


def _nodes(bench: Bench) -> list[Node]:
    """Nodes of which the claim is asked, with the names that their own cards have."""
    asked = {question.node for question in bench.scope.get(CLAIM)}
    for name in asked & set(bench.unreachable):
        bench.answers.why(CLAIM, bench.unreachable[name], [name])
    return [bench.as_observed.node(name) for name in sorted(asked - set(bench.unreachable))]


def _cards(bench: Bench, node: Node) -> list[tuple[int, str, str]]:
    """Rail, device and interface of each card; the interface is empty where the rail carries no IP."""
    return [
        (rail.index, nic.device or nic.netdev, nic.netdev)
        for rail, nic in bench.as_observed.nics(node)
        if nic.device or nic.netdev
    ]


def _read(bench: Bench, nodes: Sequence[Node]) -> dict[str, tuple[Result, dict[str, Port]]]:
    """Node → what it said, and its ports by the cards' devices."""
    by_name = {node.name: node for node in nodes}

    def ask(name: str) -> Result:
        asked = script(_cards(bench, by_name[name]))
        return bench.remote.run(name, asked, timeout_s=OPTICS_NODE_S, check=False)

    said = bench.remote.each(list(by_name), ask, SSH_FANOUT)
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
    told = law.of_link(sections[LINK]) if LINK in sections else None
    if told is not None and not told.problem:
        return told
    if MODULE in sections:
        return law.of_interface(sections[MODULE], sections.get(STATISTICS, ""))
    if told is not None:
        return told
    return Port(
        problem="neither mlxlink nor mstlink is installed, and the card has no interface that ethtool could read"
    )


def _judged(bench: Bench, question: Question, seen: dict[str, Port], evidence: str) -> Judged:
    """The verdict on one node; cards that are gone or down are explained by the claim that finds them so."""
    first = bench.ports_before.get(question.node, {})
    silent = Port(problem="it was not read")
    cards = [
        Card(rail, device, first.get(device), seen.get(device, silent))
        for rail, device, _ in _cards(bench, bench.as_observed.node(question.node))
    ]
    verdict, reason, parts = law.judge(cards)
    nics = bench.answers.of(NICS, question.node)
    if verdict is Verdict.UNPROVEN and nics is not None and nics.verdict is Verdict.FAIL:
        reason = f"blocked by {NICS} on {question.node}: {reason}"
    detail = {"parts": parts} if parts else {}
    return judged(
        question, verdict, reason, measured=float(len(cards)), unit="ports", evidence=evidence, detail=detail
    )
