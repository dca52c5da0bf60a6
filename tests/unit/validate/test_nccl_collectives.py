"""Collectives over RDMA rails: nccl-tests under Slurm, NCCL's own log in its files, and the port counters around it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from railbed.claims import Claim, Expectation, Judged, Verdict
from railbed.contract import Contract, Nic, Rail
from railbed.effects.scheduler import Scheduler
from railbed.judge import nccl_hosts, nccl_transport, rail_shares, transport
from railbed.judge.transport import NodeBytes
from railbed.parse import nccl_debug
from railbed.run import Result
from railbed.run import run as railbed_run
from railbed.validate import collective_programs, collectives
from railbed.validate.answers import Answers
from railbed.validate.scope import select
from railbed.validate.validation_run import ValidationRun

DATA = Path(__file__).parents[1] / "data/parse"
SIZE = 17_179_869_184
TABLE = re.sub(
    r"^ +(1073741824|4294967296) .*\n", "", (DATA / "nccl_tests/two-nodes.log").read_text(), flags=re.M
)
"""Sixteen ranks on node-0 and node-1, at 16 GiB."""
LOGS = {
    name: (DATA / "nccl_debug" / f"{name}.log").read_text()
    for name in ("two-nodes-ib", "sockets", "gpudirect-off", "efa", "truncated")
}
RAILS = range(8)
NODES = ["h100-0", "h100-1"]


@pytest.fixture
def cluster(contract: Contract) -> Contract:
    """Two nodes with eight InfiniBand rails of 400 Gb/s."""
    machine = contract.machines[0].model_copy(
        update={"transport": "infiniband", "collective_ranks_per_node": 8, "nic_gbps": 400.0}
    )
    rails = [
        Rail(
            index=i, address="", mtu=4096, rate_gbps=400.0,
            nics=[Nic(device=f"mlx5_{i}", netdev="", rate_gbps=400.0, switch="", port="")],
        )
        for i in RAILS
    ]  # fmt: skip
    nodes = [n.model_copy(update={"rails": rails if n.rails else []}) for n in contract.nodes]
    expectation = Expectation(
        unit="GB/s",
        bound=800.0,
        expected=480.0,
        floor=440.0,
        basis="measured",
        derivation=[],
        size_bytes=SIZE,
    )
    claims = [Claim(id="collective.all_reduce@2", statement="", roles=[], expectation=expectation)]
    claims += [Claim(id=name, statement="", roles=[]) for name in collectives.BESIDE]
    kept = [n for n in nodes if n.role == "controller" or n.name in NODES]
    return contract.model_copy(update={"machines": [machine], "nodes": kept, "claims": claims})


class Fabric:
    """Counters of ports that grow by what a run sends: ``sent(node, rail)`` bytes each way."""

    def __init__(self, sent: Any, management: int) -> None:
        self.sent, self.management, self.runs = sent, management, 0

    def count(self, node: str) -> str:
        parts = {
            str(rail): {
                "carrier": True,
                "tx": self.runs * self.sent(node, rail),
                "rx": self.runs * self.sent(node, rail),
            }
            for rail in RAILS
        }
        moved = self.runs * self.management
        return json.dumps(parts | {"management": {"carrier": True, "tx": moved, "rx": moved}})


EVEN = 10 * SIZE // 8
"""Bytes per rail of ten runs: out of place and in place two timed, one to synchronise, one checked, and a warm-up."""


@pytest.fixture
def run(cluster: Contract, tmp_path: Path, fake_remote: Any) -> Any:
    def validated(
        log: str = LOGS["two-nodes-ib"], table: str = TABLE, sent: Any = lambda *_: EVEN, management: int = 10_000,
        result: Result | None = None, of: Contract = cluster,
    ) -> tuple[dict[str, Judged], list[str]]:  # fmt: skip
        fabric, started = Fabric(sent, management), list[str]()

        def named(text: str) -> str:
            return text.replace("node-0", NODES[0]).replace("node-1", NODES[1])

        def answer(node: str, line: str) -> Result:
            if "srun" in line:
                started.append(line)
                fabric.runs += 1
                return result or Result((), 0, named(table), "")
            if line.startswith("find "):
                return Result((), 0, named(log) if node == NODES[0] else "", "")
            if " count " in line:
                return Result((), 0, fabric.count(node), "")
            states = "\n".join(f"NodeName={name} Gres=gpu:8 State=IDLE Partitions=batch" for name in NODES)
            return Result((), 0, states if line.startswith("scontrol show node") else "", "")

        remote = fake_remote(answer)
        scope = select(of, pattern="*")
        validation = ValidationRun(of, remote, scope, Answers(scope), tmp_path, lambda _: None)
        validation.scheduler = Scheduler(remote)
        collectives.run(validation)
        return {one.claim: one for one in validation.answers.complete()}, started

    return validated


def test_a_healthy_cluster_passes_and_is_started_as_sites_start_it(run: Any) -> None:
    found, started = run()
    assert {claim: one.verdict for claim, one in found.items()} == {
        "collective.all_reduce@2": Verdict.PASS, "fabric.transport": Verdict.PASS,
        "fabric.transport.nccl_log": Verdict.PASS, "fabric.gpudirect": Verdict.PASS,
    }, {claim: one.reason for claim, one in found.items()}  # fmt: skip
    assert found["collective.all_reduce@2"].measured == pytest.approx(487.1)
    (line,) = started
    for words in (
        "NCCL_DEBUG=INFO", "NCCL_DEBUG_FILE=/var/tmp/railbed-nccl.", ".%h.%p srun --mpi=pmix",
        "srun --mpi=pmix --exclusive --mem=0 --gpus-per-node=8 --cpu-bind=none", "--ntasks-per-node=8",
        "--nodelist=h100-0,h100-1", f"/opt/railbed/nccl-tests/bin/all_reduce_perf -b {SIZE} -e {SIZE} -f 2 -g 1", "-a 3 -c 1",
    ):  # fmt: skip
        assert words in line


@pytest.mark.parametrize("transport", ["infiniband", "roce", "efa", "tcp"])
def test_every_transport_is_started_alike(cluster: Contract, transport: str) -> None:
    machine = cluster.machines[0].model_copy(update={"transport": transport})
    argv = collective_programs.start(machine, "alltoall", NODES, [64], log="ab", reservation="r")
    assert argv == collective_programs.start(
        cluster.machines[0], "alltoall", NODES, [64], log="ab", reservation="r"
    )
    assert {"--mpi=pmix", "--reservation=r", "--ntasks-per-node=8"} <= set(argv)


def test_the_logs_of_a_start_are_read_and_all_are_removed(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(collective_programs, "NCCL_LOG_FOLDER", str(tmp_path))
    for name, text in (("ab.h100-0.7", "mine\n"), ("ab.h100-0.8", "too\n"), ("cd.h100-0.9", "of another\n")):
        (tmp_path / f"{collective_programs.LOG}{name}").write_text(text)
    (tmp_path / "kept").write_text("a user's\n")
    output = railbed_run(collective_programs.take_logs("ab", 100)).stdout
    assert sorted(output.splitlines()) == ["mine", "too"]
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.refutes("fabric.transport.nccl_log")
def test_sockets_fail(run: Any) -> None:
    found, _ = run(log=LOGS["sockets"])
    assert found["fabric.transport.nccl_log"].verdict is Verdict.FAIL
    assert "sockets" in found["fabric.transport.nccl_log"].reason


def test_a_log_that_is_cut_lets_nothing_pass(run: Any) -> None:
    found, _ = run(log=f"{nccl_hosts.CUT}railbed-nccl.ab.node-0.7\n" + LOGS["two-nodes-ib"])
    for claim in ("fabric.transport.nccl_log", "fabric.gpudirect"):
        assert found[claim].verdict is Verdict.UNPROVEN and "longer than what is read" in found[claim].reason
    assert collective_programs.log_bytes(8 * 128) == collective_programs.NCCL_LOG_BYTES
    assert 8 * 4000 * collective_programs.log_bytes(8 * 4000) <= collective_programs.NCCL_LOGS_BYTES


def test_a_table_without_its_closing_lines_proves_nothing(run: Any) -> None:
    cut = "".join(
        line
        for line in TABLE.splitlines(keepends=True)
        if "Avg bus bandwidth" not in line and "Out of bounds" not in line
    )
    assert cut != TABLE
    found, _ = run(table=cut)
    one = found["collective.all_reduce@2"]
    assert one.verdict is Verdict.UNPROVEN and "closing lines" in one.reason


@pytest.mark.refutes("fabric.gpudirect")
def test_connections_through_host_memory_fail(run: Any) -> None:
    one = LOGS["gpudirect-off"]
    found, _ = run(log=one + one.replace("node-0", "node-1"))
    assert found["fabric.gpudirect"].verdict is Verdict.FAIL
    assert found["fabric.transport.nccl_log"].verdict is Verdict.PASS


def test_a_log_without_a_nodes_lines_proves_nothing_good(run: Any) -> None:
    lines = LOGS["two-nodes-ib"].splitlines(keepends=True)
    found, _ = run(log="".join(line for line in lines if not line.startswith("node-1")))
    for claim in ("fabric.transport.nccl_log", "fabric.gpudirect"):
        assert found[claim].verdict is Verdict.UNPROVEN
        assert found[claim].reason.startswith("NCCL's log of h100-1 is missing; beside it ")
    found, _ = run(log=LOGS["gpudirect-off"])
    assert found["fabric.gpudirect"].verdict is Verdict.FAIL


def test_a_silent_log_proves_nothing(run: Any) -> None:
    found, _ = run(log="")
    assert found["fabric.transport.nccl_log"].verdict is Verdict.UNPROVEN
    assert found["fabric.gpudirect"].verdict is Verdict.UNPROVEN
    assert found["collective.all_reduce@2"].verdict is Verdict.PASS


def test_efa_is_known_by_its_plugin() -> None:
    log = nccl_debug.read(LOGS["efa"])
    assert nccl_transport.judge_log(log, "efa").verdict is Verdict.PASS
    assert nccl_transport.judge_log(log, "infiniband").verdict is Verdict.UNPROVEN


def test_a_rail_that_carried_nothing_is_named(run: Any) -> None:
    found, _ = run(sent=lambda node, rail: 0 if (node, rail) == ("h100-1", 5) else EVEN * 8 // 7)
    one = found["fabric.transport"]
    assert one.verdict is Verdict.FAIL
    assert one.detail["guilty"] == [["h100-1", "rail 5"]]


def test_bytes_that_did_not_cross_the_rails_prove_nothing(run: Any) -> None:
    found, _ = run(sent=lambda *_: EVEN // 4, management=EVEN * 6)
    one = found["fabric.transport"]
    assert one.verdict is Verdict.UNPROVEN
    assert "over the management network" in one.reason
    found, _ = run(sent=lambda *_: 0)
    assert found["fabric.transport"].verdict is Verdict.UNPROVEN, "nothing says which rail is to blame"


def test_counters_that_cannot_be_read_leave_the_collective_its_verdict(run: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(Fabric, "count", lambda *_: "garbage")
    found, _ = run()
    assert found["collective.all_reduce@2"].verdict is Verdict.PASS
    assert found["fabric.transport"].verdict is Verdict.UNPROVEN
    assert "the byte counters were not read" in found["fabric.transport"].reason


def test_a_node_whose_counters_lack_a_part_leaves_no_verdict_on_the_others(
    run: Any, monkeypatch: Any
) -> None:
    """Where no interface has the node's address, nothing says what crossed the management network."""
    whole = Fabric.count

    def partly(self: Fabric, node: str) -> str:
        parts = json.loads(whole(self, node))
        if node == "h100-1":
            del parts["management"]
        return json.dumps(parts)

    monkeypatch.setattr(Fabric, "count", partly)
    found, _ = run()
    assert found["fabric.transport"].verdict is Verdict.UNPROVEN
    assert "not all counters of h100-1" in found["fabric.transport"].reason


@pytest.mark.parametrize("result", [
    Result((), 1, "", "srun: error: Unable to allocate resources: Requested node configuration is not available"),
    Result((), 134, TABLE[:1500], "srun: error: h100-1: task 9: Aborted"),
    Result((), 124, "", ""),
    Result((), 0, "", ""),
])  # fmt: skip
def test_a_program_that_fails_proves_nothing(run: Any, result: Result) -> None:
    found, _ = run(result=result)
    assert {one.verdict for one in found.values()} <= {Verdict.UNPROVEN}
    for claim in collectives.BESIDE:
        assert found[claim].reason.startswith("no collective came to its end: all_reduce_perf"), found[
            claim
        ].reason


def test_what_nccl_warned_of_is_told_where_its_program_failed(run: Any) -> None:
    log = "node-1:7:9 [0] net.cc:5 NCCL WARN NET/IB : mlx5_3 port error\n"
    found, _ = run(log=log, result=Result((), 3, "", "srun: error: h100-1: task 9: Exited with exit code 3"))
    reason = found["collective.all_reduce@2"].reason
    assert "all_reduce_perf on h100-1 ended with 3" in reason and "mlx5_3 port error" in reason


def test_wrong_data_fail(run: Any) -> None:
    table = re.sub(r"(487\.10 +)0\n", r"\g<1>7\n", TABLE)
    assert table != TABLE
    found, _ = run(table=table)
    assert found["collective.all_reduce@2"].verdict is Verdict.FAIL
    assert "wrong data" in found["collective.all_reduce@2"].reason


@pytest.mark.parametrize(
    ("share", "verdict"), [(1.0, Verdict.PASS), (0.4, Verdict.UNPROVEN), (0.05, Verdict.FAIL)]
)
def test_what_a_rail_carries_of_an_equal_share(share: float, verdict: Verdict) -> None:
    moved = {rail: int(1e9 * (share if rail == 3 else 1)) for rail in RAILS}
    node = NodeBytes(node="a", sent=moved, received=dict.fromkeys(RAILS, 10**9), management=0)
    assert rail_shares.judge([node], 6e9, 8).verdict is verdict


def test_least_bytes_of_an_all_reduce_where_switches_reduce() -> None:
    flat = rail_shares.least_per_node("all_reduce", 800, 4, 4, 1, in_network_reduction=False)
    assert (flat, transport.payload_per_node("all_reduce", 800, 4)) == (1200.0, 1200.0)
    assert rail_shares.least_per_node("all_reduce", 800, 4, 4, 1, in_network_reduction=True) == 800.0
    assert rail_shares.judge([], 1.0, 8).verdict is Verdict.UNPROVEN


def test_nodes_of_one_nvlink_domain_need_no_rail() -> None:
    least = rail_shares.least_per_node("all_gather", 800, 4, 1, 1, in_network_reduction=False)
    idle = NodeBytes(node="a", sent=dict.fromkeys(RAILS, 0), received=dict.fromkeys(RAILS, 0), management=0)
    found = rail_shares.judge([idle], least, 8)
    assert (least, found.verdict) == (0.0, Verdict.UNPROVEN)
    assert "NVLink joins these nodes" in found.reason
    assert rail_shares.least_per_node("all_gather", 800, 4, 2, 1, in_network_reduction=False) == 200.0


def test_a_node_that_counts_on_seven_rails_proves_nothing() -> None:
    seven = dict.fromkeys(range(7), 10**9)
    found = rail_shares.judge([NodeBytes(node="a", sent=seven, received=seven, management=0)], 6e9, 8)
    assert found.verdict is Verdict.UNPROVEN
    assert "counts on 7 of 8 rails" in found.reason


def test_a_size_that_nobody_published_is_large_over_rdma(run: Any, cluster: Contract) -> None:
    claims = [Claim(id="collective.alltoall@2", statement="", roles=[])]
    _, started = run(of=cluster.model_copy(update={"claims": claims}))
    assert f"alltoall_perf -b {1024**3} " in started[0]
