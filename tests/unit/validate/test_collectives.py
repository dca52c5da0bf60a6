"""Collectives' logs: real ones of four lab nodes (all four operations), and broken ones; byte counters around them."""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.unit.validate.conftest import loaded_reading
from tests.unit.validate.test_collective_table import curved, with_small_row

from railbed.claims import Claim, Expectation, Verdict
from railbed.contract import Contract, Rail
from railbed.effects.scheduler import Scheduler
from railbed.judge import transport
from railbed.run import Result
from railbed.validate import collective_table, collectives
from railbed.validate.answers import Answers, judged
from railbed.validate.collective_programs import message_bytes
from railbed.validate.collectives import COLLECTIVE_TRIES
from railbed.validate.scope import Question, Scope, select
from railbed.validate.validation_run import ValidationRun

LOG = (Path(__file__).parent / "data" / "nccl-4-nodes.txt").read_text()
NODES = [f"h100-{i}" for i in range(4)]


def question(op: str, floor: float = 0.095) -> Question:
    expectation = Expectation(
        unit="GB/s", bound=0.1, expected=0.09927, floor=floor, basis="derived", derivation=["line"]
    )
    return Question(
        Claim(id=f"collective.{op}@4", statement="", roles=[], expectation=expectation, simulated=True), ""
    )


@pytest.mark.parametrize("op", ["all_reduce", "all_gather", "reduce_scatter"])
def test_a_real_log_answers_each_of_its_collectives(contract: Contract, op: str) -> None:
    record = collective_table.judged_log(LOG, question(op), NODES, contract.machines[0])
    assert record is not None
    assert record.verdict is Verdict.PASS
    assert record.claim == f"collective.{op}@4"
    assert record.simulated
    assert 0.095 <= float(record.measured or 0) <= 0.1
    assert record.detail["nodes"] == NODES


def test_below_the_floor_fails(contract: Contract) -> None:
    record = collective_table.judged_log(
        LOG, question("all_reduce", floor=0.0999), NODES, contract.machines[0]
    )
    assert record is not None
    assert record.verdict is Verdict.FAIL
    assert collective_table.missed(record)


def test_wrong_data_fail_and_are_not_tried_again(contract: Contract) -> None:
    wrong = re.sub(r"( float .*)       0$", r"\1       3", LOG, flags=re.M)
    assert wrong != LOG
    record = collective_table.judged_log(wrong, question("all_reduce"), NODES, contract.machines[0])
    assert record is not None
    assert record.verdict is Verdict.FAIL
    assert not collective_table.missed(record)


def test_a_log_of_other_nodes_proves_nothing(contract: Contract) -> None:
    record = collective_table.judged_log(
        LOG, question("all_reduce"), [*NODES[:3], "h100-4"], contract.machines[0]
    )
    assert record is not None
    assert record.verdict is Verdict.UNPROVEN


@pytest.mark.parametrize("text", ["", "srun: error: Unable to allocate resources\n", LOG[:900]])
def test_a_log_without_the_row_answers_nothing(contract: Contract, text: str) -> None:
    assert collective_table.judged_log(text, question("alltoall"), NODES, contract.machines[0]) is None


def table(op: str, log: str = LOG) -> str:
    """What the program of one collective printed."""
    return next(
        part for part in re.split(r"(?=^# nccl-tests version)", log, flags=re.M) if f" {op}_perf" in part
    )


def starts(remote: Any) -> list[str]:
    """Collective, size, … of each start, in their order."""
    return [line.split("/bin/")[1] for _, line in remote.commands if "_perf" in line]


Counts = dict[str, dict[str, int]]
Change = Callable[[Counts], None]
PER_RAIL = int(
    transport.counted_per_rail(
        transport.payload_per_node("all_reduce", message_bytes([64 << 20]), 4), 8, 0.9927
    )
)


class Ports:
    """What the rails of a node count: a share each for every start, as changed on h100-1."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self.changes = iter(changes)
        self.counts = {
            node: {part: {"tx": 0, "rx": 0} for part in (*map(str, range(8)), "management")} for node in NODES
        }

    def move(self) -> None:
        change = next(self.changes, lambda _: None)
        for node, counts in self.counts.items():
            moved = {
                part: dict.fromkeys(("tx", "rx"), 0 if part == "management" else PER_RAIL) for part in counts
            }
            if node == NODES[1]:
                change(moved)
            for part, one in moved.items():
                counts[part] = {way: counts[part][way] + one[way] for way in ("tx", "rx")}

    def text(self, node: str) -> str:
        return json.dumps({part: {"carrier": True, **one} for part, one in self.counts[node].items()})


def even(_: Counts) -> None:
    """Every rail carries its share."""


def leak(moved: Counts) -> None:
    moved["management"]["rx"] += 50_000_000


def halve(moved: Counts) -> None:
    moved["2"]["tx"] //= 2


@pytest.fixture
def validation(tmp_path: Path, fake_remote: Any) -> Any:
    """A scheduler that runs anything at once; each start gets the next reply, and each counts by the next of ``counted``."""

    def make(
        contract: Contract, replies: list[Result], drained: str = "", counted: Sequence[Change] = ()
    ) -> tuple[ValidationRun, Any]:
        said, ports = iter(replies), Ports(counted)

        def answer(node: str, line: str) -> Result:
            if "_perf" in line:
                ports.move()
                return next(said)
            if " count " in line:
                return Result((), 0, ports.text(node), "")
            states = {
                n.name: "IDLE+DRAIN" if n.name == drained else "IDLE" for n in contract.nodes if n.rails
            }
            lines = [
                f"NodeName={name} Gres=gpu:8 State={state} Partitions=batch  Reason=disk [root@2026-11-24T08:00:00]"
                for name, state in states.items()
            ]
            return Result((), 0, "\n".join(lines) if line.startswith("scontrol show node") else "", "")

        remote = fake_remote(answer)
        scope = select(contract, pattern="collective.*")
        made = ValidationRun(contract, remote, scope, Answers(scope), tmp_path, lambda _: None)
        made.scheduler = Scheduler(remote)
        return made, remote

    return make


def test_a_missed_floor_is_tried_once_more(contract: Contract, validation: Any) -> None:
    slow = slowed(LOG)
    made, remote = validation(contract, [Result((), 0, slow, ""), Result((), 0, LOG, "")])
    collectives.run(made)
    record = made.answers.complete()[0]
    assert record.verdict is Verdict.PASS
    assert record.evidence == "evidence/collectives/4-nodes-2.txt"
    assert len(starts(remote)) == 2


@pytest.mark.refutes("collective.{name}@{nodes}")
def test_a_floor_missed_every_time_fails(contract: Contract, validation: Any) -> None:
    expectation = contract.claims[-3].model_copy(
        update={"expectation": question("all_reduce", floor=0.0999).claim.expectation}
    )
    strict = contract.model_copy(update={"claims": [expectation]})
    made, _ = validation(strict, [Result((), 0, LOG, "")] * COLLECTIVE_TRIES)
    collectives.run(made)
    assert made.answers.complete()[0].verdict is Verdict.FAIL


def load(remote: Any, busy_runs: int) -> None:
    """Nodes are busy until so many runs are over."""
    quiet, read = remote.reading, Counter[str]()

    def reading(node: str, at: int) -> str:
        read[node] += 1
        # One before each run and one after it.
        return loaded_reading(node, at) if read[node] <= 2 * busy_runs else quiet(node, at)

    remote.reading = reading


def test_a_floor_missed_on_busy_nodes_is_no_fault(contract: Contract, validation: Any) -> None:
    made, remote = validation(contract, [Result((), 0, slowed(LOG), "")] * 9)
    load(remote, 99)
    collectives.run(made)
    record = made.answers.complete()[0]
    assert record.verdict is Verdict.UNPROVEN
    assert record.reason.startswith("conditions: tasks waited for a processor")
    assert record.measured == pytest.approx(0.067, rel=0.01), "the number is kept"
    assert 2 < len(starts(remote)) < 9, "within a budget"


def test_a_floor_missed_on_nodes_that_become_quiet_fails_by_the_quiet_runs_alone(
    contract: Contract, validation: Any
) -> None:
    made, remote = validation(contract, [Result((), 0, slowed(LOG), "")] * 9)
    load(remote, 1)
    collectives.run(made)
    assert made.answers.complete()[0].verdict is Verdict.FAIL
    assert len(starts(remote)) == 1 + COLLECTIVE_TRIES


def test_a_floor_that_holds_on_busy_nodes_passes(contract: Contract, validation: Any) -> None:
    made, remote = validation(contract, [Result((), 0, LOG, "")])
    load(remote, 99)
    collectives.run(made)
    assert made.answers.complete()[0].verdict is Verdict.PASS


def test_a_slow_rail_explains_a_missed_floor_at_once(contract: Contract, validation: Any) -> None:
    made, remote = validation(contract, [Result((), 0, slowed(LOG), "")])
    rail = Claim(id="fabric.rail.0.bandwidth", statement="", roles=["compute"])
    made.answers = Answers(Scope((*made.scope.questions, Question(rail, "h100-1"))))
    made.answers.add(judged(Question(rail, "h100-1"), Verdict.FAIL, "slow"))
    collectives.run(made)
    assert {c.claim: c.verdict for c in made.answers.complete()} == {
        "collective.all_reduce@4": Verdict.FAIL, "fabric.rail.0.bandwidth": Verdict.FAIL,
    }  # fmt: skip
    assert len(starts(remote)) == 1


def eight_rails(contract: Contract) -> Contract:
    """As many rails as the log's nodes had."""

    def rail(first: Rail, index: int) -> Rail:
        nic = first.nics[0].model_copy(update={"netdev": f"rail{index}"})
        return first.model_copy(update={"index": index, "nics": [nic]})

    nodes = [
        n.model_copy(update={"rails": [rail(n.rails[0], i) for i in range(8)] if n.rails else []})
        for n in contract.nodes
    ]
    machine = contract.machines[0].model_copy(update={"rails": 8})
    return contract.model_copy(update={"nodes": nodes, "machines": [machine]})


def asking_for_transport(
    contract: Contract, validation: Any, replies: int, counted: list[Change]
) -> tuple[ValidationRun, Any]:
    made, remote = validation(
        eight_rails(contract), [Result((), 0, table("all_reduce"), "")] * replies, counted=counted
    )
    claim = Claim(id="fabric.transport", statement="way", roles=[], simulated=True)
    made.scope = Scope((*made.scope.questions, Question(claim, "")))
    made.answers = Answers(made.scope)
    return made, remote


@pytest.mark.parametrize(
    ("counted", "verdict"),
    [
        ([even], Verdict.PASS),
        ([leak, even], Verdict.PASS),
        ([halve, halve, even], Verdict.PASS),
        ([leak] * COLLECTIVE_TRIES, Verdict.UNPROVEN),
        ([halve] * COLLECTIVE_TRIES, Verdict.FAIL),
    ],
)
@pytest.mark.refutes("fabric.transport")
def test_counters_that_look_wrong_are_taken_again(
    contract: Contract, validation: Any, counted: list[Change], verdict: Verdict
) -> None:
    made, remote = asking_for_transport(contract, validation, len(counted), counted)
    collectives.run(made)
    record = made.answers.of("fabric.transport")
    assert record is not None
    assert record.verdict is verdict, record.reason
    assert verdict is not Verdict.FAIL or record.detail["guilty"] == [["h100-1", "rail 2"]]
    assert len(starts(remote)) == len(counted)
    kept = json.loads((made.folder / record.evidence).read_text())
    assert len(kept) == len(counted), "every try is kept"


def test_counters_that_look_wrong_on_busy_nodes_accuse_nothing(contract: Contract, validation: Any) -> None:
    made, remote = asking_for_transport(contract, validation, 9, [halve] * 9)
    load(remote, 99)
    collectives.run(made)
    record = made.answers.of("fabric.transport")
    assert record is not None
    assert record.verdict is Verdict.UNPROVEN
    assert record.reason.startswith("conditions: ")


def test_nothing_is_counted_where_nobody_asks(contract: Contract, validation: Any) -> None:
    made, remote = validation(contract, [Result((), 0, LOG, "")])
    collectives.run(made)
    assert not [line for _, line in remote.commands if " count " in line]


def test_a_program_that_ends_badly_proves_nothing(contract: Contract, validation: Any) -> None:
    made, _ = validation(contract, [Result((), 3, "h100-1: Test NCCL failure: rail3", "")] * 50)
    collectives.run(made)
    record = made.answers.complete()[0]
    assert record.verdict is Verdict.UNPROVEN
    assert "rail3" in record.reason


def test_too_few_free_nodes_say_whose_job_is_in_the_way(contract: Contract, validation: Any) -> None:
    made, remote = validation(contract, [], drained="h100-0")
    collectives.run(made)
    record = made.answers.complete()[0]
    assert record.verdict is Verdict.UNPROVEN
    assert "IDLE+DRAIN (disk)" in record.reason
    assert starts(remote) == []


def slowed(log: str) -> str:
    """The first row as if it had taken 1.5 s out of place: 67108864 B / 1.5 s, times 3/2 for the bus."""
    line = next(line for line in log.splitlines() if " float " in line)
    slow = line
    for old, new in zip(line.split()[5:8], ("1500000.00", "0.0447392", "0.0671089"), strict=True):
        slow = slow.replace(old, new, 1)
    return log.replace(line, slow)


GIB8 = 8 << 30


def sized(op: str, size_bytes: int | None, floor: float = 0.095) -> Claim:
    expectation = question(op, floor).claim.expectation
    assert expectation is not None
    return Claim(
        id=f"collective.{op}@4", statement="", roles=[],
        expectation=expectation.model_copy(update={"size_bytes": size_bytes}), simulated=True,
    )  # fmt: skip


def test_each_collective_runs_at_the_size_of_its_reference(contract: Contract, validation: Any) -> None:
    claims = [sized("all_reduce", None), sized("all_gather", GIB8), sized("reduce_scatter", GIB8)]
    big = LOG.replace("67108864", str(GIB8))
    replies = [table("all_reduce"), *[table(op, big) for op in ("all_gather", "reduce_scatter") * 3]]
    made, remote = validation(
        contract.model_copy(update={"claims": claims}), [Result((), 0, text, "") for text in replies]
    )
    collectives.run(made)
    assert [line.partition(" -e ")[0] for line in starts(remote)][:3] == [
        "all_reduce_perf -b 67108864", f"all_gather_perf -b {GIB8}", f"reduce_scatter_perf -b {GIB8}",
    ]  # fmt: skip
    assert made.answers.of("collective.all_reduce@4").verdict is Verdict.PASS
    assert (made.folder / "evidence" / "collectives" / f"4-nodes-{GIB8}-bytes.txt").is_file()


def test_a_log_below_the_size_of_its_reference_proves_nothing(contract: Contract) -> None:
    asked = Question(sized("all_reduce", GIB8), "")
    record = collective_table.judged_log(LOG, asked, NODES, contract.machines[0])
    assert record is not None
    assert (record.verdict, "published at 8589934592 B" in record.reason) == (Verdict.UNPROVEN, True)
    slow = Question(sized("all_reduce", GIB8, floor=0.0999), "")
    record = collective_table.judged_log(LOG, slow, NODES, contract.machines[0])
    assert record is not None
    assert record.verdict is Verdict.FAIL


def test_an_expectation_without_a_size_is_written_as_before() -> None:
    expectation = question("all_reduce").claim.expectation
    assert expectation is not None
    assert "size_bytes" not in expectation.model_dump_json()
    assert Expectation.model_validate_json(expectation.model_dump_json()) == expectation


def test_all_sizes_run_in_one_start_and_are_counted(contract: Contract, validation: Any) -> None:
    made, remote = validation(
        contract.model_copy(update={"claims": [curved(0.05).claim]}),
        [Result((), 0, with_small_row(0.08), "")],
    )
    lines: list[str] = []
    made.say = lines.append
    collectives.run(made)
    # 9 times 68 MiB at 0.0993 GB/s, each byte 1.5 times.
    assert lines[0] == "collectives: 1 starts over 4 nodes, data move for about 10 s"
    assert starts(remote)[0].startswith("all_reduce_perf -b 4194304 -e 67108864 -f 16 -g 1 ")
    assert made.answers.of("collective.all_reduce@4").verdict is Verdict.PASS
    assert message_bytes([4 << 20, 64 << 20]) == 8 * (68 << 20) + (68 << 20)
    assert message_bytes([64 << 20]) == 10 * (64 << 20)
