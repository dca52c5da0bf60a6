"""The stage of small fine-tuning jobs: what is submitted where, what results come to, and that nothing is left behind."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from tests.unit.validate.conftest import loaded_reading

from railbed.claims import Claim, Expectation, Judged, Verdict
from railbed.contract import Contract, FineTuning
from railbed.effects.scheduler import Scheduler
from railbed.errors import CommandError
from railbed.run import Result
from railbed.validate import finetuning, finetuning_program
from railbed.validate.answers import Answers
from railbed.validate.scope import select
from railbed.validate.validation_run import ValidationRun

NODES = [f"h100-{at}" for at in range(4)]
SIZE = 64_000_000
FIRST, STEP, LOAD, DEVICES = (
    f"finetuning.{one}" for one in ("first_step", "step_time", "model_load", "devices")
)
Found = dict[str, Judged]


def claims(*, gpus: bool) -> list[Claim]:
    def reach(unit: str, **more: Any) -> Expectation:
        return Expectation(unit=unit, derivation=["test"], **more)

    rows = {
        FIRST: reach("s", expected=60.0, basis="declared"),
        STEP: reach("tokens/s", basis="none") if gpus else reach("tokens/s", floor=1.0, basis="declared"),
        LOAD: reach("GB/s", floor=0.04, basis="declared"),
        DEVICES: reach("GPUs", expected=4, floor=4, basis="derived"),
    }
    return [Claim(id=name, statement="", roles=[], expectation=one) for name, one in rows.items()]


class Cluster:
    """Four nodes, three of them compute nodes, whose jobs leave what ``change`` makes of a good result."""

    def __init__(self, contract: Contract, fake_remote: Any, folder: Path) -> None:
        self.contract, self.fake_remote, self.folder = contract, fake_remote, folder
        self.change: dict[int, dict[str, Any]] = {}
        self.absent: set[int] = set()
        """Jobs that leave no result."""
        self.running: set[str] = set()
        """Numbers of jobs that do not end."""
        self.lost: set[int] = set()
        """Jobs whose submission has no answer, though Slurm took them."""
        self.refused: set[int] = set()
        self.others = ""
        self.no_room = False
        self.reading: Any = None
        self.submitted: dict[int, tuple[str, list[str], float]] = {}
        self.commands: list[tuple[str, str]] = []
        self.gpus = False

    def answer(self, node: str, line: str) -> Result:
        ok = ""
        if line.startswith("scontrol show node"):
            ok = "\n".join(f"NodeName={n} Gres=gpu:8 State=IDLE Partitions=batch" for n in NODES)
        elif line.startswith("squeue"):
            mine = [
                f"{100 + at}|root|PENDING||railbed validate|{self.name(at)}"
                for at in self.submitted
                if str(100 + at) in self.running
            ]
            ok = "\n".join([*mine, self.others])
        elif line.startswith("df "):
            ok = f"Avail\n{1000 if self.no_room else 10**12}\n"
        elif line.startswith("scancel"):
            self.running.discard(line.split()[-1])
        elif line.startswith("sbatch"):
            return self._submit(line)
        elif "result-*" in line:
            ok = "\n".join(
                json.dumps(one) for at in self.submitted if at not in self.absent for one in self._ranks(at)
            )
        elif line.startswith("tail"):
            ok = "Traceback (most recent call last):\nModuleNotFoundError: No module named 'torch'\n"
        return Result((), 0, ok, "")

    def _submit(self, line: str) -> Result:
        found = re.search(r"/job-(\d+)\.out", line)
        assert found
        job = int(found[1])
        if job in self.refused:
            return Result(
                (), 1, "", "sbatch: error: Batch job submission failed: Requested node configuration\n"
            )
        nodes = line.partition("--nodelist=")[2].split(" ")[0].split(",")
        self.submitted[job] = (line, nodes, time.time())
        return Result((), 255, "", "ssh: lost") if job in self.lost else Result((), 0, f"{100 + job}\n", "")

    def name(self, job: int) -> str:
        return self.submitted[job][0].partition("--job-name=")[2].split(" ")[0]

    def _ranks(self, job: int) -> list[dict[str, Any]]:
        line, nodes, since = self.submitted[job]
        each = int(line.partition("--ntasks-per-node=")[2].split(" ")[0])
        ranks = []
        for rank in range(each * len(nodes)):
            first = rank % each == 0
            slot = sum(1 for at, one in self.submitted.items() if at < job and one[1] == nodes)
            good = {
                "job": job, "rank": rank, "node": nodes[rank // each], "first_step": since + 20 + job, "step_s": 0.01,
                "tokens": 128, "losses": [6.5, 3.3], "devices": list(range(4 * slot, 4 * slot + 4)) if self.gpus else [],
                "torch": "2.15",
            }  # fmt: skip
            if first:
                good |= {
                    "together": True,
                    "read_begin": since + 5.0,
                    "read_end": since + 5.5,
                    "read_bytes": SIZE,
                    "direct": True,
                }
            ranks.append({**good, **self.change.get(job, {})})
        return ranks

    def run(self, *, gpus: bool = False, wanted: FineTuning | None = None) -> Found:
        wanted = wanted or FineTuning(gpus=4, jobs=5, filesystem="scratch", model_bytes=SIZE)
        self.gpus = gpus
        changes: dict[str, Any] = {"claims": claims(gpus=gpus), "finetuning": wanted}
        if gpus:
            machine = {"stands_for": "", "collective_ranks_per_node": 8, "trains_on": "cuda"}
            changes["machines"] = [self.contract.machines[0].model_copy(update=machine)]
        made = self.contract.model_copy(update=changes)
        remote = self.fake_remote(self.answer)
        if self.reading:
            remote.reading = self.reading
        self.commands = remote.commands
        scope = select(made)
        self.validation = ValidationRun(
            made, remote, scope, Answers(scope), self.folder, lambda _: None, stack_id="ab12"
        )
        self.validation.scheduler = Scheduler(remote)
        finetuning.run(self.validation)
        return {one.claim: one for one in self.validation.answers.complete()}

    @property
    def folders(self) -> tuple[set[str], set[str]]:
        """Those that were made, and those that were removed."""
        lines = [line for _, line in self.commands]
        made = {line.split()[2] for line in lines if line.startswith("mkdir -p")}
        return made, {line.split()[-1] for line in lines if line.startswith("rm -rf")}


@pytest.fixture
def cluster(contract: Contract, fake_remote: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(finetuning, "JOB_POLL_S", 0.001)
    monkeypatch.setattr(finetuning, "STEP_WAIT_S", 0.01)
    return Cluster(contract, fake_remote, tmp_path)


def test_jobs_at_once_answer_all_of_it(cluster: Cluster) -> None:
    found = cluster.run(gpus=True)
    assert {one.verdict for one in found.values()} == {Verdict.PASS}, [one.reason for one in found.values()]
    assert found[FIRST].measured == pytest.approx(24, abs=1.0)
    assert found[STEP].measured == pytest.approx(12_800) and "none is an outlier" in found[STEP].reason
    assert "O_DIRECT" in found[LOAD].reason
    lines = {at: line for at, (line, _, _) in cluster.submitted.items()}
    assert len(lines) == 5 and [cluster.submitted[at][1] for at in range(5)] == [
        ["h100-0"], ["h100-1"], ["h100-2"], ["h100-0"], ["h100-1"],
    ]  # fmt: skip
    assert all("--gpus-per-node=4" in one and "--comment=railbed validate" in one for one in lines.values())
    made, gone = cluster.folders
    assert len(made) == 1 and made == gone and next(iter(made)).startswith("/scratch/.railbed-job-ab12-")
    kept = json.loads((cluster.folder / found[FIRST].evidence).read_text())
    assert kept["jobs"] == {str(at): str(100 + at) for at in range(5)} and len(kept["ranks"]) == 20


def test_the_lab_has_one_rank_a_job_and_a_floor_that_shows_it_computed(cluster: Cluster) -> None:
    found = cluster.run()
    assert "--ntasks-per-node=1" in cluster.submitted[0][0]
    assert {found[one].verdict for one in (FIRST, STEP, LOAD)} == {Verdict.PASS}
    assert "floor of 1" in found[STEP].reason


@pytest.mark.refutes("finetuning.first_step")
def test_a_job_later_than_the_goal_fails(cluster: Cluster) -> None:
    cluster.change[3] = {"first_step": time.time() + 90}
    found = cluster.run(gpus=True)
    assert found[FIRST].verdict is Verdict.FAIL
    assert "1 of them later than the goal of 60 s" in found[FIRST].reason
    assert found[STEP].verdict is Verdict.PASS


@pytest.mark.refutes("finetuning.step_time")
def test_a_job_slower_than_its_siblings_names_its_node(cluster: Cluster) -> None:
    cluster.change[2] = {"step_s": 0.02}
    found = cluster.run(gpus=True)
    assert found[STEP].verdict is Verdict.FAIL and found[STEP].detail["guilty"] == [["h100-2", "gpus"]]
    assert "50.0% below the median" in found[STEP].reason


@pytest.mark.parametrize("losses", [[6.5, 6.6], [6.5, None]])
@pytest.mark.refutes("finetuning.step_time")
def test_a_job_that_does_not_learn_fails_under_any_conditions(cluster: Cluster, losses: list[Any]) -> None:
    cluster.change[1] = {"losses": losses}
    cluster.reading = loaded_reading
    found = cluster.run()
    assert found[STEP].verdict is Verdict.FAIL and found[STEP].detail["guilty"] == [["h100-1", "gpus"]]


def test_fewer_than_five_jobs_on_gpus_prove_no_rate(cluster: Cluster) -> None:
    found = cluster.run(gpus=True, wanted=FineTuning(gpus=4, jobs=4, filesystem="scratch", model_bytes=SIZE))
    assert found[STEP].verdict is Verdict.UNPROVEN and "nobody published" in found[STEP].reason
    assert found[STEP].measured == pytest.approx(12_800)


@pytest.mark.refutes("finetuning.model_load")
def test_a_slow_load_fails(cluster: Cluster) -> None:
    cluster.change[0] = {"read_end": time.time() + 20}
    found = cluster.run()
    assert found[LOAD].verdict is Verdict.FAIL and "below the floor of 0.04" in found[LOAD].reason


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"together": False}, "did not begin with the others"),
        ({"read_bytes": SIZE - 1}, "did not read the whole"),
        ({"direct": False}, "may have read its cache"),
    ],
)
def test_a_load_that_was_no_load_of_all_at_once_proves_nothing(
    cluster: Cluster, change: dict[str, Any], words: str
) -> None:
    cluster.change[0] = change
    found = cluster.run()
    assert found[LOAD].verdict is Verdict.UNPROVEN and words in found[LOAD].reason
    assert found[FIRST].verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("devices", "words"),
    [([0, 1, 2, 3, 4], "opens 5 GPUs and has 4"), ([4, 5, 6, 7], "open the same GPU")],
)
@pytest.mark.refutes("finetuning.devices")
def test_another_job_s_gpu_fails(cluster: Cluster, devices: list[int], words: str) -> None:
    cluster.change[0] = {"devices": devices}
    found = cluster.run(gpus=True)
    assert found[DEVICES].verdict is Verdict.FAIL and words in found[DEVICES].reason
    assert ["h100-0", "scheduler"] in found[DEVICES].detail["guilty"]


def test_without_device_files_nothing_is_shown(cluster: Cluster) -> None:
    cluster.change[0] = {"devices": []}
    assert cluster.run(gpus=True)[DEVICES].verdict is Verdict.UNPROVEN


def test_busy_nodes_prove_nothing_slow_and_are_tried_again(cluster: Cluster) -> None:
    cluster.reading = loaded_reading
    cluster.change[3] = {"first_step": time.time() + 90}
    found = cluster.run()
    assert found[FIRST].verdict is Verdict.UNPROVEN and found[FIRST].reason.startswith("conditions: ")
    assert found[LOAD].verdict is Verdict.PASS
    made, gone = cluster.folders
    assert len(made) > 1 and made == gone


def test_a_user_s_job_that_began_beside_them_is_a_condition(cluster: Cluster) -> None:
    cluster.change[3] = {"first_step": time.time() + 90}
    jobs = finetuning_program.batch

    def batch(*given: Any, **more: Any) -> Any:
        cluster.others = "7|eve|RUNNING|h100-2|(null)|train"
        return jobs(*given, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finetuning_program, "batch", batch)
        found = cluster.run()
    assert found[FIRST].verdict is Verdict.UNPROVEN and "job 7 of eve ran beside them" in found[FIRST].reason
    assert not [line for _, line in cluster.commands if line.startswith("scancel")]


def test_a_node_with_a_job_is_left_alone(cluster: Cluster) -> None:
    cluster.others = "\n".join(f"{at}|eve|RUNNING|h100-{at}|(null)|train" for at in (1, 2))
    found = cluster.run()
    assert {one.verdict for one in found.values()} == {Verdict.UNPROVEN}
    assert "blocked by job 1 of eve" in found[FIRST].reason and not cluster.submitted


def test_a_job_that_died_leaves_its_claims_open_with_its_last_words(cluster: Cluster) -> None:
    cluster.absent = {2}
    found = cluster.run()
    assert {one.verdict for one in found.values()} == {Verdict.UNPROVEN}
    assert (
        "1 of 5 jobs gave no result" in found[FIRST].reason
        and "No module named 'torch'" in found[FIRST].reason
    )


def test_a_job_that_never_starts_fails_the_goal_and_is_ended(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.absent = {4}
    cluster.running = {"104"}
    monkeypatch.setattr(finetuning_program.Work, "limit_s", property(lambda _: 0.05))
    goal = claims(gpus=False)[0].model_copy(
        update={"expectation": Expectation(unit="s", expected=0.01, basis="declared", derivation=["test"])}
    )
    monkeypatch.setattr(f"{__name__}.claims", lambda *, gpus: [goal])
    found = cluster.run()
    assert found[FIRST].verdict is Verdict.FAIL and "job 4" in found[FIRST].reason
    assert [line for _, line in cluster.commands if line.startswith("scancel")] == [
        f"scancel --name={cluster.name(4)} 104"
    ]
    made, gone = cluster.folders
    assert made == gone


@pytest.mark.parametrize("how", ["refused", "lost"])
def test_a_submission_that_fails_leaves_no_job_and_no_file(cluster: Cluster, how: str) -> None:
    """Also not the one that Slurm took and whose number nobody heard."""
    setattr(cluster, how, {3})
    cluster.running = {"101", "103"}
    with pytest.raises(CommandError):
        cluster.run()
    ended = {line.split()[-1] for _, line in cluster.commands if line.startswith("scancel")}
    assert ended == ({"101"} if how == "refused" else {"101", "103"})
    made, gone = cluster.folders
    assert len(made) == 1 and made == gone


def test_rounds_have_names_of_their_own(cluster: Cluster) -> None:
    cluster.run()
    first = cluster.name(0)
    assert {cluster.name(at) for at in cluster.submitted} == {first}
    cluster.run()
    assert cluster.name(0) != first and first.startswith(finetuning_program.NAME)


def test_a_filesystem_without_room_is_not_filled(cluster: Cluster) -> None:
    cluster.no_room = True
    found = cluster.run()
    assert "does not fit well" in found[LOAD].reason and not cluster.submitted and not cluster.folders[0]


def test_a_job_of_several_nodes_takes_them_whole(cluster: Cluster) -> None:
    found = cluster.run(gpus=True, wanted=FineTuning(gpus=16, jobs=1, filesystem="scratch", model_bytes=SIZE))
    assert cluster.submitted[0][1] == ["h100-0", "h100-1"]
    assert "--nodes=2" in cluster.submitted[0][0] and "--gpus-per-node=8" in cluster.submitted[0][0]
    assert found[LOAD].verdict is Verdict.PASS and "2 reads" in found[LOAD].reason


def test_a_contract_of_before_says_what_it_lacks(cluster: Cluster, fake_remote: Any) -> None:
    made = cluster.contract.model_copy(update={"claims": claims(gpus=False)})
    scope = select(made)
    for scheduler, words in ((False, "no scheduler answers"), (True, "`railbed up` makes it anew")):
        remote = fake_remote(cluster.answer)
        validation = ValidationRun(made, remote, scope, Answers(scope), cluster.folder, lambda _: None)
        validation.scheduler = Scheduler(remote) if scheduler else None
        finetuning.run(validation)
        assert all(words in one.reason for one in validation.answers.complete())
