"""The stage of collectives inside nodes: one step under the scheduler, SSH without one, and what tables come to."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from railbed.claims import Claim, Expectation, Judged, Verdict
from railbed.claims.collectives import GATED
from railbed.contract import Contract
from railbed.defaults import COLLECTIVE_TRIES
from railbed.effects.scheduler import Scheduler
from railbed.run import Result
from railbed.validate import card_collectives, node_collectives
from railbed.validate.answers import Answers
from railbed.validate.scope import select
from railbed.validate.validation_run import ValidationRun

NODES = [f"h100-{at}" for at in range(4)]
SIZE = 8 << 30
FLOOR = 454.8
REACH = Expectation(
    unit="GB/s",
    bound=480.0,
    expected=479.7,
    floor=FLOOR,
    basis="measured",
    size_bytes=SIZE,
    derivation=["test"],
)
OVER_CARDS = Expectation(
    unit="GB/s", bound=50.0, expected=46.4, floor=36.0, basis="derived", size_bytes=SIZE, derivation=["test"]
)
Found = dict[str, Judged]
HEAD = f"""# nccl-tests version 2.16.3 nccl-headers=22707 nccl-library=22707
# Collective test starting: {{op}}_perf
# nThread 1 nGpus 8 minBytes {SIZE} maxBytes {SIZE} step: 2(factor) warmup iters: 1 iters: 2 agg iters: 1 validation: 1 graph: 0
#
# Using devices
"""
COLUMNS = """#
#                                                              out-of-place                       in-place
#       size         count      type   redop    root     time   algbw   busbw  #wrong     time   algbw   busbw  #wrong
#        (B)    (elements)                               (us)  (GB/s)  (GB/s)             (us)  (GB/s)  (GB/s)
"""


def table(op: str, node: str, busbw: float, wrong: int = 0) -> str:
    """What a program of nccl-tests prints of eight GPUs of one host."""
    ranks = "".join(
        f"#  Rank {gpu:2d} Group  0 Pid   3000 on {node:>10s} device {gpu:2d} [0000:{gpu:02x}:00] NVIDIA H100 80GB HBM3\n"
        for gpu in range(8)
    )
    algbw = busbw * 8 / (14 if op == "all_reduce" else 7)
    half = f"{SIZE / algbw / 1e3:9.2f} {algbw:7.2f} {busbw:7.2f} {wrong:7d}"
    row = f"{SIZE:12d} {SIZE // 4:13d}     float     sum      -1 {half} {half}\n"
    foot = (
        f"# Out of bounds values : {wrong} {'FAILED' if wrong else 'OK'}\n# Avg bus bandwidth    : {busbw}\n"
    )
    return HEAD.format(op=op) + ranks + COLUMNS + row + foot


class Nodes:
    """A stage over four nodes; ``busbw``: node → GB/s of each start."""

    def __init__(self, contract: Contract, fake_remote: Any, folder: Path) -> None:
        self.contract, self.fake_remote, self.folder = contract, fake_remote, folder
        self.busbw: dict[str, list[float]] = {}
        self.silent: dict[str, tuple[int, str]] = {}
        self.wrong: dict[str, int] = {}
        self.starts: list[tuple[str, str]] = []
        self.seen = dict.fromkeys(NODES, 0)
        self.speaks_as: dict[str, str] = {}
        self.claim = ""
        self.stage = node_collectives.run
        self.reach = REACH
        self.dead_rails: dict[str, str] = {}

    def _told(self, op: str, node: str) -> str:
        rates = self.busbw.get(node, [479.7])
        self.seen[node] += 1
        return table(
            op,
            self.speaks_as.get(node, node),
            rates[min(self.seen[node], len(rates)) - 1],
            self.wrong.get(node, 0),
        )

    def _answer(self, node: str, line: str) -> Result:
        if line.startswith("scontrol show node"):
            return Result(
                (), 0, "\n".join(f"NodeName={n} Gres=gpu:8 State=IDLE Partitions=batch" for n in NODES), ""
            )
        if "_perf" not in line:
            return Result((), 0, "", "")
        op = line.partition("_perf")[0].rpartition("/")[2]
        self.starts.append((node, line))
        named = [n for n in NODES if n in line.partition("--nodelist=")[2].split(" ")[0].split(",")] or [node]
        code = max((self.silent[n][0] for n in named if n in self.silent), default=0)
        err = "".join(self.silent[n][1] for n in named if n in self.silent)
        text = ""
        for task, n in enumerate(named):
            label = f"{task}: " if "--label" in line else ""
            text += "".join(
                f"{label}{one}\n" for one in self._told(op, n).splitlines() if n not in self.silent
            )
        return Result((), code, text, err)

    def run(
        self, scheduler: str = "slurm", reserved: frozenset[str] = frozenset(), op: str = "all_reduce"
    ) -> Found:
        return {one.node: one for one in self.records(scheduler, reserved, (op,))}

    def records(
        self, scheduler: str = "slurm", reserved: frozenset[str] = frozenset(), ops: tuple[str, ...] = GATED
    ) -> list[Judged]:
        roles = ["compute", "spare"]
        claims = [
            Claim(id=self.claim or f"gpu.{op}", statement="", roles=roles, expectation=self.reach)
            for op in ops
        ]
        nodes = [n.model_copy(update={"gpus": 8}) if n.rails else n for n in self.contract.nodes]
        made = self.contract.model_copy(update={"claims": claims, "scheduler": scheduler, "nodes": nodes})
        remote = self.fake_remote(self._answer)
        scope = select(made)
        validation = ValidationRun(made, remote, scope, Answers(scope), self.folder, lambda _: None)
        validation.scheduler = Scheduler(remote) if scheduler == "slurm" else None
        validation.reserved = reserved
        validation.dead_rails = self.dead_rails
        self.stage(validation)
        return validation.answers.complete()


@pytest.fixture
def nodes(contract: Contract, fake_remote: Any, tmp_path: Path) -> Nodes:
    return Nodes(contract, fake_remote, tmp_path)


def test_one_step_measures_every_node_by_itself(nodes: Nodes) -> None:
    found = nodes.run()
    assert {one.verdict for one in found.values()} == {Verdict.PASS} and sorted(found) == NODES
    assert all(one.measured == pytest.approx(479.7, abs=0.1) for one in found.values())
    ((place, line),) = nodes.starts
    assert place == "ctl0" and "--mpi=none --label" in line and "--ntasks-per-node=1" in line
    assert "env -i PATH=" in line and f"all_reduce_perf -b {SIZE} -e {SIZE} -f 2 -g 8" in line


def test_the_collectives_run_one_after_the_other(nodes: Nodes) -> None:
    assert {one.verdict for one in nodes.records()} == {Verdict.PASS}
    programs = [line.partition("_perf")[0].rpartition("/")[2] for _, line in nodes.starts]
    assert programs == ["all_reduce", "all_gather", "reduce_scatter", "alltoall"]


def test_a_node_that_gave_no_result_is_asked_no_other_collective(nodes: Nodes) -> None:
    nodes.silent["h100-2"] = (124, "srun: Force Terminated StepId=12.0\n")
    found = [one for one in nodes.records() if one.node == "h100-2"]
    assert {one.verdict for one in found} == {Verdict.UNPROVEN} and len(found) == len(GATED)
    assert "blocked by gpu.all_reduce on h100-2" in found[-1].reason
    assert ["h100-2" in line for _, line in nodes.starts] == [True, False, False, False]


@pytest.mark.refutes("gpu.all_gather")
@pytest.mark.refutes("gpu.reduce_scatter")
@pytest.mark.refutes("gpu.alltoall")
@pytest.mark.parametrize("op", GATED[1:])
def test_each_collective_has_its_floor_and_its_data(nodes: Nodes, op: str) -> None:
    nodes.busbw["h100-1"], nodes.wrong["h100-3"] = [300.0], 2
    found = nodes.run(op=op)
    assert [one.verdict for one in found.values()] == [Verdict.PASS, Verdict.FAIL, Verdict.PASS, Verdict.FAIL]
    assert "300 GB/s" in found["h100-1"].reason and "wrong data" in found["h100-3"].reason


def test_without_a_scheduler_each_node_starts_its_own(nodes: Nodes) -> None:
    found = nodes.run("none")
    assert {one.verdict for one in found.values()} == {Verdict.PASS}
    assert sorted(place for place, _ in nodes.starts) == NODES
    assert all("srun" not in line and "env -i PATH=" in line for _, line in nodes.starts)


def test_nodes_on_both_sides_of_a_reservation_keep_their_own_evidence(nodes: Nodes) -> None:
    found = nodes.run(reserved=frozenset(NODES[:2]))
    assert len(nodes.starts) == 2 and {one.verdict for one in found.values()} == {Verdict.PASS}
    for name, one in found.items():
        assert f"on     {name} device" in (nodes.folder / one.evidence).read_text()


def test_over_ssh_a_node_speaks_for_itself_alone(nodes: Nodes) -> None:
    nodes.speaks_as = {"h100-1": "h100-0"}
    nodes.busbw = {"h100-1": [300.0]}
    found = nodes.run("none")
    assert found["h100-0"].verdict is Verdict.PASS
    assert [place for place, _ in nodes.starts].count("h100-0") == 1, (
        "another's rate is not taken for its own"
    )
    assert found["h100-1"].verdict is Verdict.UNPROVEN and "no result on h100-1" in found["h100-1"].reason


@pytest.mark.refutes("gpu.all_reduce")
def test_a_node_below_its_floor_fails_after_its_tries_alone(nodes: Nodes) -> None:
    nodes.busbw["h100-2"] = [365.0]
    found = nodes.run()
    assert [n for n, one in found.items() if one.verdict is Verdict.FAIL] == ["h100-2"]
    assert "365 GB/s" in found["h100-2"].reason and found["h100-2"].floor == FLOOR
    assert len(nodes.starts) == COLLECTIVE_TRIES
    assert all("--nodelist=h100-2 " in line for _, line in nodes.starts[1:])


class Busy:
    """What is seen of nodes of which one has a busy processor."""

    def problems(self, nodes: list[str]) -> dict[str, list[str]]:
        return {name: ["processor pressure 40 %"] for name in nodes if name == "h100-0"}

    def plain(self) -> dict[str, str]:
        return {}


@pytest.mark.refutes("gpu.all_reduce")
def test_a_busy_node_excuses_no_other(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_collectives, "watch", lambda *_: nullcontext(Busy()))
    monkeypatch.setattr(node_collectives.Patience, "pause", lambda *_: False)
    nodes.busbw = {"h100-0": [300.0], "h100-2": [300.0]}
    found = nodes.run()
    assert found["h100-0"].verdict is Verdict.UNPROVEN and "processor pressure" in found["h100-0"].reason
    assert found["h100-1"].verdict is Verdict.PASS
    assert found["h100-2"].verdict is Verdict.FAIL
    assert sum("h100-2" in line for _, line in nodes.starts) == COLLECTIVE_TRIES
    assert sum("h100-0" in line for _, line in nodes.starts) == 1, "no pause was left for it"


def test_a_node_that_is_slow_once_passes(nodes: Nodes) -> None:
    nodes.busbw["h100-1"] = [300.0, 479.0]
    assert nodes.run()["h100-1"].verdict is Verdict.PASS


@pytest.mark.refutes("gpu.all_reduce")
def test_wrong_elements_fail_at_once(nodes: Nodes) -> None:
    nodes.wrong["h100-3"] = 5
    found = nodes.run()
    assert found["h100-3"].verdict is Verdict.FAIL and "wrong data" in found["h100-3"].reason
    assert len(nodes.starts) == 1


def test_a_crash_on_one_node_is_its_own(nodes: Nodes) -> None:
    nodes.silent["h100-0"] = (139, "srun: error: h100-0: task 0: Segmentation fault (core dumped)\n")
    found = nodes.run()
    assert found["h100-0"].verdict is Verdict.UNPROVEN and "no result of h100-0" in found["h100-0"].reason
    assert {found[name].verdict for name in NODES[1:]} == {Verdict.PASS}


def test_a_program_that_prints_nothing_is_unproven(nodes: Nodes) -> None:
    nodes.silent["h100-0"] = (0, "")
    assert "printed no result on h100-0" in nodes.run()["h100-0"].reason


@pytest.fixture
def cards(nodes: Nodes) -> Nodes:
    """The stage that leaves the GPUs of a node nothing but its cards, on eight rails of 400 Gb/s."""
    rates = {
        "transport": "infiniband",
        "rails": 8,
        "nics_per_rail": 1,
        "nic_gbps": 400.0,
        "collective_ranks_per_node": 8,
    }
    machines = [one.model_copy(update=rates) for one in nodes.contract.machines]
    nodes.contract = nodes.contract.model_copy(update={"machines": machines})
    nodes.claim, nodes.stage, nodes.reach = card_collectives.CLAIM, card_collectives.run, OVER_CARDS
    nodes.busbw = {name: [46.4] for name in NODES}
    return nodes


def test_over_cards_alone_nvlink_shared_memory_and_the_switches_reduction_are_off(cards: Nodes) -> None:
    found = cards.run()
    assert {one.verdict for one in found.values()} == {Verdict.PASS} and sorted(found) == NODES
    ((_, line),) = cards.starts
    off = "NCCL_P2P_DISABLE=1 NCCL_SHM_DISABLE=1 NCCL_NVLS_ENABLE=0 NCCL_COLLNET_ENABLE=0"
    assert f"{off} /opt/railbed/nccl-tests/bin/all_reduce_perf -b {SIZE}" in line
    assert found["h100-0"].detail["rails_proven"] == 8 and "network_only" in found["h100-0"].evidence


@pytest.mark.refutes("gpu.network_only")
def test_a_node_that_is_slow_by_its_cards_fails_alone(cards: Nodes) -> None:
    cards.busbw["h100-2"], cards.wrong["h100-3"] = [20.7], 4
    found = cards.run()
    assert [name for name, one in found.items() if one.verdict is Verdict.FAIL] == ["h100-2", "h100-3"]
    assert "20.7 GB/s" in found["h100-2"].reason and "wrong data" in found["h100-3"].reason
    assert len(cards.starts) == COLLECTIVE_TRIES


def test_more_than_cards_carry_shows_that_nvlink_was_on(cards: Nodes) -> None:
    cards.busbw["h100-1"] = [479.7]
    assert cards.run()["h100-1"].verdict is Verdict.UNPROVEN


def test_over_a_rail_that_carries_nothing_it_is_not_started(cards: Nodes) -> None:
    cards.dead_rails = {"h100-0": "blocked by fabric.rail.3.bandwidth on h100-0"}
    found = cards.run()
    assert found["h100-0"].verdict is Verdict.UNPROVEN and "fabric.rail.3" in found["h100-0"].reason
    assert all("h100-0" not in line for _, line in cards.starts)
