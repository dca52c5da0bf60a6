"""Whose fault is it when a shared filesystem does not answer: its servers', one client's, or nobody's that is known."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.validate.conftest import expectation, loaded_reading

from railbed import blame
from railbed.claims import Claim, Judged, Verdict
from railbed.contract import Contract, StorageLink
from railbed.defaults import STORAGE_PROBE_BYTES
from railbed.effects.scheduler import Scheduler
from railbed.run import TIMED_OUT, Result
from railbed.validate import checkpoint, clients, patience, storage
from railbed.validate.answers import Answers
from railbed.validate.clients import Client, Seen
from railbed.validate.scope import select
from railbed.validate.validation_run import ValidationRun

NODES = ["h100-0", "h100-1", "h100-2", "h100-3"]
MOUNT = "ctl0:9421 /scratch fuse.mfs rw 0 0"
WELL = f"python 0 \nstat 0 fuseblk\n{MOUNT}\n"
SILENT = f"python 0 \nstat silent \n{MOUNT}\n"
NO_PYTHON = f"python 126 sh: 1: python3: Permission denied\nstat 0 fuseblk\n{MOUNT}\n"
FOREIGN = "python 0 \nstat 0 tmpfs\ntmpfs /scratch tmpfs rw 0 0\n"
UNMOUNTED = "python 0 \nstat 0 ext2/ext3\n/dev/vda / ext4 rw 0 0\n"
GOOD = {"seconds": 0.8, "bytes": STORAGE_PROBE_BYTES, "sha256": "0" * 64}
COPIES = "\tchunk 0: 0_0 / (id:0 ver:1)\n" + "\t\tcopy 1: 10.0.0.1:9422 (status:VALID)\n" * 2


class Cluster:
    """Four clients, three of which serve; ``ctl0`` is the metadata server."""

    def __init__(self, contract: Contract, folder: Path, remote: Any) -> None:
        claims = [Claim(id=one, statement="", roles=[], expectation=expectation("MB/s", 20.0))
                  for one in ("storage.write", "storage.read")]  # fmt: skip
        self.contract = contract.model_copy(update={"claims": [*contract.claims, *claims]})
        self.folder = folder
        self.sees = dict.fromkeys(NODES, WELL)
        self.gone: dict[str, int] = {}
        """Node → how asking it ends."""
        self.master = True
        self.dead: set[str] = set()
        """Data servers that do not serve."""
        self.transfer: dict[tuple[str, str], Result] = {}
        """Node and verb → how its file went."""
        self.mkdir: dict[str, Result] = {}
        self.remote = remote(self.answer)

    def answer(self, node: str, line: str) -> Result:
        if node in self.gone:
            return Result((), self.gone[node], "", "stopped after 30 s")
        if "mktemp" in line:
            return Result((), 0, self.sees[node], "")
        if line.startswith("mkdir"):
            return self.mkdir.get(node, Result((), 0, "", ""))
        if "-SCS" in line:
            return self._listed() if self.master else Result((), TIMED_OUT, "", "stopped after 20 s")
        if line.startswith("mfsfileinfo"):
            return Result((), 0, COPIES, "")
        verb = next((verb for verb in ("write", "read") if f" {verb} " in line), "")
        return self.transfer.get((node, verb), Result((), 0, json.dumps(GOOD), ""))

    def _listed(self) -> Result:
        rows = [
            f"x|{self.contract.node(n).address}|9422|1|-|3.0|0|-|1|1|{0 if n in self.dead else 100}|0"
            for n in NODES[:3]
        ]
        return Result((), 0, "\n".join(rows), "")

    def run(self, pattern: str = "storage.*", only: tuple[str, ...] = ()) -> dict[str, Judged]:
        scope = select(self.contract, pattern=pattern, only=only)
        self.validation = ValidationRun(
            self.contract, self.remote, scope, Answers(scope), self.folder, lambda _: None,
            unreachable={n: f"blocked by {n}, which cannot be reached: x" for n in self.gone},
        )  # fmt: skip
        storage.run(self.validation)
        return {one.claim: one for one in self.validation.answers.complete()}

    def blamed(self) -> set[tuple[str, str]]:
        return {(one.node, one.part) for one in blame.culprits(self.validation.answers.complete())}


@pytest.fixture
def cluster(contract: Contract, tmp_path: Path, fake_remote: Any) -> Cluster:
    return Cluster(contract, tmp_path, fake_remote)


def test_a_good_filesystem_passes(cluster: Cluster) -> None:
    found = cluster.run()
    assert {one.verdict for one in found.values()} == {Verdict.PASS}, found
    assert found["storage.servers"].measured == 3.0
    assert found["storage.write"].measured == pytest.approx(STORAGE_PROBE_BYTES / 1e6 / 0.8)


def test_a_frozen_master_is_to_blame_and_no_client(cluster: Cluster) -> None:
    cluster.sees, cluster.master = dict.fromkeys(NODES, SILENT), False
    found = cluster.run()
    assert {one.verdict for one in found.values()} == {Verdict.FAIL}
    assert "scratch is down for all 4 clients" in found["storage.servers"].reason
    assert "wrongly" not in found["storage.servers"].reason
    assert cluster.blamed() == {("ctl0", "storage")}
    assert not [line for _, line in cluster.remote.commands if "write" in line], (
        "nobody waits for it once more"
    )


def test_where_no_client_sees_it_and_its_master_answers_no_node_is_blamed(cluster: Cluster) -> None:
    cluster.sees = dict.fromkeys(NODES, SILENT)
    assert "its metadata server ctl0 answers" in cluster.run()["storage.servers"].reason
    assert cluster.blamed() == {("", "storage")}


@pytest.mark.parametrize("sees", [SILENT, FOREIGN, UNMOUNTED], ids=["frozen", "tmpfs", "unmounted"])
@pytest.mark.parametrize("pattern", ["storage.*", "storage.servers", "storage.read"])
def test_one_broken_client_among_healthy_ones_is_to_blame(cluster: Cluster, sees: str, pattern: str) -> None:
    cluster.sees["h100-1"] = sees
    found = cluster.run(pattern)
    assert {one.verdict for one in found.values()} == {Verdict.FAIL}
    assert cluster.blamed() == {("h100-1", "storage client")}
    asked = {node for node, line in cluster.remote.commands if " write " in line}
    assert asked == {"h100-0", "h100-2", "h100-3"}, "the others are measured"
    assert "h100-1" in cluster.validation.dead_clients["scratch"]


def test_two_broken_clients_are_both_named(cluster: Cluster) -> None:
    cluster.sees |= {"h100-1": SILENT, "h100-3": SILENT}
    assert cluster.run()["storage.servers"].reason == (
        "h100-1: /scratch does not answer within 10 s; h100-3: /scratch does not answer within 10 s"
    )
    assert cluster.blamed() == {("h100-1", "storage client"), ("h100-3", "storage client")}


def test_the_only_data_that_a_run_of_one_node_judges_is_its_own(cluster: Cluster) -> None:
    cluster.sees["h100-1"] = SILENT
    assert cluster.run("storage.servers", ("h100-2",))["storage.servers"].verdict is Verdict.PASS
    assert cluster.run("storage.servers", ("h100-1",))["storage.servers"].verdict is Verdict.FAIL


def test_a_client_where_python_cannot_run_proves_nothing_and_is_named(cluster: Cluster) -> None:
    cluster.sees["h100-1"] = NO_PYTHON
    found = cluster.run()
    assert {one.verdict for one in found.values()} == {Verdict.UNPROVEN}
    assert found["storage.servers"].reason.startswith("blocked by h100-1, where python3 cannot be run")
    assert "Permission denied" in found["storage.servers"].reason and cluster.blamed() == set()


@pytest.mark.parametrize("status", [255, TIMED_OUT])
def test_a_node_that_cannot_be_asked_is_not_blamed_for_its_storage(cluster: Cluster, status: int) -> None:
    """Frozen, or away: its data server does not serve either, and that proves no more."""
    cluster.gone, cluster.dead = {"h100-1": status}, {"h100-1"}
    found = cluster.run()
    assert {one.verdict for one in found.values()} == {Verdict.UNPROVEN}
    assert found["storage.servers"].reason.startswith("blocked by h100-1, which cannot be reached")
    assert cluster.blamed() == set()


def test_a_node_that_freezes_after_it_was_reached_is_written_down(cluster: Cluster) -> None:
    found = clients.judge("h100-1", Result((), TIMED_OUT, "", "stopped"), cluster.contract.filesystems[0])
    assert (found.seen, found.reason) == (
        Seen.UNREACHABLE, "blocked by h100-1, which cannot be reached: it does not answer",
    )  # fmt: skip


@pytest.mark.refutes("storage.servers")
def test_a_dead_data_server_is_blamed_on_its_node(cluster: Cluster) -> None:
    cluster.dead = {"h100-2"}
    assert cluster.run()["storage.servers"].reason == "no data server on h100-2"
    assert cluster.blamed() == {("h100-2", "storage")}


def test_other_bytes_are_read_wrongly_and_a_timeout_is_not(cluster: Cluster) -> None:
    other = json.dumps({**GOOD, "sha256": "1" * 64})
    cluster.transfer["h100-0", "read"] = Result((), 0, other, "")
    assert "h100-0 reads other bytes than h100-1 wrote" in cluster.run()["storage.servers"].reason
    assert cluster.blamed() == {("", "storage")}
    cluster.transfer["h100-0", "read"] = Result((), TIMED_OUT, "", "stopped after 25 s")
    found = cluster.run()
    assert found["storage.servers"].verdict is found["storage.read"].verdict is Verdict.UNPROVEN
    assert "h100-0 did not read its file within 20 s" in found["storage.read"].reason
    assert found["storage.write"].verdict is Verdict.PASS


def test_a_filesystem_that_freezes_while_it_is_measured(cluster: Cluster) -> None:
    late = Result((), TIMED_OUT, "", "stopped after 25 s")
    cluster.transfer = {(node, verb): late for node in NODES for verb in ("write", "read")}
    first = True

    def answer(node: str, line: str) -> Result:
        nonlocal first
        if " write " in line and first:
            first = False
            cluster.sees, cluster.master = dict.fromkeys(NODES, SILENT), False
        return cluster.answer(node, line)

    cluster.remote.answer = answer
    cluster.run()
    assert cluster.blamed() == {("ctl0", "storage")}
    assert sum(" write " in line for _, line in cluster.remote.commands) == 1, "the others are not waited for"


def test_a_full_filesystem_is_no_client_s_fault(cluster: Cluster) -> None:
    cluster.mkdir = dict.fromkeys(
        NODES, Result((), 1, "", "mkdir: cannot create directory: No space left on device")
    )
    assert "No space left" in cluster.run()["storage.write"].reason
    assert cluster.blamed() == {("", "storage")}


def test_an_error_of_one_client_is_its_own_and_of_all_the_filesystems(cluster: Cluster) -> None:
    broken = Result((), 1, "", "OSError: [Errno 5] Input/output error")
    cluster.transfer = {("h100-2", "write"): broken}
    assert cluster.run()["storage.write"].verdict is Verdict.FAIL
    assert cluster.blamed() == {("h100-2", "storage client")}
    cluster.transfer = {(node, "write"): broken for node in NODES}
    cluster.run()
    assert cluster.blamed() == {("", "storage")}


@pytest.mark.refutes("storage.write", "storage.read")
def test_a_slow_rate_beside_load_proves_nothing(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience.time, "sleep", lambda _: None)
    slow = json.dumps({**GOOD, "seconds": 5.0})
    cluster.transfer = {(node, way): Result((), 0, slow, "") for node in NODES for way in ("write", "read")}
    found = cluster.run()
    assert found["storage.write"].verdict is found["storage.read"].verdict is Verdict.FAIL
    monkeypatch.setattr(cluster.remote, "reading", loaded_reading)
    found = cluster.run()
    assert found["storage.write"].verdict is Verdict.UNPROVEN
    assert found["storage.write"].reason.startswith("conditions: ")


def slowly(seconds: float) -> Result:
    return Result((), 0, json.dumps({**GOOD, "seconds": seconds}), "")


@pytest.mark.refutes("storage.write", "storage.read")
@pytest.mark.parametrize("verb", ["write", "read"])
def test_one_client_below_the_floor_in_all_tries_is_named(cluster: Cluster, verb: str) -> None:
    cluster.transfer = {("h100-2", verb): slowly(5.0)}
    found = cluster.run(f"storage.{verb}")[f"storage.{verb}"]
    assert found.verdict is Verdict.FAIL and found.reason.startswith("h100-2: 3.355 MB/s is below the floor")
    assert cluster.blamed() == {("h100-2", "storage client")}
    tries = json.loads((cluster.folder / "evidence/storage/rates.json").read_text())["tries"]
    assert len(tries[f"{verb}s"]["h100-2"]) == 3
    asked = [line for node, line in cluster.remote.commands if node == "h100-2" and f" {verb} " in line]
    assert len(asked) == 3
    # Its cache would answer a second time.
    assert len(set(asked)) == (3 if verb == "read" else 1)


def test_half_of_the_clients_below_the_floor_name_nobody(cluster: Cluster) -> None:
    cluster.transfer = {(node, "write"): slowly(5.0) for node in NODES[:2]}
    assert cluster.run("storage.write")["storage.write"].verdict is Verdict.FAIL
    assert cluster.blamed() == {("", "storage")}


@pytest.mark.parametrize("verb", ["write", "read"])
def test_a_pause_of_a_server_accuses_nobody(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    answer, seen = cluster.answer, list[str]()

    def paused(node: str, line: str) -> Result:
        if node == "h100-1" and f" {verb} " in line:
            seen.append(line)
            return slowly(5.0) if len(seen) == 1 else slowly(0.5)
        return answer(node, line)

    monkeypatch.setattr(cluster.remote, "answer", paused)
    found = cluster.run(f"storage.{verb}")[f"storage.{verb}"]
    assert (found.verdict, len(seen)) == (Verdict.PASS, 2)
    assert found.detail["clients"]["h100-1"] == pytest.approx(STORAGE_PROBE_BYTES / 1e6 / 0.5)


@pytest.mark.refutes("storage.read")
def test_other_bytes_in_a_second_try_count_as_in_the_first(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, seen = cluster.answer, list[str]()

    def changed(node: str, line: str) -> Result:
        if node == "h100-1" and " read " in line:
            seen.append(line)
            other = json.dumps({**GOOD, "seconds": 6.0, "sha256": "f" * 64})
            return slowly(5.0) if len(seen) == 1 else Result((), 0, other, "")
        return answer(node, line)

    monkeypatch.setattr(cluster.remote, "answer", changed)
    found = cluster.run("storage.*")
    assert found["storage.servers"].verdict is Verdict.FAIL
    assert "h100-1 reads other bytes than h100-3 wrote" in found["storage.servers"].reason


def test_a_broken_client_blocks_the_checkpoint_and_nobody_else_is_blamed(cluster: Cluster) -> None:
    claim = Claim(id="storage.checkpoint", statement="", roles=[], expectation=expectation("GB/s", 1.0))
    sized = claim.model_copy(
        update={"expectation": claim.expectation and claim.expectation.model_copy(update={"size_bytes": 9})}
    )
    cluster.contract = cluster.contract.model_copy(
        update={"claims": [*cluster.contract.claims, sized], "scheduler": "none"}
    )
    cluster.sees["h100-1"] = SILENT
    cluster.run()
    checkpoint.run(cluster.validation)
    (record,) = [one for one in cluster.validation.answers.complete() if one.claim == "storage.checkpoint"]
    assert record.reason.startswith("blocked by storage.servers on h100-1")
    assert cluster.blamed() == {("h100-1", "storage client")}


@pytest.mark.parametrize(
    ("seen", "down"),
    [
        ("wwww", False),
        ("bbbb", True),
        ("bbbw", False),
        ("b", False),
        ("uuub", False),
        ("uubb", True),
        ("bbbp", False),
    ],
)
def test_when_the_filesystem_itself_is_down(seen: str, down: bool) -> None:
    kinds = {"w": Seen.WELL, "b": Seen.BROKEN, "u": Seen.UNREACHABLE, "p": Seen.UNABLE}
    assert clients.outage({str(i): Client(str(i), kinds[one]) for i, one in enumerate(seen)}) is down


@pytest.fixture
def shell(tmp_path: Path, contract: Contract) -> Callable[[str], Client]:
    """Runs the script itself, with this `stat`."""

    def run(stat: str) -> Client:
        fake = tmp_path / "stat"
        fake.write_text(f"#!/bin/sh\n{stat}\n")
        fake.chmod(0o755)
        script = clients.SCRIPT.format(path="/scratch", tenths=5).replace(
            "/proc/mounts", str(tmp_path / "mounts")
        )
        (tmp_path / "mounts").write_text(MOUNT + "\n")
        env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["sh", "-c", script], env=env, capture_output=True, text=True, timeout=30, check=False
        )
        return clients.judge(
            "n", Result((), done.returncode, done.stdout, done.stderr), contract.filesystems[0]
        )

    return run


def test_the_script_does_not_wait_for_a_stat_that_hangs(shell: Callable[[str], Client]) -> None:
    assert shell("echo fuseblk") == Client("n", Seen.WELL)
    assert shell("echo no such device >&2; exit 1").reason == "/scratch does not answer: no such device"
    assert "does not answer within" in shell("exec sleep 45").reason


def test_the_scheduler_is_not_needed(cluster: Cluster) -> None:
    assert cluster.run()["storage.servers"].verdict is Verdict.PASS
    assert not isinstance(cluster.validation.scheduler, Scheduler)


LNET = Path(__file__).parent.parent / "data" / "parse" / "lnetctl"


@pytest.mark.refutes("storage.path")
@pytest.mark.parametrize(
    ("texts", "code", "verdict"),
    [
        (("efa-before.txt", "efa-after-1000-mib.txt"), 0, Verdict.PASS),
        (("efa-before.txt", "efa-before.txt"), 0, Verdict.FAIL),
        (("tcp.txt", "tcp.txt"), 0, Verdict.FAIL),
        (("efa-before.txt", "efa-after-1000-mib.txt"), 127, Verdict.UNPROVEN),
    ],
)
def test_bytes_must_take_the_network_that_the_filesystem_is_reached_over(
    cluster: Cluster, texts: tuple[str, str], code: int, verdict: Verdict
) -> None:
    counters = {name: [(LNET / one).read_text() for one in texts] for name in NODES}
    filesystem = cluster.contract.filesystems[0].model_copy(update={"network": "efa"})
    claims = [
        *cluster.contract.claims,
        Claim(id="storage.path", statement="", roles=[], measured_by="storage_probe"),
    ]
    cluster.contract = cluster.contract.model_copy(update={"filesystems": [filesystem], "claims": claims})
    whole = cluster.answer

    def answer(node: str, line: str) -> Result:
        return Result((), code, counters[node].pop(0), "") if "lnetctl" in line else whole(node, line)

    cluster.remote.answer = answer
    found = cluster.run("storage.path")["storage.path"]
    assert found.verdict is verdict, found.reason
    assert bool(found.detail.get("guilty")) is (verdict is Verdict.FAIL)


@pytest.mark.refutes("storage.path")
@pytest.mark.parametrize(
    ("address", "verdict"), [("192.168.1.71/16", Verdict.PASS), ("192.168.1.72/16", Verdict.FAIL)]
)
def test_the_planned_address_of_the_storage_network_must_be_lnet_s(
    cluster: Cluster, address: str, verdict: Verdict
) -> None:
    text = (LNET / "o2ib.txt").read_text()
    after = text.replace("send_count: 171621", "send_count: 172621")
    assert after != text
    counters = {name: [text, after] for name in NODES}
    filesystem = cluster.contract.filesystems[0].model_copy(update={"source": "192.168.0.1@o2ib:/scratch"})
    link = StorageLink(address=address, interface="auto")
    nodes = [node.model_copy(update={"storage": link}) for node in cluster.contract.nodes]
    claims = [
        *cluster.contract.claims,
        Claim(id="storage.path", statement="", roles=[], measured_by="storage_probe"),
    ]
    cluster.contract = cluster.contract.model_copy(
        update={"filesystems": [filesystem], "claims": claims, "nodes": nodes}
    )
    whole = cluster.answer

    def answer(node: str, line: str) -> Result:
        return Result((), 0, counters[node].pop(0), "") if "lnetctl" in line else whole(node, line)

    cluster.remote.answer = answer
    found = cluster.run("storage.path")["storage.path"]
    assert found.verdict is verdict, found.reason
    assert ("which was planned" in found.reason) is (verdict is Verdict.FAIL)
