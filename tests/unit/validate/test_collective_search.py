"""A collective that nothing explains is searched on: pairs run it as any collective is run, and name who is slow."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.validate.conftest import loaded_reading

from railbed import blame
from railbed.claims import Claim, Expectation, Judged, Verdict
from railbed.contract import Contract, Node
from railbed.effects.scheduler import Scheduler
from railbed.fault_search import decide, read
from railbed.run import Result
from railbed.validate import collectives
from railbed.validate.answers import Answers, judged
from railbed.validate.scope import Question, Scope, select
from railbed.validate.validation_run import ValidationRun

LOG = (Path(__file__).parent / "data" / "nccl-4-nodes.txt").read_text()
ALL_REDUCE = next(
    part for part in re.split(r"(?=^# nccl-tests version)", LOG, flags=re.M) if " all_reduce_" in part
)
ROW = next(line for line in ALL_REDUCE.splitlines() if " float " in line)
FOUR, HEALTHY = "collective.all_reduce@4", 0.098
Slow = Callable[[list[str]], bool]


def printed(nodes: list[str], busbw: float) -> str:
    """The real log of four nodes, as if it had run over these at this rate."""
    words, n = ROW.split(), len(nodes)
    algbw = busbw * n / (2 * (n - 1))
    time_us = int(words[0]) / algbw / 1000
    for at in (5, 9):
        words[at : at + 3] = [f"{time_us:.2f}", f"{algbw:.7f}", f"{busbw:.7f}"]
    ranks = [line for line in ALL_REDUCE.splitlines() if line.startswith("#  Rank")]
    text = ALL_REDUCE.replace(ROW, " ".join(words))
    for line in ranks:
        text = text.replace(line + "\n", "")
    named = "".join(line.replace(f"h100-{at}", nodes[at]) + "\n" for at, line in enumerate(ranks[:n]))
    return text.replace("# Using devices\n", "# Using devices\n" + named)


@pytest.fixture
def pairs(contract: Contract) -> Contract:
    """The cluster with its collective over two and over four nodes."""
    expectation = Expectation(
        unit="GB/s", bound=0.1, expected=0.0993, floor=0.09, basis="derived", derivation=[]
    )
    claims = [
        Claim(id=f"collective.all_reduce@{k}", statement="", roles=[], expectation=expectation)
        for k in (2, 4)
    ]
    return contract.model_copy(update={"claims": claims, "nodes": [four_rails(n) for n in contract.nodes]})


def four_rails(node: Node) -> Node:
    """As many as tell what one of them should reach."""
    if not node.rails:
        return node
    (one, *_), made = node.rails, []
    for index in range(4):
        nic = one.nics[0].model_copy(update={"netdev": f"rail{index}", "device": f"rail{index}"})
        made.append(one.model_copy(update={"index": index, "nics": [nic]}))
    return node.model_copy(update={"rails": made})


@pytest.fixture
def run(pairs: Contract, tmp_path: Path, fake_remote: Any) -> Any:
    """Validates; ``slow``: of which nodes together a run is slow; ``busy``: nodes that are busy while pairs run."""

    def validated(
        slow: Slow,
        *,
        busy: tuple[str, ...] = (),
        crashes: Slow = lambda _: False,
        rail: str = "",
        said: str = "srun: error: h100-2: task 2: Segmentation fault (core dumped)",
        drained: str = "",
        slow_alone: str = "",
    ) -> tuple[ValidationRun, list[str], list[str]]:
        started, lines = list[str](), list[str]()

        def answer(node: str, line: str) -> Result:
            if "_perf" in line:
                nodes = re.search(r"--nodelist=(\S+)", line)[1].split(",")  # type: ignore[index]
                started.append(",".join(nodes))
                if crashes(nodes):
                    return Result((), 139, "", said)
                if "NCCL_SOCKET_IFNAME==" in line:
                    rate = 0.006 if f"NCCL_SOCKET_IFNAME=={slow_alone} " in line else 0.012
                    return Result((), 0, printed(nodes, rate), "")
                return Result((), 0, printed(nodes, 0.05 if slow(nodes) else HEALTHY), "")
            states = [
                f"NodeName={n.name} Gres=gpu:8 State={'IDLE+DRAIN' if n.name == drained and started else 'IDLE'} Partitions=batch"
                for n in pairs.nodes
                if n.rails
            ]
            return Result((), 0, "\n".join(states) if line.startswith("scontrol show node") else "", "")

        remote = fake_remote(answer)
        quiet = remote.reading

        def reading(node: str, at: int) -> str:
            searching = any("a search among" in line for line in lines)
            return loaded_reading(node, at) if node in busy and searching else quiet(node, at)

        remote.reading = reading
        scope = select(pairs, pattern="collective.*@4")
        if rail:
            claim = Claim(id="fabric.rail.0.bandwidth", statement="", roles=["compute"])
            scope = Scope((*scope.questions, Question(claim, rail)))
        validation = ValidationRun(pairs, remote, scope, Answers(scope), tmp_path, lines.append)
        validation.scheduler = Scheduler(remote)
        if rail:
            validation.answers.add(
                judged(Question(claim, rail), Verdict.FAIL, "slow", detail={"parts": ["rail 0"]})
            )
        collectives.run(validation)
        return validation, started, lines

    return validated


def four(validation: ValidationRun) -> Judged:
    record = validation.answers.of(FOUR)
    assert record is not None
    return record


def test_a_healthy_cluster_has_no_search(run: Any) -> None:
    validation, started, _ = run(lambda _: False)
    assert four(validation).verdict is Verdict.PASS
    assert len(started) == 1


def test_the_slow_node_is_named_and_the_record_is_kept(run: Any) -> None:
    validation, started, lines = run(lambda nodes: "h100-2" in nodes)
    record = four(validation)
    assert record.verdict is Verdict.FAIL
    assert record.detail["guilty"] == [["h100-2", "node"]]
    assert "; pairs of nodes name h100-2 node, confidence 0.95 (" in record.reason
    assert record.detail["search"]["stragglers"][0][0] == "h100-2"
    (culprit,) = blame.culprits(validation.answers.complete())
    assert (culprit.node, culprit.part, culprit.confidence) == ("h100-2", "node", blame.DIRECT)
    kept = read((validation.folder / "evidence/collectives/search-all_reduce.json").read_text(), "kept")
    assert {one.node for one in decide(kept).culprits} == {"h100-2"}
    assert any(
        line.startswith(f"{FOUR} failed and nothing else explains it: a search among 4") for line in lines
    )
    assert any(line.startswith("search, round 1: ") for line in lines)
    assert sum(one.count(",") == 1 for one in started) == record.detail["search"]["runs"]


def test_the_slow_rail_of_the_node_is_named_where_it_is_slow_alone(run: Any) -> None:
    validation, _, lines = run(lambda nodes: "h100-2" in nodes, slow_alone="rail3")
    record = four(validation)
    assert record.detail["guilty"] == [["h100-2", "rail 3"]] and "name h100-2 rail 3" in record.reason
    alone = [line for line in lines if "over each rail" in line]
    assert len(alone) == 1 and "h100-2 + " in alone[0]
    (culprit,) = blame.culprits(validation.answers.complete())
    assert (culprit.node, culprit.part) == ("h100-2", "rail 3")
    kept = sorted(
        path.name for path in (validation.folder / "evidence/collectives").glob("rails-*+h100-?-3-?.txt")
    )
    assert len(kept) == 2, "it counts when it is slow twice"


def test_rails_that_are_alike_leave_the_node_to_blame(run: Any) -> None:
    validation, _, lines = run(lambda nodes: "h100-2" in nodes)
    assert four(validation).detail["guilty"] == [["h100-2", "node"]]
    assert sum("over each rail" in line for line in lines) == 1


def test_a_way_between_two_nodes_is_named(run: Any) -> None:
    validation, _, _ = run(lambda nodes: {"h100-0", "h100-3"} <= set(nodes))
    (culprit,) = blame.culprits(validation.answers.complete())
    assert culprit.node == ""
    assert culprit.part in ("way h100-0 h100-3", "way h100-3 h100-0")


def test_what_shows_over_four_nodes_only_accuses_nobody(run: Any) -> None:
    validation, _, _ = run(lambda nodes: len(nodes) == 4)
    record = four(validation)
    assert "guilty" not in record.detail
    assert "every pair of nodes that ran holds its floor" in record.reason
    (culprit,) = blame.culprits(validation.answers.complete())
    assert (culprit.node, culprit.part, culprit.confidence) == ("", "fabric", blame.INFERRED)


def test_pairs_on_busy_nodes_accuse_nobody(run: Any) -> None:
    validation, _, _ = run(lambda nodes: "h100-2" in nodes, busy=("h100-2",))
    record = four(validation)
    assert record.verdict is Verdict.FAIL, "its own runs were on quiet nodes"
    assert "guilty" not in record.detail
    assert "the search for who is to blame is unproven" in record.reason


def test_pairs_that_crash_say_nothing(run: Any) -> None:
    validation, _, _ = run(lambda _: True, crashes=lambda nodes: len(nodes) == 2)
    record = four(validation)
    assert "guilty" not in record.detail
    assert "no test of round 1 says anything" in record.detail["search"]["stopped"]


def test_a_node_with_which_every_pair_crashes_is_named(run: Any) -> None:
    validation, started, lines = run(lambda _: False, crashes=lambda nodes: "h100-2" in nodes)
    record = four(validation)
    assert (record.verdict, record.detail["guilty"]) == (Verdict.FAIL, [["h100-2", "node"]])
    assert record.reason.startswith("it crashed: all_reduce_perf on h100-2 crashed (SIGSEGV)")
    assert "; pairs of nodes name h100-2 node, confidence 0.95 (" in record.reason
    (culprit,) = blame.culprits(validation.answers.complete())
    assert (culprit.node, culprit.part, culprit.confidence) == ("h100-2", "node", blame.DIRECT)
    assert (validation.folder / "evidence/collectives/crash-all_reduce.json").exists()
    assert any(line.startswith(f"{FOUR} crashed: a search among 4 nodes") for line in lines)
    assert sum(one.count(",") == 1 for one in started) == record.detail["search"]["runs"] > 0


@pytest.mark.parametrize(
    ("crashes", "said"),
    [
        (lambda nodes: len(nodes) == 4, "every pair of nodes that ran comes to its end"),
        (lambda nodes: {"h100-0", "h100-2"} <= set(nodes), "no node in all of its pairs"),
        (lambda _: True, "it crashes over every pair of nodes"),
    ],
)
def test_a_crash_that_no_node_makes_alone_names_nobody(run: Any, crashes: Slow, said: str) -> None:
    validation, _, lines = run(lambda _: False, crashes=crashes)
    found = next(one for one in validation.answers.complete() if one.claim == FOUR)
    assert found.verdict is Verdict.UNPROVEN and blame.culprits(validation.answers.complete()) == []
    assert found.reason.startswith("all_reduce_perf on h100-2 crashed") and any(
        said in one for one in lines
    ), lines


def test_pairs_that_crash_on_busy_nodes_name_nobody(run: Any) -> None:
    validation, _, _ = run(lambda _: False, crashes=lambda nodes: "h100-2" in nodes, busy=("h100-2",))
    assert next(one for one in validation.answers.complete() if one.claim == FOUR).verdict is Verdict.UNPROVEN


def test_a_node_that_crashed_and_was_drained_since_is_named_as_the_obstacle(run: Any) -> None:
    validation, started, _ = run(lambda _: False, crashes=lambda nodes: "h100-2" in nodes, drained="h100-2")
    found = next(one for one in validation.answers.complete() if one.claim == FOUR)
    assert found.verdict is Verdict.UNPROVEN and all(one.count(",") == 3 for one in started)
    assert found.reason.endswith("; blocked by scheduler.state: h100-2 is IDLE+DRAIN")


def test_a_node_that_failed_by_itself_explains_a_crash(run: Any) -> None:
    validation, started, lines = run(lambda _: False, crashes=lambda nodes: "h100-2" in nodes, rail="h100-2")
    assert validation.answers.of(FOUR) is None and all(one.count(",") == 3 for one in started)
    assert f"no search for who made {FOUR} crash: h100-2 failed claims of its own" in lines


def test_a_slow_rail_explains_it_and_nothing_is_searched(run: Any) -> None:
    validation, started, _ = run(lambda nodes: "h100-2" in nodes, rail="h100-2")
    assert "search" not in four(validation).detail
    assert all(one.count(",") == 3 for one in started)


def test_the_budget_is_said_where_it_ends_a_search(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collectives, "Budget", lambda: _budget(2))
    validation, _, _ = run(lambda nodes: "h100-2" in nodes)
    assert "the budget of 2 runs is used up" in four(validation).reason
    assert json.loads(json.dumps(four(validation).detail["search"]))["verdict"] == "unproven"


def _budget(runs: int) -> Any:
    from railbed.validate.blame_search import Budget

    return Budget(runs=runs)
