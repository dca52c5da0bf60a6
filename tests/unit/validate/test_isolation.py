"""The step that tries rails by partitions that are not the cluster's: what it runs, and what its answers mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.validate import fabric as fabrics
from tests.unit.validate.fabric import measured, option, perftest
from tests.unit.validate.test_between import EACH_NODE, over, verdicts

from railbed.claims import Claim, Verdict
from railbed.contract import Contract
from railbed.parse.slurm import Job
from railbed.run import Result
from railbed.validate import isolation

SILENT = " Completion with error at client\n Failed status 12: wr_id 0 syndrom 0x81\nscnt=128, ccnt=0\n"
WORDED = " Completion with error at client\n Failed status: transport retry counter exceeded: wr_id 0\n"
REFUSED = "Couldn't connect to 10.0.0.2:35200\n"
OWN = 0x12
KEYS = ["0x7fff", "0x8012"]


@pytest.fixture
def run(tmp_path: Path, fake_remote: Any, contract: Contract, monkeypatch: pytest.MonkeyPatch) -> Any:
    def go(says: Any, keys: Any = lambda _: KEYS, read: int = 0, **more: Any) -> Any:
        """``says``: place of the key in the client's table → output. ``keys``: node → table. ``read``: status of grep."""

        def of(self: Any, node: str, client: dict[str, Any]) -> tuple[int, str, int]:
            argv = client["argv"]
            place = int(option(argv, "--pkey_index")) if "--pkey_index" in argv else 0
            return self.devices[node, option(argv, "-d")], says(place) or perftest(0.09, 2), 2

        def answer(node: str, line: str) -> Result:
            assert line.startswith("grep -rsHv 0x0000 "), line
            folders = line.split()[3:]
            said = "".join(f"{f}/{at}:{key}\n" for f in folders for at, key in enumerate(keys(node)))
            return Result((), read, said, "")

        monkeypatch.setattr(fabrics.Fabric, "perftest", of)
        claim = Claim(id=isolation.CLAIM, statement="", roles=EACH_NODE)
        made = over(contract, "infiniband").model_copy(update={"claims": [claim], "pkey": OWN})
        return measured(
            made, lambda *_: 0.0, fake_remote, tmp_path, pattern=isolation.CLAIM, step=isolation.run, answer=answer, **more
        )  # fmt: skip

    return go


@pytest.mark.parametrize("text", [SILENT, WORDED])
def test_silence_by_the_default_partition_passes(run: Any, text: str) -> None:
    found, fabric, _ = run(lambda place: text if place == 0 else "")
    assert verdicts(found) == {Verdict.PASS} and len(found) == 4
    places = [option(client["argv"], "--pkey_index") if "--pkey_index" in client["argv"] else "0"
              for _, plan in fabric.plans for client in plan["clients"]]  # fmt: skip
    own, other = ["1"] * 8, ["0"] * 8
    assert places == own + other + own, (
        "four ways on two rails: before and after by the cluster's own partition"
    )


def test_an_answer_by_the_default_partition_fails(run: Any) -> None:
    found, _, _ = run(lambda _: "")
    assert verdicts(found) == {Verdict.FAIL}
    found, _, _ = run(
        lambda place: SILENT if place == 0 else "",
        keys=lambda node: ["0xffff" if node == "h100-1" else "0x7fff", "0x8012"],
    )
    assert [node for (_, node), one in found.items() if one.verdict is Verdict.FAIL] == ["h100-1"]
    assert found[isolation.CLAIM, "h100-1"].detail["guilty"] == [["h100-1", "rail 0"], ["h100-1", "rail 1"]]


@pytest.mark.parametrize(
    "says",
    [
        lambda _: SILENT,
        lambda place: REFUSED if place == 0 else "",
        lambda place: SILENT if place else REFUSED,
    ],
)
def test_a_dead_way_or_a_program_that_did_not_run_proves_nothing(run: Any, says: Any) -> None:
    found, _, _ = run(says)
    assert verdicts(found) == {Verdict.UNPROVEN}


def test_a_way_that_died_meanwhile_proves_nothing(run: Any) -> None:
    asked: list[int] = []

    def says(place: int) -> str:
        asked.append(place)
        return SILENT if place == 0 or len(asked) > 16 else ""

    found, _, _ = run(says)
    assert len(asked) == 24 and verdicts(found) == {Verdict.UNPROVEN}


def test_a_node_outside_the_clusters_partition_proves_nothing(run: Any) -> None:
    found, _, _ = run(
        lambda place: SILENT if place == 0 else "", keys=lambda node: KEYS[:1] if node == "h100-1" else KEYS
    )
    assert [node for (_, node), one in found.items() if one.verdict is Verdict.PASS] != []
    assert found[isolation.CLAIM, "h100-1"].verdict is Verdict.UNPROVEN


def test_a_table_that_was_read_in_part_proves_nothing(run: Any) -> None:
    found, _, _ = run(lambda place: SILENT if place == 0 else "", read=124)
    assert verdicts(found) == {Verdict.UNPROVEN}
    assert "cannot be read" in found[isolation.CLAIM, "h100-0"].reason


@pytest.mark.parametrize("keys", [[], ["0x8012"]])
def test_without_keys_to_try_nothing_is_proved(run: Any, keys: list[str]) -> None:
    found, _, _ = run(lambda place: SILENT if place == 0 else "", keys=lambda _: keys)
    assert verdicts(found) == {Verdict.UNPROVEN}


def test_a_job_on_a_node_is_not_disturbed(run: Any) -> None:
    found, fabric, _ = run(lambda _: SILENT, jobs=[Job("7", "ada", "train", "RUNNING", ("h100-0",))])
    assert "blocked by job 7" in found[isolation.CLAIM, "h100-0"].reason
    assert "h100-0" not in {node for node, _ in fabric.plans}
