"""The scheduler's health check as a program: what drains, what is only reported, and how a drain ends."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from railbed.defaults import SHOWN_CHARACTERS
from railbed.validate import on_node
from railbed.validate.node.drains import Settings
from railbed.validate.node.faults import FAULTS, drains, shared
from railbed.validate.node.probe import Symptom
from railbed.validate.node.report import compose, parse

DATA = Path(__file__).parent / "data"
NODE = "h100-0"
MARK = "[railbed:health]"
WITH_PYTORCH = ("train", "gpu_probe", "lora_job", "serving_replica")
"""Programs that the training stack is for."""
OF_PYTEST = ("apart",)
"""Pieces of the on-node suite, which brings pytest along."""
PROGRAM = sorted(
    path
    for path in on_node.SUITE.glob("*.py")
    if not path.name.startswith(("test_", "conftest")) and path.stem not in (*WITH_PYTORCH, *OF_PYTEST)
)


def twice(world: Any) -> dict[str, Any]:
    """Two looks, as one is not enough; gives what the scheduler then has of the node."""
    for _ in range(2):
        done = world.health()
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    node: dict[str, Any] = world.slurm()["nodes"][NODE]
    return node


def lost(world: Any) -> None:
    world.recorded("nvidia-smi", DATA / "nvidia-smi/lost")


def good(world: Any) -> None:
    world.recorded("nvidia-smi", DATA / "nvidia-smi/good")


@pytest.mark.parametrize("source", PROGRAM, ids=lambda path: path.stem)
def test_it_runs_on_nodes(source: Path) -> None:
    tree = ast.parse(source.read_text(), feature_version=(3, 9))
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert {name.split(".")[0] for name in modules} <= {*sys.stdlib_module_names, "railbed"}


def test_a_good_node_is_left_alone_and_reports_nothing(world: Any) -> None:
    assert twice(world) == {"state": "IDLE", "pool": "h100"}
    assert "orders" not in world.slurm()
    assert world.health("--report").returncode == 0


def breaks(world: Any, what: str) -> None:
    if what in ("missing", "lost", "memory", "mismatch", "no-driver"):
        world.recorded("nvidia-smi", DATA / "nvidia-smi" / what)
    elif what == "version":
        world.want["driver"] = "595.71.05"
    elif what == "no nic":
        (world.root / "sys/class/net/rail3/operstate").unlink()
    elif what == "no carrier":
        world.write("/sys/class/net/rail3/carrier", "0\n")
    elif what == "mtu":
        world.write("/sys/class/net/rail3/mtu", "1500\n")
    elif what == "address":
        world.want["rails"][3]["address"] = "10.91.3.99/24"
    elif what == "rate":
        world.want["rails"][3] |= {"netdev": "", "address": "", "device": "mlx5_3", "rate_gbps": 400}
        world.write("/sys/class/infiniband/mlx5_3/ports/1/state", "4: ACTIVE\n")
        world.write("/sys/class/infiniband/mlx5_3/ports/1/rate", "200 Gb/sec (4X HDR)\n")


LOCAL = [
    ("missing", "gpu-missing"), ("lost", "gpu-lost"), ("memory", "gpu-row-pending"), ("memory", "gpu-row-failed"),
    ("memory", "gpu-ecc"), ("mismatch", "driver-library"), ("no-driver", "driver-silent"), ("version", "driver-version"),
    ("no nic", "nic-missing"), ("no carrier", "nic-down"), ("mtu", "nic-mtu"), ("address", "nic-address"),
    ("rate", "nic-rate"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "code"), LOCAL, ids=lambda word: word)
def test_a_fault_of_the_node_drains_it_and_its_reason_names_it(world: Any, what: str, code: str) -> None:
    breaks(world, what)
    assert f"{code} (" in world.health("--report").stdout
    assert world.health("--report").returncode == 1
    node = twice(world)
    assert node["state"] == "IDLE+DRAIN"
    assert node["reason"].startswith("[railbed:healthcheck] ")
    assert code in node["reason"]


@pytest.mark.parametrize(("hung_s", "drained"), [(0.01, True), (86_400.0, False)], ids=["long", "not long"])
def test_a_call_into_the_driver_that_does_not_end_drains_once_it_is_long_there(
    world: Any, hung_s: float, drained: bool
) -> None:
    """A process of an earlier check that no signal ends; it comes back once that has ended."""
    world.want["health"]["hung_s"] = hung_s
    with subprocess.Popen(["sleep", "600"]) as left:
        try:
            started = Path(f"/proc/{left.pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
            memory = {"stuck": {"nvidia-smi -L": {"pid": left.pid, "started": started}}}
            world.write("/run/railbed/health.json", json.dumps(memory))
            time.sleep(0.05)  # its age is counted in ticks of a hundredth of a second
            node = twice(world)
            assert ("DRAIN" in node["state"]) is drained
            if drained:
                assert "driver-hung: a process of nvidia-smi has waited" in node["reason"]
                assert node["reason"].endswith("(runbook driver)")
            else:
                assert "unknown" in node["comment"], "neither healthy nor broken"
        finally:
            left.kill()
    for _ in range(4):
        world.health()
    assert world.slurm()["nodes"][NODE]["state"] == "IDLE"


def hang(world: Any) -> None:
    world.script("stat", "import time\ntime.sleep(60)\n")


def no_mount(world: Any) -> None:
    world.write("/proc/mounts", "/dev/vda / ext4 rw 0 0\n")


def foreign_mount(world: Any) -> None:
    world.write("/proc/mounts", f"tmpfs {world.folder} tmpfs rw 0 0\n")


def no_time(world: Any) -> None:
    world.command("chronyc", "506 Cannot talk to daemon\n", 1)


def no_names(world: Any) -> None:
    world.command("getent", "", 2)


def no_smi(world: Any) -> None:
    world.without("nvidia-smi")


REPORTED = [
    (hang, "filesystem-silent"), (no_mount, "filesystem-absent"), (foreign_mount, "filesystem-foreign"),
    (no_time, "time-wrong"), (no_names, "names-silent"), (no_smi, "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("harm", "code"), REPORTED, ids=lambda one: getattr(one, "__name__", one))
def test_what_is_shared_or_unknown_is_reported_and_drains_nobody(world: Any, harm: Any, code: str) -> None:
    harm(world)
    began = time.monotonic()
    node = twice(world)
    assert time.monotonic() - began < 2 * 25, "the deadline of the script around it"
    assert (node["state"], node.get("reason", "")) == ("IDLE", "")
    assert [one.code for one in parse(node["comment"], MARK)][:1] == [code]
    assert len(world.slurm()["orders"]) == 1, "told once"
    done = world.health("--report")
    assert done.returncode == 3 and f"reported: {code} (" in done.stdout


def test_a_report_goes_when_its_cause_has_gone(world: Any) -> None:
    no_time(world)
    twice(world)
    world.command("chronyc", (DATA / "chronyc-tracking.csv").read_text())
    assert twice(world)["comment"] == ""


def test_a_persons_comment_stays(world: Any) -> None:
    world.order(comment="ask ada before you touch it")
    no_time(world)
    assert twice(world)["comment"] == "ask ada before you touch it"


def test_a_scheduler_that_does_not_answer_is_reported_by_hand_and_nothing_is_ordered(world: Any) -> None:
    lost(world)
    world.order(silent=True)
    for _ in range(2):
        assert world.health().returncode == 0
    assert "orders" not in world.slurm()
    assert "scheduler-silent" in world.health("--report").stdout
    world.order(silent=False)
    assert twice(world)["state"] == "IDLE+DRAIN"


def test_a_drain_ends_when_its_cause_has_gone(world: Any) -> None:
    lost(world)
    assert twice(world)["state"] == "IDLE+DRAIN"
    good(world)
    passes = Settings.read(world.want["health"]).passes
    states = []
    for _ in range(passes):
        assert world.health().returncode == 0
        states.append(world.slurm()["nodes"][NODE]["state"])
    assert states == ["IDLE+DRAIN"] * (passes - 1) + ["IDLE"]


@pytest.mark.parametrize(
    "reason", ["[railbed:operator] disk", "Kill task failed", "[railbed:upgrade] 2026-11-24"]
)
def test_a_drain_of_someone_else_does_not_end(world: Any, reason: str) -> None:
    world.order(state="IDLE+DRAIN", reason=reason, at=1)
    for _ in range(5):
        world.health()
    assert world.slurm()["nodes"][NODE]["reason"] == reason


def test_over_the_limit_a_fault_is_only_reported(world: Any) -> None:
    known = world.slurm()
    known["nodes"]["h100-1"].update(
        state="IDLE+DRAIN", reason="[railbed:healthcheck] nic-down: x", at=int(time.time())
    )
    world.slurm_file.write_text(json.dumps(known))
    lost(world)
    node = twice(world)
    assert node["state"] == "IDLE"
    assert "not-drained(gpu 5) gpu-lost: 7 of 8 GPUs listed" in node["comment"]


def test_expectations_that_cannot_be_read_are_no_verdict(world: Any) -> None:
    world.want = {}
    done = world.health()
    assert done.returncode == 2 and "does not say what this node should be" in done.stderr


def test_the_table_says_why_of_every_fault_and_shared_ones_never_drain() -> None:
    assert all(fault.why and fault.code == code for code, fault in FAULTS.items())
    assert not any(drains(code) for code in FAULTS if shared(code))
    assert not drains("something new")
    assert {code for _, code in LOCAL} | {"gpu-model", "gpu-memory", "driver-hung"} == {
        code for code in FAULTS if drains(code)
    }


def test_a_report_survives_what_scontrol_makes_of_it() -> None:
    symptoms = [Symptom("filesystem-silent", "/scratch", 'a=b | [x@y] "it\'s" \x1b[2J State=DOWN')] * 9
    line = compose(symptoms, MARK)
    assert "=" not in line and '"' not in line and "\x1b" not in line
    assert (
        parse(line, MARK)[0].subject == "/scratch"
        and len(parse(line, MARK)) == 3
        and len(line) < SHOWN_CHARACTERS
    )
    assert compose([], MARK) == "" and parse("a person wrote this", MARK) == []


def test_the_page_on_health_checks_has_the_table() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/reference/health.md").read_text()
    drained, reported = page.split("## What is only reported")
    for code, fault in FAULTS.items():
        row = f"| `{code}` | {fault.part} | {fault.why} |"
        assert (row in drained, row in reported) == (fault.drains, not fault.drains)
