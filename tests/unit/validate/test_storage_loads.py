"""Random reads and writes, and files, of all clients at once: a slow client, a full filesystem, and fio that fails in every way.

What fio prints is recorded (`tests/unit/data/parse/fio/README.md`); a client's rate is that of the recording times a factor.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.validate.conftest import FakeRemote, loaded_reading
from tests.unit.validate.test_storage import NODES, SILENT, Cluster

from railbed.catalog import load_filesystem
from railbed.claims import Claim, Judged, Verdict, expectations
from railbed.contract import Contract
from railbed.run import TIMED_OUT, Result
from railbed.validate import fio
from railbed.validate.validation_run import ValidationRun

DATA = Path(__file__).parent.parent / "data" / "parse" / "fio"
RANDOM, METADATA = "storage.random", "storage.metadata"
OFFER = load_filesystem("lab/moosefs")
FULL = (DATA / "tmpfs-full.json").read_text()
QUOTA = FULL.replace('"error" : 28', '"error" : 122').replace(
    "No space left on device", "Disk quota exceeded"
)
"""Built: the document of a full filesystem with the number and words of EDQUOT (errno(3))."""
MISSING = "timeout: failed to run command ‘fio’: No such file or directory\n"


def document(job: str, factor: float) -> str:
    """The recorded answer to a job file."""
    verb = next(one for one in ("create", "stat", "delete", "write") if f"[{one}]" in job)
    found = json.loads((DATA / f"moosefs-{'random' if verb == 'write' else verb}.json").read_text())
    for one in found["jobs"]:
        for way in ("read", "write"):
            one[way]["iops"] *= factor
    return json.dumps(found)


class Loaded(Cluster):
    """The cluster of the other tests, with fio on its clients."""

    def __init__(self, contract: Contract, folder: Path) -> None:
        super().__init__(contract, folder, lambda answer: WithFio(contract, answer))
        claims = [
            Claim(
                id=one, statement="", roles=[], measured_by="fio", expectation=expectations.peers("x", OFFER)
            )
            for one in (RANDOM, METADATA)
        ]
        self.contract = self.contract.model_copy(update={"claims": [*self.contract.claims, *claims]})
        self.remote.cluster = self
        self.factors: dict[str, list[float]] = {}
        """Client → its factor in each start of fio; the last one stays."""
        self.fio: dict[str, Result] = {}
        """Client → how fio ends there instead."""
        self.jobs: list[tuple[str, str]] = []
        """Client and job file of each start."""

    def load(self, node: str, job: str) -> Result:
        self.jobs.append((node, job))
        factors = self.factors.get(node, [1.0])
        factor = factors.pop(0) if len(factors) > 1 else factors[0]
        return self.fio.get(node, Result((), 0, document(job, factor), ""))


class WithFio(FakeRemote):
    cluster: Loaded

    def run(self, node: str, command: Any, **more: Any) -> Result:
        if command[:3] == ["timeout", "-k", "2"] and "fio" in command:
            assert command[-3:] == ["fio", "--output-format=json", "-"]
            return self.cluster.load(node, more["stdin"])
        return super().run(node, command, **more)


@pytest.fixture
def cluster(contract: Contract, tmp_path: Path) -> Loaded:
    return Loaded(contract, tmp_path)


def of(cluster: Loaded, claim: str) -> Judged:
    return cluster.run("storage.*")[claim]


def test_clients_that_are_alike_pass(cluster: Loaded) -> None:
    found = cluster.run("storage.*")
    for claim in (RANDOM, METADATA):
        assert (found[claim].verdict, found[claim].measured) == (Verdict.PASS, 1.0)
    assert found[METADATA].detail["together_per_s"]["create"] > 500
    assert len(cluster.jobs) == 4 * len(NODES), "one round of each load"
    evidence = json.loads((cluster.folder / "evidence/storage/random.json").read_text())
    assert evidence["rounds"][0]["write"]["h100-0"] == pytest.approx(7039.56, abs=0.01)


def test_each_client_has_its_own_folder_and_looks_at_another_one_s_files(cluster: Loaded) -> None:
    cluster.run(METADATA)
    folders = {
        (node, job.split("[")[-1][:4]): job.split("directory=")[1].split("\n")[0]
        for node, job in cluster.jobs
    }
    assert folders["h100-0", "crea"].endswith("/h100-0") and folders["h100-0", "stat"].endswith("/h100-1")
    assert folders["h100-3", "stat"].endswith("/h100-0") and folders["h100-3", "dele"].endswith("/h100-3")
    made = [line for _, line in cluster.remote.commands if line.startswith("mkdir")]
    gone = [line for _, line in cluster.remote.commands if line.startswith("rm -rf")]
    assert len(made) == 1 and all(f"/{node}" in made[0] for node in NODES)
    assert [line.rpartition("/")[2] for line in sorted(gone)[1:]] == NODES, (
        "each removes its own, in parallel"
    )
    assert gone[-1] == f"rm -rf {made[0].split()[1]}"


@pytest.mark.refutes("storage.random", "storage.metadata")
@pytest.mark.parametrize("claim", [RANDOM, METADATA])
def test_a_client_that_is_slow_in_every_round_is_to_blame(cluster: Loaded, claim: str) -> None:
    cluster.factors = {"h100-2": [0.2]}
    found = of(cluster, claim)
    assert found.verdict is Verdict.FAIL
    assert found.reason == "h100-2: 0.2 of the median is below the floor of 0.25"
    assert cluster.blamed() == {("h100-2", "storage client")}


@pytest.mark.refutes("storage.random", "storage.metadata")
@pytest.mark.parametrize(("claim", "starts"), [(RANDOM, 3), (METADATA, 9)])
def test_a_client_that_is_slow_among_all_alone_accuses_servers_and_network(
    cluster: Loaded, claim: str, starts: int
) -> None:
    cluster.factors = {"h100-2": [0.2] * starts + [1.0]}
    found = cluster.run(claim)[claim]
    assert found.verdict is Verdict.FAIL and "beside one other client alone" in found.reason
    assert found.detail["beside_one"] == {"h100-2": pytest.approx(1.0)}
    assert cluster.blamed() == {("", "storage")}
    beside = [node for node, _ in cluster.jobs][starts * len(NODES) :]
    assert set(beside) == {"h100-2", "h100-0"}, "one other, and nobody else"


def test_half_of_the_clients_slow_name_nobody(cluster: Loaded) -> None:
    cluster.factors = {"h100-1": [0.1], "h100-2": [0.1]}
    assert cluster.run(RANDOM)[RANDOM].verdict is Verdict.FAIL
    assert len(cluster.jobs) == 3 * len(NODES), "and none is measured beside another"
    assert cluster.blamed() == {("", "storage")}


def test_a_client_that_is_slow_once_is_not(cluster: Loaded) -> None:
    cluster.factors = {"h100-2": [0.1, 1.0]}
    found = of(cluster, RANDOM)
    assert (found.verdict, found.measured) == (Verdict.PASS, 1.0)


def test_a_slow_client_beside_load_proves_nothing(cluster: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster.remote, "reading", loaded_reading)
    cluster.factors = {"h100-2": [0.1]}
    found = of(cluster, RANDOM)
    assert found.verdict is Verdict.UNPROVEN and found.reason.startswith("conditions: ")


@pytest.mark.parametrize(
    ("said", "words"), [(FULL, "No space left on device"), (QUOTA, "Disk quota exceeded")]
)
def test_a_full_filesystem_fails_whoever_sees_it(cluster: Loaded, said: str, words: str) -> None:
    cluster.fio = {"h100-1": Result((), 2, said, "")}
    found = of(cluster, RANDOM)
    assert (found.verdict, found.reason) == (Verdict.FAIL, f"h100-1: fio write: {words}")
    assert cluster.blamed() == {("h100-1", "storage client")}, "a quota may be one client's"
    cluster.fio = dict.fromkeys(NODES, Result((), 2, said, ""))
    assert of(cluster, METADATA).verdict is Verdict.FAIL
    assert cluster.blamed() == {("", "storage")}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Result((), 127, "", MISSING), "fio is not installed on h100-1"),
        (Result((), 137, "", "Killed\n"), "fio on h100-1 did not end within 20 s"),
        (Result((), TIMED_OUT, "", "stopped after 25 s"), "fio on h100-1 did not end within 20 s"),
        (Result((), 139, "", "Segmentation fault\n"), "fio on h100-1 crashed (SIGSEGV)"),
        (Result((), 1, "", "fio: engine libaio not loadable\n"), "fio on h100-1 ended with 1: fio: engine libaio not loadable"),
        (Result((), 0, "\x00\xff{]", ""), "fio on h100-1 printed no rates"),
        (Result((), 0, "", ""), "fio on h100-1 printed no rates"),
        (Result((), 0, (DATA / "truncated.json").read_text(), ""), "fio on h100-1 printed no rates"),
        (Result((), 255, "", "ssh: connect to host x port 22: No route to host"), "there is no way to h100-1"),
    ],
    ids=["missing", "killed", "late", "crashed", "no engine", "garbage", "nothing", "cut short", "away"],
)  # fmt: skip
def test_fio_that_fails_proves_nothing(cluster: Loaded, answer: Result, words: str) -> None:
    cluster.fio = {"h100-1": answer}
    found = of(cluster, RANDOM)
    assert found.verdict is Verdict.UNPROVEN and words in found.reason
    assert cluster.blamed() == set()


def test_a_filesystem_that_freezes_under_load_is_to_blame(cluster: Loaded) -> None:
    cluster.fio = dict.fromkeys(NODES, Result((), TIMED_OUT, "", "stopped after 25 s"))
    whole = cluster.load

    def load(node: str, job: str) -> Result:
        cluster.sees, cluster.master = dict.fromkeys(NODES, SILENT), False
        return whole(node, job)

    cluster.load = load  # type: ignore[method-assign]
    assert of(cluster, RANDOM).verdict is Verdict.FAIL
    assert cluster.blamed() == {("ctl0", "storage")}


@pytest.mark.parametrize("claim", [RANDOM, METADATA])
def test_beside_a_job_nothing_is_run(cluster: Loaded, monkeypatch: pytest.MonkeyPatch, claim: str) -> None:
    jobs = {"h100-1": "blocked by job 77 of ada on h100-1"}
    monkeypatch.setattr(ValidationRun, "busy", lambda _, name: jobs.get(name, ""))
    found = of(cluster, claim)
    assert (found.verdict, found.reason) == (Verdict.UNPROVEN, jobs["h100-1"])
    assert not cluster.jobs


@pytest.mark.parametrize("name", ["hostile.json", "version-2.json", "no-directory.json", "group.json"])
def test_any_document_is_read_without_a_word_of_its_own(name: str) -> None:
    found = fio.judge(Result((), 0, (DATA / name).read_text(), ""), "n", fio.JOBS)
    assert found.error or found.unknown


# several filesystems


@pytest.fixture
def two(cluster: Loaded) -> Loaded:
    """The same with a second filesystem, ``data``, which none of its clients has mounted wrongly."""
    first = cluster.contract.filesystems[0]
    second = first.model_copy(update={"name": "data", "mount": "/data"})
    claims = [
        one.model_copy(update={"id": f"{one.id}@data"})
        for one in cluster.contract.claims
        if one.id.startswith("storage.")
    ]
    cluster.contract = cluster.contract.model_copy(
        update={"filesystems": [first, second], "claims": [*cluster.contract.claims, *claims]}
    )
    cluster.sees = {name: f"{said}ctl0:9421 /data fuse.mfs rw 0 0\n" for name, said in cluster.sees.items()}
    return cluster


def test_every_filesystem_is_measured(two: Loaded) -> None:
    found = two.run("storage.*")
    assert {"storage.write", "storage.write@data", "storage.servers@data", "storage.random@data"} <= set(
        found
    )
    assert {one.verdict for one in found.values()} == {Verdict.PASS}, found
    assert any("/data/.railbed-probe" in line for _, line in two.remote.commands)
    assert any("directory=/data/" in job for _, job in two.jobs)
    assert {one.parent.name for one in (two.folder / "evidence").rglob("rates.json")} == {
        "storage",
        "storage@data",
    }


def test_a_second_filesystem_that_is_not_there_fails_its_own_claims_only(two: Loaded) -> None:
    two.sees["h100-1"] = two.sees["h100-1"].replace(" /data ", " /other ")
    found = two.run("storage.*")
    assert all((one.verdict is Verdict.FAIL) is name.endswith("@data") for name, one in found.items())
    assert two.blamed() == {("h100-1", "storage client")}
    assert not two.validation.dead_clients["scratch"], "jobs save on the first one"
    assert list(two.validation.dead_clients["data"]) == ["h100-1"]


def test_a_second_filesystem_that_is_down_says_nothing_of_the_first(two: Loaded) -> None:
    two.sees = {name: said.replace(" /data ", " /other ") for name, said in two.sees.items()}
    found = two.run("storage.*")
    assert all((one.verdict is Verdict.FAIL) is name.endswith("@data") for name, one in found.items())
    assert two.run("storage.write")["storage.write"].verdict is Verdict.PASS
