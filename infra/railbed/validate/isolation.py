"""The claim ``fabric.isolation``: what an InfiniBand rail reaches by partitions that are not the cluster's.

ib_write_bw is run over every way by each key that both ports have, one after the other; before and after by the cluster's own, so
that a way that is dead, or died meanwhile, is not taken for one that is kept apart.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence

from railbed.contract import Contract, Nic
from railbed.hardware.pkeys import FULL
from railbed.judge import isolation as law
from railbed.judge.isolation import Try
from railbed.parse import partition_keys
from railbed.parse.partition_keys import NUMBER, Table
from railbed.validate import flow_perftest
from railbed.validate.answers import judged
from railbed.validate.flow_tool import Flow
from railbed.validate.pairs import ring_flows
from railbed.validate.survey import Survey, able, blocked, enough, lit, rails_at_fault
from railbed.validate.validation_run import ValidationRun

CLAIM = "fabric.isolation"
READ_S = 20.0
NO_ANSWER = re.compile(r"Failed status 12\b|transport retry counter exceeded")
"""How perftest ends where it sent and nobody answered: IBV_WC_RETRY_EXC_ERR of libibverbs, by number in releases before
linux-rdma/perftest pull request 342, in ibv_wc_status_str(3)'s words after it."""
Tables = dict[tuple[str, int], list[Table]]
"""Node and rail → keys of each of its cards' ports; a rail with a card whose keys cannot be read is absent."""


def run(validation: ValidationRun) -> None:
    """Tries what is asked. Nodes with a job on them are left alone."""
    if not validation.scope.asks(CLAIM):
        return
    free = able(validation, CLAIM)
    asked = {q.node: q for q in validation.scope.get(CLAIM) if q.node in {node.name for node in free}}
    if not asked:
        return
    if not enough(validation, CLAIM, free):
        return
    survey = Survey(validation, free)
    tables, own = _read(survey), validation.contract.pkey
    dead, _ = rails_at_fault(validation)
    ways, dark = lit(
        [flow for a, b in ring_flows(list(survey.nodes)) for flow in survey.each_rail(a, b)], dead
    )
    usual = _over(survey, tables, ways, own, "before")
    others = sorted({key for way in ways for key in _shared(tables, way)} - {own})
    # Lustre's servers may be in a partition of their own, which a rail's card leads to.
    storage = {name: {node.storage.pkey} if node.storage else set() for name, node in survey.nodes.items()}
    tries = [
        one
        for key in others
        for one in _over(survey, tables, [way for way in ways if key not in storage[way.sender]], key)
    ]
    if tries:
        usual += _over(survey, tables, ways, own, "after")
    held = {(name, rail): _held(cards, {own, *storage[name]}) for (name, rail), cards in tables.items()}
    rails = {name: [rail.index for rail in survey.nodes[name].rails] for name in asked}
    evidence = validation.keep(
        "rails/isolation.json",
        {
            "keys": {f"{name} {rail}": [{p: f"{k:#06x}" for p, k in one.items()} for one in cards]
                     for (name, rail), cards in tables.items()},
            "tries": [one.model_dump(mode="json") for one in [*usual, *tries]],
        },
    )  # fmt: skip
    for name, one in law.judge(rails, held, usual, tries).items():
        mine = blocked({end for end in dark if end[0] == name})
        reason = f"{mine}: {one.reason}" if mine else one.reason
        detail = {"guilty": [list(end) for end in one.guilty]} if one.guilty else {}
        validation.answers.add(judged(asked[name], one.verdict, reason, evidence=evidence, detail=detail))


def _read(survey: Survey) -> Tables:
    remote, contract = survey.validation.remote, survey.validation.as_observed
    cards: dict[str, list[tuple[int, Nic]]] = {
        name: [(rail.index, nic) for rail, nic in contract.nics(contract.node(name))] for name in survey.nodes
    }

    def ask(name: str) -> dict[str, Table]:
        folders = [
            f"/sys/class/infiniband/{nic.device}/ports/1/pkeys" for _, nic in cards[name] if nic.device
        ]
        if not folders:
            return {}
        # Most places of a table are empty.
        command = f"grep -rsHv 0x0000 {' '.join(map(shlex.quote, folders))}"
        said = remote.run(name, command, timeout_s=READ_S, check=False)
        # Else some of it was not read, and a partition may be missing.
        return partition_keys.read(said.stdout) if said.ok and not said.cut else {}

    found: Tables = {}
    for name, by_device in remote.each(list(survey.nodes), ask).items():
        for rail in {index for index, _ in cards[name]}:
            tables = [by_device.get(nic.device, {}) for index, nic in cards[name] if index == rail]
            if all(tables):
                found[name, rail] = tables
    return found


def _held(cards: Sequence[Table], known: Collection[int]) -> dict[int, bool]:
    """Partitions that are not ``known`` → whether one of the cards is a full member."""
    found: dict[int, bool] = {}
    for key in (key for table in cards for key in table.values()):
        if key & NUMBER not in known:
            found[key & NUMBER] = found.get(key & NUMBER, False) or bool(key & FULL)
    return found


def _shared(tables: Tables, way: Flow) -> set[int]:
    """Partitions of which every card at both ends is a member."""
    ends = [*tables.get((way.sender, way.rail), [{}]), *tables.get((way.receiver, way.to_rail), [{}])]
    return set.intersection(*({key & NUMBER for key in table.values()} for table in ends))


def _over(survey: Survey, tables: Tables, ways: Sequence[Flow], pkey: int, control: str = "") -> list[Try]:
    """What became of each way that has this partition at both ends. ``control``: when it was tried by the cluster's own, by
    which every card has to carry; by another one any is too many."""
    wanted = [way for way in ways if pkey in _shared(tables, way)]
    if not wanted:
        return []
    survey.validation.say(f"isolation, {len(wanted)} ways by partition {pkey:#06x} {control}".rstrip())
    contract = _placed(survey.validation.as_observed, tables, pkey)
    name = f"rails/isolation-{pkey:#06x}{control and '-' + control}.json"
    ends, _ = survey.play(
        survey.tool, wanted, bidirectional=False, name=name, seconds=survey.seconds, contract=contract
    )
    found = []
    for way in wanted:
        absent = ends[way.sender].error or ends[way.receiver].error
        cards = min(len(tables[way.sender, way.rail]), len(tables[way.receiver, way.to_rail]))
        runs = [] if absent else flow_perftest.clients_of(way, ends)
        rates = [flow_perftest.row(run)[0] for run in runs]
        silent = [bool(run.code and NO_ANSWER.search(run.output)) for run in runs]
        whole = bool(runs) and len(runs) == cards
        answered = whole and all(rates) if control else any(rates)
        carried = True if answered else False if whole and all(silent) else None
        reason = absent or next((flow_perftest.row(run)[2] for run in runs), "") or "it gave no rate"
        found.append(
            Try(
                rail=way.rail, sender=way.sender, receiver=way.receiver, pkey=pkey, carried=carried,
                reason="" if carried else f"{survey.tool.program} to {way.receiver}, {way.on}: {reason}",
            )
        )  # fmt: skip
    return found


def _placed(contract: Contract, tables: Mapping[tuple[str, int], list[Table]], pkey: int) -> Contract:
    """The contract with the place of this partition in place of the cluster's."""
    nodes = []
    for node in contract.nodes:
        rails = []
        for rail in node.rails:
            cards = [nic for of, nic in contract.nics(node) if of.index == rail.index]
            placed = [
                nic.model_copy(
                    update={"pkey_place": next((p for p, key in one.items() if key & NUMBER == pkey), 0)}
                )
                for nic, one in zip(
                    cards, tables.get((node.name, rail.index), [{}] * len(cards)), strict=True
                )
            ]
            rails.append(rail.model_copy(update={"nics": placed}))
        nodes.append(node.model_copy(update={"rails": rails}))
    return contract.model_copy(update={"nodes": nodes})
