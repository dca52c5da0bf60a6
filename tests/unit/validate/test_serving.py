"""The stage of the reference service: what is started where, what loads come to, and that nothing of it stays behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.validate.conftest import FakeRemote, loaded_reading

from railbed.claims import Claim, Expectation, Judged, Verdict
from railbed.contract import Contract
from railbed.effects.scheduler import Scheduler
from railbed.laws.serving import Service
from railbed.run import Result
from railbed.validate import serving, serving_fleet, serving_programs
from railbed.validate.answers import Answers
from railbed.validate.scope import select
from railbed.validate.validation_run import ValidationRun

NODES = [f"h100-{at}" for at in range(4)]
ADDRESS = {name: f"10.90.0.{11 + at}" for at, name in enumerate(NODES)}
SERVICE = Service(
    gpus_per_replica=1, placed=[1, 1], requests_per_s=2.0, slots=8, input_length=64, output_length=32, ttft_ms=2000.0,
    tpot_ms=200.0, goodput_share=0.95, lost_nodes=1,
)  # fmt: skip
Found = dict[str, Judged]
Row = dict[str, Any]


def reach(unit: str, **more: Any) -> Expectation:
    return Expectation(unit=unit, basis="declared", derivation=["test"], **more)


CLAIMS = [
    Claim(id="inference.ttft", statement="", roles=[], expectation=reach("ms", expected=2000.0)),
    Claim(id="inference.tpot", statement="", roles=[], expectation=reach("ms", expected=200.0)),
    Claim(
        id="inference.goodput",
        statement="",
        roles=[],
        expectation=reach("of requests", floor=0.95, bound=1.0),
    ),
    Claim(id="inference.failover", statement="", roles=[]),
]


def row(**more: Any) -> Row:
    return {
        "due_s": 1.0,
        "late_s": 0.001,
        "tries": 1,
        "ok": True,
        "said": "",
        "ttft_s": 0.1,
        "tpot_s": 0.02,
        "stay_s": 1.0,
    } | more


class Listening(FakeRemote):
    """Keeps what commands were given on their standard input."""

    def run(self, node: str, command: Any, **more: Any) -> Result:
        line = command if isinstance(command, str) else " ".join(command)
        self.given = getattr(self, "given", [])
        self.given.append((node, line, more.get("stdin") or ""))
        return super().run(node, command, **more)


class Cluster:
    """Four nodes on which the reference service does what it is told here."""

    def __init__(self, contract: Contract, folder: Path) -> None:
        self.contract, self.folder = contract, folder
        self.rows: Callable[[int], list[Row]] = lambda _: [row() for _ in range(120)]
        """Number of the load → its requests."""
        self.broken = {"h100-1": 2}
        self.stopped = {"TERM": {"in_flight": 1, "left": 0}, "KILL": {"in_flight": 2, "left": 0}}
        self.states = dict.fromkeys(NODES, '{"index": 0, "pid": 4711, "port": 40001}\n')
        self.users_jobs = ""
        self.loads, self.jobs = 0, 100
        self.queue: dict[str, str] = {}
        self.client_status = 0
        self.remote: Any = None
        self.loaded = False

    def answer(self, node: str, line: str) -> Result:
        out, status = "", 0
        if line.startswith("scontrol show node"):
            out = "\n".join(f"NodeName={n} Gres=gpu:8 State=IDLE Partitions=batch" for n in NODES)
        elif line.startswith("scontrol show job"):
            out = "JobState=RUNNING"
        elif line.startswith("squeue"):
            out = "".join(self.queue.values()) + self.users_jobs
        elif line.startswith("sbatch"):
            self.jobs += 1
            where = line.partition("--nodelist=")[2].split(" ")[0]
            self.queue[str(self.jobs)] = (
                f"{self.jobs}|root|RUNNING|{where}|railbed validate|{serving_programs.NAME}\n"
            )
            out = str(self.jobs)
        elif line.startswith("scancel"):
            self.queue.pop(line.split()[-1])
        elif line.startswith("cat "):
            out = self.states[node]
        elif "serving_load.py" in line and "cat >" not in line:
            self.loads += 1
            status = self.client_status
            out = "" if status else self._printed(self.rows(self.loads))
        elif "--signal" in line:
            out = json.dumps(self.stopped["TERM" if "--signal TERM" in line else "KILL"])
        return Result((), status, out, "")

    def _printed(self, rows: list[Row]) -> str:
        zero = {"answered": 60, "refused": 0, "unavailable": 0, "stalled": 0, "port": 40001}
        last = [{"address": ADDRESS[name], "broken": self.broken.get(name, 0), **zero} for name in NODES[:2]]
        lines = [*rows, {"replicas": last, "sent": len(rows), "stopped": True}]
        return "".join(json.dumps(one) + "\n" for one in lines)

    def run(self, service: Service | None = SERVICE, *, scheduler: bool = True, nodes: int = 5) -> Found:
        kept = [
            one.model_copy(update={"gpus": 8}) if one.rails else one for one in self.contract.nodes[:nodes]
        ]
        made = self.contract.model_copy(update={"claims": CLAIMS, "serving": service, "nodes": kept})
        self.remote = Listening(made, self.answer)
        if self.loaded:
            self.remote.reading = loaded_reading
        scope = select(made)
        validation = ValidationRun(made, self.remote, scope, Answers(scope), self.folder, lambda _: None)
        validation.scheduler = Scheduler(self.remote) if scheduler else None
        serving.run(validation)
        return {one.claim: one for one in validation.answers.complete()}

    def started(self, words: str) -> list[str]:
        return [line for _, line in self.remote.commands if words in line and "cat >" not in line]


@pytest.fixture
def cluster(contract: Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(serving_fleet, "JOB_POLL_S", 0.001)
    monkeypatch.setattr("railbed.validate.validation_run.STEP_WAIT_S", 0.01)
    return Cluster(contract, tmp_path)


def verdicts(found: Found) -> set[Verdict]:
    return {one.verdict for one in found.values()}


def test_a_service_that_holds_its_goals_and_loses_nothing_passes(cluster: Cluster) -> None:
    found = cluster.run()
    assert verdicts(found) == {Verdict.PASS}, {one.claim: one.reason for one in found.values()}
    assert found["inference.ttft"].measured == pytest.approx(100) and found["inference.ttft"].unit == "ms"
    assert found["inference.goodput"].measured == 1.0
    assert found["inference.failover"].detail["broken_off"] == {"h100-0": 0, "h100-1": 2}
    assert found["inference.failover"].detail["client"] == "h100-2"
    jobs = cluster.started("sbatch")
    assert len(jobs) == 3, "two replicas, and the drained one again"
    assert all("--exclusive" in one and "--comment=railbed validate" in one for one in jobs)
    steps = cluster.started("serving_load.py")
    assert len(steps) == 2 and all("srun" in one and "--nodelist=h100-2" in one for one in steps)
    assert (cluster.folder / found["inference.ttft"].evidence).read_text().count('"due_s"') == 120


def test_the_token_is_in_no_command_line_and_nothing_stays_behind(cluster: Cluster) -> None:
    cluster.run()
    (token,) = {
        text for _, line, text in cluster.remote.given if line.endswith(serving_programs.TOKEN) and text
    }
    assert len(token) == 64
    assert not [line for _, line, _ in cluster.remote.given if token in line]
    assert not [text for _, line, text in cluster.remote.given if token in text and "cat >" not in line]
    assert cluster.queue == {}
    removed = {node for node, line in cluster.remote.commands if line == f"rm -rf {serving_programs.FOLDER}"}
    assert removed == {"h100-0", "h100-1", "h100-2"}


def test_the_drained_one_comes_back_on_its_port(cluster: Cluster) -> None:
    cluster.run()
    scripts = [text for _, line, text in cluster.remote.given if line.startswith("sbatch")]
    assert ["for port in 0;" in one for one in scripts] == [True, True, False]
    assert "for port in 40001;" in scripts[2] and "--address 10.90.0.11" in scripts[2]


@pytest.mark.refutes("inference.ttft")
@pytest.mark.refutes("inference.goodput")
def test_slow_first_tokens_fail_when_two_loads_have_them(cluster: Cluster) -> None:
    cluster.rows = lambda _: [row(ttft_s=2.5 if at % 10 == 0 else 0.1) for at in range(120)]
    found = cluster.run()
    wrong = [name for name, one in found.items() if one.verdict is Verdict.FAIL]
    assert wrong == ["inference.ttft", "inference.goodput"]
    assert found["inference.ttft"].measured == pytest.approx(2500)
    assert found["inference.goodput"].measured == pytest.approx(0.9)
    assert found["inference.ttft"].detail["parts"] == ["service"]
    assert cluster.loads == serving.TRIES + 1


def test_one_bad_load_is_not_held_against_it(cluster: Cluster) -> None:
    cluster.rows = lambda number: [row(ttft_s=2.5 if number == 1 else 0.1) for _ in range(120)]
    assert verdicts(cluster.run()) == {Verdict.PASS}


@pytest.mark.refutes("inference.tpot")
def test_slow_tokens_fail(cluster: Cluster) -> None:
    cluster.rows = lambda _: [row(tpot_s=0.3 if at < 3 else 0.02) for at in range(120)]
    found = cluster.run()
    assert [name for name, one in found.items() if one.verdict is Verdict.FAIL] == ["inference.tpot"]


def test_on_busy_nodes_a_missed_goal_proves_nothing(cluster: Cluster) -> None:
    cluster.loaded = True
    cluster.rows = lambda _: [row(ttft_s=2.5) for _ in range(120)]
    found = cluster.run()
    assert (
        found["inference.ttft"].verdict is Verdict.UNPROVEN
        and "conditions:" in found["inference.ttft"].reason
    )
    assert found["inference.tpot"].verdict is Verdict.PASS


@pytest.mark.refutes("inference.failover")
def test_a_request_that_nobody_answered_fails(cluster: Cluster) -> None:
    lost = row(ok=False, said="the answer broke off", ttft_s=None, tpot_s=None, stay_s=None, tries=40)
    cluster.rows = lambda number: [*[row() for _ in range(60)], *([lost] if number == 2 else [])]
    found = cluster.run()
    assert found["inference.failover"].verdict is Verdict.FAIL and found["inference.failover"].measured == 1.0
    assert found["inference.goodput"].verdict is Verdict.PASS


def test_a_drain_that_breaks_answers_off_fails(cluster: Cluster) -> None:
    cluster.broken = {"h100-0": 1, "h100-1": 1}
    found = cluster.run()["inference.failover"]
    assert found.verdict is Verdict.FAIL and "h100-0 was told to end" in found.reason


@pytest.mark.parametrize("how", ["TERM", "KILL"])
def test_with_nothing_in_flight_failover_is_open(cluster: Cluster, how: str) -> None:
    cluster.stopped[how] = {"in_flight": 0, "left": 0}
    found = cluster.run()["inference.failover"]
    assert found.verdict is Verdict.UNPROVEN and "nothing was in flight" in found.reason


def test_replicas_that_do_not_start_leave_all_open_and_are_ended(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(serving_programs.READY_S, "cpu", 0.01)
    cluster.states["h100-1"] = ""
    found = cluster.run()
    assert verdicts(found) == {Verdict.UNPROVEN}
    assert "0 of 1 replicas on h100-1 served within" in found["inference.ttft"].reason
    assert cluster.queue == {} and cluster.loads == 0


def test_a_client_that_died_leaves_its_claims_open_and_the_service_is_ended(cluster: Cluster) -> None:
    cluster.client_status = 1
    found = cluster.run()
    assert verdicts(found) == {Verdict.UNPROVEN} and "the load client" in found["inference.tpot"].reason
    assert cluster.queue == {}


def test_a_user_s_job_keeps_its_nodes_and_the_claims_are_open(cluster: Cluster) -> None:
    cluster.users_jobs = "7|ada|RUNNING|h100-[0-2]||train\n"
    found = cluster.run()
    assert (
        verdicts(found) == {Verdict.UNPROVEN}
        and "blocked by job 7 of ada" in found["inference.failover"].reason
    )
    assert not cluster.started("sbatch") and not cluster.started("scancel")


def test_jobs_that_a_killed_run_left_are_ended_first(cluster: Cluster) -> None:
    cluster.queue["55"] = f"55|root|RUNNING|h100-0|railbed validate|{serving_programs.NAME}\n"
    assert verdicts(cluster.run()) == {Verdict.PASS}
    assert cluster.queue == {}


def test_without_another_node_the_load_comes_from_the_controller(cluster: Cluster) -> None:
    found = cluster.run(nodes=3)
    assert verdicts(found) == {Verdict.PASS} and found["inference.ttft"].detail["client"] == "ctl0"
    assert not [one for one in cluster.started("serving_load.py") if "srun" in one]


@pytest.mark.parametrize(("service", "scheduler"), [(SERVICE, False), (None, True)])
def test_what_cannot_be_asked_says_so(cluster: Cluster, service: Service | None, scheduler: bool) -> None:
    found = cluster.run(service, scheduler=scheduler)
    assert verdicts(found) == {Verdict.UNPROVEN} and not cluster.started("sbatch")


def test_a_load_has_a_hundred_requests_and_a_minute_where_the_rate_allows() -> None:
    def of(rate: float) -> int:
        return serving_programs.count(SERVICE.model_copy(update={"requests_per_s": rate}))

    assert (of(2.0), of(1.0), of(100.0), of(0.01)) == (120, 100, 6000, 6)
