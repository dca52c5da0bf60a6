"""The stage of scientific programs: what is started where, and what outputs come to. Outputs are hpcc's and NVIDIA's own, with
other numbers put in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from railbed.claims import Claim, Expectation, Judged, Verdict
from railbed.contract import Contract
from railbed.contract.parts import ContainerImage
from railbed.defaults import COLLECTIVE_TRIES
from railbed.effects.scheduler import Scheduler
from railbed.run import Result
from railbed.validate import science
from railbed.validate.answers import Answers
from railbed.validate.scope import select
from railbed.validate.validation_run import ValidationRun

DATA = Path(__file__).parents[1] / "data/parse/hpl"
HPCC, NVIDIA = (DATA / "hpcc-two-ranks.txt").read_text(), (DATA / "nvidia-gh200.txt").read_text()
NODES = [f"h100-{at}" for at in range(4)]
IMAGE = ContainerImage(path="/scratch/images/hpc.sqsh", sha256="5e" * 32)
Found = dict[tuple[str, str], Judged]


def reach(unit: str, floor: float | None, basis: Any = "declared", **more: Any) -> Expectation:
    return Expectation(unit=unit, floor=floor, basis=basis, derivation=["test"], **more)


def claims(hpl_floor: float, size: int) -> list[Claim]:
    roles, rate = ["compute", "spare"], reach("TFLOPS", hpl_floor, size_bytes=size)
    return [
        Claim(id="science.hpl", statement="", roles=roles, expectation=rate),
        Claim(id="science.hpl@2", statement="", roles=[], expectation=rate),
        Claim(id="science.stream", statement="", roles=roles, expectation=reach("GB/s", 0.01)),
        Claim(id="science.repeatable", statement="", roles=roles),
        Claim(id="science.mpi_latency", statement="", roles=[], expectation=reach("us", None, "data")),
        Claim(id="science.mpi_bandwidth", statement="", roles=[], expectation=reach("GB/s", 0.0062)),
    ]


class Cluster:
    """Four nodes whose programs print what is put into ``text``."""

    def __init__(self, contract: Contract, fake_remote: Any, folder: Path) -> None:
        self.contract, self.fake_remote, self.folder = contract, fake_remote, folder
        self.text: dict[str, list[tuple[str, str]]] = {}
        """Node → replacements in what it prints, by itself or as the first of several."""
        self.code: dict[str, tuple[int, str]] = {}
        self.sha256 = IMAGE.sha256
        self.starts: list[str] = []
        self.inputs: list[tuple[int, int, int]] = []

    def _answer(self, node: str, line: str) -> Result:
        if line.startswith("scontrol show node"):
            shown = "\n".join(f"NodeName={n} Gres=gpu:8 State=IDLE Partitions=batch" for n in NODES)
            return Result((), 0, shown, "")
        if "sha256sum" in line:
            return Result((), 0, f"{self.sha256}  {IMAGE.path}\n", "")
        if "railbed-science" not in line:
            return Result((), 0, "", "")
        self.starts.append(line)
        nodes = line.partition("--nodelist=")[2].split(" ")[0].split(",")
        if nodes[0] in self.code:
            status, said = self.code[nodes[0]]
            return Result((), status, "", said)
        n, p, q = (int(re.search(rf"(\d+) +{name}s\n", line)[1]) for name in ("N", "P", "Q"))  # type: ignore[index]
        self.inputs.append((n, p, q))
        if "hpl.sh" in line:
            text = NVIDIA.replace("299008  1024     2     4", f"{n}  1024     {p}     {q}")
        else:
            text = HPCC.replace("200    80     1     2", f"{n}    64     {p}     {q}")
        for old, new in self.text.get(nodes[0] if len(nodes) == 1 else "together", []):
            assert old in text
            text = text.replace(old, new)
        return Result((), 0, text, "")

    def run(
        self, *, gpus: bool = False, hpl_floor: float = 1e-6, known: list[Claim] | None = None,
        only: tuple[str, ...] = (),
    ) -> Found:  # fmt: skip
        size = int(8 * 80e9 * 0.8) if gpus else 640 * 640 * 8
        nodes = [n.model_copy(update={"gpus": 8}) if n.rails else n for n in self.contract.nodes]
        changes: dict[str, Any] = {"claims": known or claims(hpl_floor, size), "nodes": nodes}
        if gpus:
            machine = self.contract.machines[0].model_copy(
                update={"stands_for": "", "collective_ranks_per_node": 8, "trains_on": "cuda"}
            )
            software = self.contract.software.model_copy(update={"hpc_benchmarks": IMAGE})
            changes |= {"machines": [machine], "software": software}
        made = self.contract.model_copy(update=changes)
        remote = self.fake_remote(self._answer)
        scope = select(made, only=only)
        validation = ValidationRun(made, remote, scope, Answers(scope), self.folder, lambda _: None)
        validation.scheduler = Scheduler(remote)
        science.run(validation)
        return {(one.claim, one.node): one for one in validation.answers.complete()}


@pytest.fixture
def cluster(contract: Contract, fake_remote: Any, tmp_path: Path) -> Cluster:
    return Cluster(contract, fake_remote, tmp_path)


def test_stand_ins_answer_all_of_it_with_hpcc(cluster: Cluster) -> None:
    found = cluster.run()
    assert {one.verdict for one in found.values()} == {Verdict.PASS}
    assert len(cluster.starts) == 2 * 4 + 1, "each node twice by itself, and two together"
    alone, together = cluster.starts[0], cluster.starts[-1]
    assert (
        "--mpi=pmix" in alone
        and "--exclusive" in alone
        and "--nodes=1" in alone
        and " sh -s hpccinf.txt" in alone
    )
    assert "--nodes=2" in together and " sh -s hpccinf.txt" in together and together.endswith(" hpcc")
    assert cluster.inputs[0] == (640, 1, 1) and cluster.inputs[-1] == (640, 1, 2)
    assert found["science.mpi_bandwidth", ""].measured == 18.949
    assert (cluster.folder / found["science.hpl", "h100-2"].evidence).read_text().count(
        "End of HPC Challenge"
    ) == 2


@pytest.mark.refutes("science.hpl")
@pytest.mark.refutes("science.repeatable")
def test_a_wrong_solution_fails_its_node_alone(cluster: Cluster) -> None:
    cluster.text["h100-1"] = [("0.0102982 ...... PASSED", "9183.1 ...... FAILED")]
    found = cluster.run()
    wrong = [key for key, one in found.items() if one.verdict is Verdict.FAIL]
    assert wrong == [("science.hpl", "h100-1"), ("science.repeatable", "h100-1")]
    assert "the solution is wrong" in found["science.hpl", "h100-1"].reason
    assert found["science.repeatable", "h100-1"].detail["parts"] == ["results"]


def test_a_node_whose_digits_are_others_fails(cluster: Cluster) -> None:
    cluster.text["h100-3"] = [("HPL_RnormI=3.2685e-13", "HPL_RnormI=3.2699e-13")]
    found = cluster.run()
    assert [k for k, one in found.items() if one.verdict is Verdict.FAIL] == [
        ("science.repeatable", "h100-3")
    ]
    assert "another result than 3 of 4 nodes" in found["science.repeatable", "h100-3"].reason


@pytest.mark.refutes("science.mpi_bandwidth")
@pytest.mark.refutes("science.hpl@{nodes}")
def test_mpi_over_another_network_fails_after_its_tries(cluster: Cluster) -> None:
    cluster.text["together"] = [
        ("MinPingPongBandwidth_GBytes=18.949", "MinPingPongBandwidth_GBytes=0.003"),
        ("0.0102982 ...... PASSED", "1e4 ...... FAILED"),
    ]
    found = cluster.run()
    assert found["science.mpi_bandwidth", ""].verdict is Verdict.FAIL
    assert (
        "0.003 GB/s between the slowest pair, below the floor of 0.0062"
        in found["science.mpi_bandwidth", ""].reason
    )
    assert found["science.hpl@2", ""].verdict is Verdict.FAIL
    assert found["science.mpi_latency", ""].verdict is Verdict.PASS
    assert len(cluster.starts) == 2 * 4 + COLLECTIVE_TRIES


@pytest.mark.refutes("science.mpi_latency")
def test_latency_above_its_limit_fails(cluster: Cluster) -> None:
    limit = Expectation(unit="us", expected=10.0, basis="declared", derivation=["test"])
    cluster.text["together"] = [("MaxPingPongLatency_usec=0.327685", "MaxPingPongLatency_usec=41.5")]
    found = cluster.run(known=[Claim(id="science.mpi_latency", statement="", roles=[], expectation=limit)])
    assert found["science.mpi_latency", ""].verdict is Verdict.FAIL
    assert len(cluster.starts) == 1, "nothing else was asked"


@pytest.mark.refutes("science.stream")
def test_a_rate_of_memory_below_its_floor_fails(cluster: Cluster) -> None:
    cluster.text["h100-0"] = [("StarSTREAM_Triad=55.6079", "StarSTREAM_Triad=0.001")]
    found = cluster.run()
    assert [k for k, one in found.items() if one.verdict is Verdict.FAIL] == [("science.stream", "h100-0")]
    assert found["science.stream", "h100-0"].detail["parts"] == ["memory"]


def test_a_program_that_died_leaves_its_claims_open(cluster: Cluster) -> None:
    cluster.code["h100-2"] = (1, "slurmstepd: error: execve(): hpcc: No such file or directory\n")
    found = cluster.run()
    open_ones = [one for (_, node), one in found.items() if node == "h100-2"]
    assert {one.verdict for one in open_ones} == {Verdict.UNPROVEN} and len(open_ones) == 3
    assert open_ones[0].reason == "hpcc is not installed on h100-2"
    assert found["science.hpl", "h100-0"].verdict is Verdict.PASS


def test_gpus_solve_theirs_in_the_image(cluster: Cluster) -> None:
    cluster.contract = cluster.contract.model_copy()
    found = cluster.run(gpus=True, hpl_floor=300.0)
    assert found["science.hpl", "h100-0"].verdict is Verdict.PASS
    assert found["science.hpl", "h100-0"].measured == pytest.approx(337.0)
    assert found["science.hpl@2", ""].verdict is Verdict.PASS
    images = [line for line in cluster.starts if "hpl.sh" in line]
    assert len(images) == 4 + 1 and all(f"--container-image={IMAGE.path}" in line for line in images)
    assert all("HPL_EMULATE_DOUBLE_PRECISION=0" in line and "--ntasks-per-node=8" in line for line in images)
    n, p, q = next(one for one, line in zip(cluster.inputs, cluster.starts, strict=True) if "hpl.sh" in line)
    assert n % 1024 == 0 and 250_000 < n < 264_192 and (p, q) == (2, 4)


def test_a_slow_node_is_tried_again_and_named(cluster: Cluster) -> None:
    cluster.text["h100-1"] = [("3.370e+05", "2.900e+05")]
    known = [one for one in claims(329.0, int(8 * 80e9 * 0.8)) if one.id == "science.hpl"]
    found = cluster.run(gpus=True, known=known)
    assert [k for k, one in found.items() if one.verdict is Verdict.FAIL] == [("science.hpl", "h100-1")]
    assert found["science.hpl", "h100-1"].detail["parts"] == ["gpus"]
    again = [line for line in cluster.starts if "--nodelist=h100-1 " in line]
    assert len(again) == COLLECTIVE_TRIES and len(cluster.starts) == 3 + COLLECTIVE_TRIES


def test_another_image_is_not_started(cluster: Cluster) -> None:
    cluster.sha256 = "00" * 32
    found = cluster.run(gpus=True)
    assert found["science.hpl", "h100-0"].verdict is Verdict.UNPROVEN
    assert "not the spec's image" in found["science.hpl", "h100-0"].reason
    assert found["science.hpl@2", ""].verdict is Verdict.UNPROVEN
    assert not [line for line in cluster.starts if "hpl.sh" in line]


def test_without_a_scheduler_it_says_so(cluster: Cluster, fake_remote: Any) -> None:
    made = cluster.contract.model_copy(update={"claims": claims(1e-6, 8)})
    scope = select(made)
    answers = Answers(scope)
    science.run(
        ValidationRun(made, fake_remote(cluster._answer), scope, answers, cluster.folder, lambda _: None)
    )
    assert {one.reason for one in answers.complete()} == {"blocked: no scheduler answers"}


def test_a_node_alone_is_compared_with_the_last_whole_run(cluster: Cluster) -> None:
    """A repair validates one node: without peers it would never be given back."""
    root = cluster.folder
    alone = cluster.run(only=("h100-1",))["science.repeatable", "h100-1"]
    assert alone.verdict is Verdict.UNPROVEN and "no other node" in alone.reason
    cluster.folder = root / "whole"
    cluster.run()
    (root / "latest-full").symlink_to("whole")
    cluster.folder = root / "after"
    found = cluster.run(only=("h100-1",))
    assert found["science.repeatable", "h100-1"].verdict is Verdict.PASS
    assert not [key for key in found if key[1] not in ("h100-1", "")]
    cluster.text["h100-1"] = [("HPL_Xnorm1=1401.08", "HPL_Xnorm1=1401.09")]
    assert cluster.run(only=("h100-1",))["science.repeatable", "h100-1"].verdict is Verdict.FAIL
    (root / "whole/evidence/science/lab-rail8.json").write_text('{"h100-0": 3, "h100-2": {"n": "x"}}')
    assert cluster.run(only=("h100-1",))["science.repeatable", "h100-1"].verdict is Verdict.UNPROVEN
