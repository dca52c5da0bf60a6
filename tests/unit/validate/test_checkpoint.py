"""A checkpoint by all nodes: the probe itself on a real folder, and the stage with nodes that answer as told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.validate.conftest import loaded_reading

from railbed.blame import culprits
from railbed.claims import Claim, Expectation, Verdict
from railbed.contract import Contract
from railbed.effects.scheduler import Scheduler
from railbed.run import Result
from railbed.validate import checkpoint
from railbed.validate.answers import Answers
from railbed.validate.node import checkpoint_probe as probe
from railbed.validate.scope import select
from railbed.validate.validation_run import ValidationRun

SIZE = 912_000_000_000
FREE = 4 * SIZE
NODES = ["h100-0", "h100-1", "h100-2"]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "BLOCK", 64 * 1024)


def test_what_nodes_wrote_their_neighbours_read(tmp_path: Path) -> None:
    total = 300_001
    for index in range(3):
        assert probe.run("write", str(tmp_path), total, 4, index, 3)["wrong"] == []
    assert sum(f.stat().st_size for f in tmp_path.iterdir()) == 3 * total
    for index in range(3):
        reply = probe.run("read", str(tmp_path), total, 4, index, 3)
        assert (reply["wrong"], reply["bytes"], reply["end"] >= reply["begin"]) == ([], total, True)


@pytest.mark.parametrize("harm", ["other bytes", "short", "long", "gone", "another file"])
def test_a_file_that_is_not_what_was_written_is_told(tmp_path: Path, harm: str) -> None:
    for index in range(2):
        probe.run("write", str(tmp_path), 300_000, 2, index, 2)
    victim = tmp_path / "part-1-0"
    data = victim.read_bytes()
    if harm == "gone":
        victim.unlink()
    elif harm == "another file":
        victim.write_bytes((tmp_path / "part-0-0").read_bytes())
    else:
        changed = {
            "short": data[:-1],
            "long": data + b"x",
            "other bytes": data[:65536] + bytes(40) + data[65576:],
        }
        victim.write_bytes(changed[harm])
    reply = probe.run("read", str(tmp_path), 300_000, 2, 0, 2)
    assert reply.get("error") or reply["wrong"]
    assert not probe.run("read", str(tmp_path), 300_000, 2, 1, 2)["wrong"]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    assert "No such file" in probe.run("write", str(tmp_path / "no"), 10, 2, 0, 2)["error"]


def claims(
    size: int | None = SIZE,
    rate: float | None = 80.0,
    pair: tuple[str, str] = ("storage.checkpoint", "storage.restore"),
) -> list[Claim]:
    expectation = Expectation(
        unit="GB/s", expected=rate, floor=None if rate is None else 0.9 * rate, derivation=["bought"],
        basis="none" if rate is None else "declared", size_bytes=size,
    )  # fmt: skip
    return [Claim(id=name, statement="", roles=[], expectation=expectation) for name in pair]


def reply(node: str, begin: float, end: float, **more: Any) -> str:
    return (
        json.dumps({"node": node, "begin": begin, "end": end, "bytes": SIZE // 3, "wrong": [], **more}) + "\n"
    )


def replies(seconds: float, **more: Any) -> str:
    return "".join(reply(name, 100.0, 100.0 + seconds, **more) for name in NODES)


@pytest.fixture
def validation(contract: Contract, tmp_path: Path, fake_remote: Any) -> Any:
    def make(
        said: dict[str, str], *, free: int = FREE, drained: str = "", made: int = 0, **changes: Any
    ) -> Any:
        scheduler = changes.pop("scheduler", "slurm")
        reading = changes.pop("reading", None)
        data = contract.filesystems[0].model_copy(update={"name": "data", "mount": "/data"})
        changed = contract.model_copy(
            update={
                "claims": claims(**changes), "scheduler": scheduler, "filesystems": [*contract.filesystems, data],
            }
        )  # fmt: skip

        def answer(node: str, line: str) -> Result:
            if line.startswith("scontrol show node"):
                states = {n.name: "DRAIN" if n.name == drained else "IDLE" for n in contract.nodes if n.rails}
                rows = [f"NodeName={n} Gres=gpu:8 State={s} Partitions=batch" for n, s in states.items()]
                return Result((), 0, "\n".join(rows), "")
            if line.startswith("df "):
                return Result((), 0, f"Avail\n{free}\n", "")
            if line.startswith("mkdir "):
                return Result((), made, "", "Read-only file system" if made else "")
            for verb in ("write", "read"):
                if f"probe.py {verb}" in line:
                    text = said[verb]
                    if scheduler == "none":
                        text = "".join(t + "\n" for t in text.splitlines() if f'"{node}"' in t)
                    return Result((), 0 if text else 1, text, "" if text else "srun: error: timed out")
            return Result((), 0, "", "")

        remote = fake_remote(answer)
        remote.reading = reading or remote.reading
        scope = select(changed, pattern="storage.*")
        run = ValidationRun(changed, remote, scope, Answers(scope), tmp_path, lambda _: None)
        run.scheduler = Scheduler(remote) if scheduler == "slurm" else None
        checkpoint.run(run)
        return {c.claim: c for c in run.answers.complete()}, [line for _, line in remote.commands]

    return make


@pytest.mark.parametrize("scheduler", ["slurm", "none"])
def test_as_fast_as_was_bought_passes(validation: Any, scheduler: str) -> None:
    found, lines = validation({"write": replies(11.4), "read": replies(11.0)}, scheduler=scheduler)
    assert {c.verdict for c in found.values()} == {Verdict.PASS}
    assert found["storage.checkpoint"].measured == pytest.approx(80.0)
    started = [line for line in lines if "probe.py write" in line]
    assert len(started) == (1 if scheduler == "slurm" else 3)
    assert "write /scratch/.railbed-checkpoint-" in started[0]
    assert f" {SIZE // 3} 8" in started[0]


def test_only_the_folder_that_was_made_is_removed(validation: Any) -> None:
    _, lines = validation({"write": replies(11.4), "read": replies(11.0)})
    folder = next(line.split()[1] for line in lines if line.startswith("mkdir "))
    assert [line for line in lines if line.startswith("rm ")] == [f"rm -rf {folder}"]
    assert folder.startswith("/scratch/.railbed-checkpoint-")


@pytest.mark.refutes("storage.checkpoint")
def test_too_slow_fails_and_the_last_node_counts(validation: Any) -> None:
    late = reply(NODES[0], 100, 111) + reply(NODES[1], 100, 111) + reply(NODES[2], 101, 113)
    found, _ = validation({"write": late, "read": replies(10)})
    assert (found["storage.checkpoint"].verdict, found["storage.restore"].verdict) == (
        Verdict.FAIL,
        Verdict.PASS,
    )
    assert found["storage.checkpoint"].measured == pytest.approx(912 / 13)


def test_a_node_that_held_up_all_others_is_named_and_the_servers_are_not(validation: Any) -> None:
    late = reply(NODES[0], 100, 111) + reply(NODES[1], 100, 111) + reply(NODES[2], 100, 160)
    found, _ = validation({"write": late, "read": replies(10)})
    record = found["storage.checkpoint"]
    assert record.verdict is Verdict.FAIL and record.reason.startswith("h100-2: 15.2 GB/s is below the floor")
    assert {(one.node, one.part) for one in culprits([record])} == {("h100-2", "storage client")}


def test_where_the_others_are_slow_too_no_node_is_named(validation: Any) -> None:
    late = reply(NODES[0], 100, 115) + reply(NODES[1], 100, 115) + reply(NODES[2], 100, 190)
    record = validation({"write": late, "read": replies(10)})[0]["storage.checkpoint"]
    assert {(one.node, one.part) for one in culprits([record])} == {("", "storage")}


@pytest.mark.refutes("storage.restore")
def test_wrong_bytes_fail_whatever_the_rate(validation: Any) -> None:
    found, _ = validation(
        {"write": replies(10), "read": replies(5, wrong=["part-1-0: block 7 holds other bytes"])}
    )
    record = found["storage.restore"]
    assert (record.verdict, "block 7" in record.reason) == (Verdict.FAIL, True)


def test_wrong_bytes_fail_on_busy_nodes_too(validation: Any) -> None:
    """Load makes files slow, never wrong."""
    wrong = replies(5, wrong=["part-1-0: block 7 holds other bytes"])
    found, lines = validation({"write": replies(10), "read": wrong}, reading=loaded_reading)
    record = found["storage.restore"]
    assert (record.verdict, "block 7" in record.reason) == (Verdict.FAIL, True)
    assert sum("probe.py read" in line for line in lines) == 1


def test_an_error_of_the_filesystem_fails_and_blocks_reading(validation: Any) -> None:
    broken = json.dumps({"node": NODES[0], "error": "write: No space left on device"}) + "\n"
    found, lines = validation(
        {"write": broken + reply(NODES[1], 0, 1) + reply(NODES[2], 0, 1), "read": replies(1)}
    )
    assert found["storage.checkpoint"].verdict is Verdict.FAIL
    assert "No space left" in found["storage.checkpoint"].reason
    assert found["storage.restore"].verdict is Verdict.UNPROVEN
    assert "blocked by storage.checkpoint" in found["storage.restore"].reason
    assert any(line.startswith("rm -rf ") for line in lines)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"free": SIZE}, "does not fit"), ({"drained": "h100-1", "free": 0}, "GB free"), ({"made": 1}, "cannot be written"),
        ({"size": None}, "how much is to be written"),
    ],
)  # fmt: skip
def test_nothing_is_written_where_it_must_not_be(validation: Any, more: dict[str, Any], reason: str) -> None:
    found, lines = validation({"write": replies(1), "read": replies(1)}, **more)
    assert {c.verdict for c in found.values()} == {Verdict.UNPROVEN}
    assert reason in found["storage.checkpoint"].reason
    assert not any("probe.py write" in line for line in lines)


def test_a_run_that_gives_nothing_or_has_no_reference_is_unproven(validation: Any) -> None:
    found, _ = validation({"write": "", "read": ""})
    assert "0 of 3 nodes gave a result" in found["storage.checkpoint"].reason
    found, _ = validation({"write": replies(1), "read": replies(1)}, rate=None)
    assert {c.verdict for c in found.values()} == {Verdict.UNPROVEN}
    assert found["storage.checkpoint"].measured == pytest.approx(912)


def test_a_rate_of_busy_nodes_is_measured_again_and_accuses_nobody(validation: Any) -> None:
    late = reply(NODES[0], 100, 111) + reply(NODES[1], 100, 111) + reply(NODES[2], 101, 113)
    found, lines = validation({"write": late, "read": replies(10)}, reading=loaded_reading)
    record = found["storage.checkpoint"]
    assert record.verdict is Verdict.UNPROVEN
    assert record.reason.startswith("conditions: tasks waited for a processor 9")
    assert record.measured is not None
    assert 2 < sum("probe.py write" in line for line in lines) < 9


ALL = [("storage.all_write", "storage.all_read"), ("storage.all_write@data", "storage.all_read@data")]


@pytest.mark.refutes("storage.all_write", "storage.all_read")
@pytest.mark.parametrize("pair", ALL)
def test_all_nodes_of_every_filesystem_move_what_was_bought(validation: Any, pair: tuple[str, str]) -> None:
    found, lines = validation({"write": replies(11.4), "read": replies(11.0)}, pair=pair)
    assert {name: c.verdict for name, c in found.items()} == dict.fromkeys(pair, Verdict.PASS)
    mount = "/data" if "@" in pair[0] else "/scratch"
    assert {line.split()[1].rpartition("/")[0] for line in lines if line.startswith("mkdir ")} == {mount}
    found, _ = validation({"write": replies(20), "read": replies(20)}, pair=pair)
    assert {c.verdict for c in found.values()} == {Verdict.FAIL}
    found, _ = validation({"write": replies(10), "read": ""}, pair=pair)
    assert [found[one].verdict for one in pair] == [Verdict.PASS, Verdict.UNPROVEN]
