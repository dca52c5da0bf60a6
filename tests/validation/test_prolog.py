"""The start of a job on a node, as Slurm's Prolog runs it: what drains the node, which job is queued again, and what starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.validation.test_healthcheck import DATA, LOCAL, NODE, breaks

from railbed.validate.node import gpu_state, prolog, store
from railbed.validate.node.probe import Probe, Symptom
from railbed.validate.node.start_refused import may_requeue

REQUEUE = prolog.REQUEUE
JOB = {"SLURM_JOB_ID": "17", "SLURM_JOB_GPUS": "0,1,2,3", "SLURMD_NODENAME": NODE}
BATCH = "JobId=17 JobName=train UserId=ada(4242) Priority=1 Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=0:0"
"""The fields of Slurm 22.05's `scontrol show job --oneliner` that are asked for, with some of their neighbours."""


def rows(**of_gpu: str) -> str:
    """As `nvidia-smi` 535 printed them over the lab's mock of NVML; rows of single GPUs are changed."""
    usual = "{i}, 00000000:{i}0:00.0, NVIDIA H100 80GB HBM3, Default, Disabled, 1980, 1980, 2619, 2619"
    return "".join(of_gpu.get(f"gpu{i}", usual).format(i=i) + "\n" for i in range(8))


def query(world: Any, text: str, code: int = 0) -> None:
    """The answer to the one question; `nvidia-smi` says of everything else what was recorded of a good node."""
    arguments = " ".join(gpu_state.QUERY[1:])
    answers = world.folder / "answers/nvidia-smi"
    answers.mkdir(parents=True, exist_ok=True)
    for one in (DATA / "nvidia-smi/good").iterdir():
        (answers / one.name).write_bytes(one.read_bytes())
    world.command("nvidia-smi", text, code, arguments=arguments)


@pytest.fixture
def node(world: Any) -> Any:
    query(world, rows())
    known = world.slurm() | {"jobs": {"17": BATCH}}
    world.slurm_file.write_text(json.dumps(known))
    return world


def start(node: Any, **of_slurm: str) -> subprocess.CompletedProcess[str]:
    done: subprocess.CompletedProcess[str] = node.hook("prolog", **{**JOB, **of_slurm})
    return done


def state(node: Any) -> dict[str, Any]:
    found: dict[str, Any] = node.slurm()["nodes"][NODE]
    return found


def test_a_job_starts_on_a_good_node_and_slurm_is_asked_nothing(node: Any) -> None:
    node.without("scontrol")
    done = start(node)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("what", "code"), [one for one in LOCAL if one[0] not in ("memory", "version")], ids=str
)
def test_a_fault_drains_the_node_by_its_reason_and_the_job_starts_elsewhere(
    node: Any, what: str, code: str
) -> None:
    if what in ("missing", "lost", "mismatch", "no-driver"):
        node.command("nvidia-smi", "", 9)
    breaks(node, what)
    done = start(node)
    assert done.returncode == REQUEUE, done.stderr
    assert state(node)["state"] == "IDLE+DRAIN" and "job 17 is requeued" in done.stderr
    assert (
        state(node)["reason"].startswith(f"[railbed:healthcheck] {code}")
        and "(runbook " in state(node)["reason"]
    )


@pytest.mark.parametrize(
    "line", [BATCH.replace("BatchFlag=1", "BatchFlag=0"), BATCH.replace("Requeue=1", "Requeue=0"), ""]
)
def test_a_job_that_would_be_lost_starts_and_the_node_takes_no_other(node: Any, line: str) -> None:
    breaks(node, "no carrier")
    node.slurm_file.write_text(json.dumps(node.slurm() | {"jobs": {"17": line} if line else {}}))
    done = start(node)
    assert done.returncode == 0 and "cannot be requeued" in done.stderr
    assert state(node)["state"] == "IDLE+DRAIN"


def test_beyond_the_limit_nobody_is_drained_and_the_job_starts(node: Any) -> None:
    reason = "[railbed:healthcheck] nic-down: rail3 is down"
    known = node.slurm()
    for other in ("h100-1", "h100-2"):
        known["nodes"][other] |= {"state": "IDLE+DRAIN", "reason": reason, "at": 1}
    node.slurm_file.write_text(json.dumps(known))
    breaks(node, "no carrier")
    done = start(node)
    assert done.returncode == 0 and "was not drained" in done.stderr and state(node)["state"] == "IDLE"


def test_a_silent_scheduler_starts_the_job(node: Any) -> None:
    breaks(node, "no carrier")
    node.order(silent=True)
    assert start(node).returncode == 0 and "orders" not in node.slurm()


def test_a_drain_of_a_person_keeps_its_reason_and_without_a_fault_stops_no_job(node: Any) -> None:
    node.order(state="IDLE+DRAIN", reason="ada: new cable", at=1)
    assert start(node).returncode == 0
    breaks(node, "no carrier")
    assert start(node).returncode == REQUEUE
    assert state(node)["reason"] == "ada: new cable" and "orders" not in node.slurm()


@pytest.mark.parametrize("what", ["hang", "garbage", "no program"])
def test_what_cannot_be_looked_at_starts_the_job(node: Any, what: str) -> None:
    node.want["health"]["start_check_s"] = 1.5
    if what == "hang":
        node.script("nvidia-smi", "import time\ntime.sleep(60)\n")
    elif what == "garbage":
        query(node, "%%%\n")
    else:
        node.without("nvidia-smi")
    done = start(node)
    assert done.returncode == 0 and state(node) == {"state": "IDLE", "pool": "h100"}


def test_a_fault_that_is_gone_at_the_second_check_is_none(node: Any) -> None:
    carrier = node.root / "sys/class/net/rail3/carrier"
    breaks(node, "no carrier")
    node.want["health"]["start_confirm_s"] = 1.5
    later = subprocess.Popen(["sh", "-c", f"sleep 0.7; echo 1 > {carrier}"])
    done = start(node)
    later.wait()
    assert done.returncode == 0 and state(node)["state"] == "IDLE"


GUESSED_FIRST = """import os, re, sys
key = re.sub("[^a-zA-Z0-9]", "_", " ".join(sys.argv[1:]))
if key == "_q__x" and not os.path.exists({asked!r}):
    open({asked!r}, "w").close()
    sys.exit(0)
if not os.path.exists({answers!r} + key + ".out"):
    sys.exit(9)
sys.stdout.write(open({answers!r} + key + ".out").read())
sys.exit(int(open({answers!r} + key + ".rc").read() or 0))
"""
"""As a program that tells the minor numbers only the second time: until then the missing GPU's number is a guess."""


def test_a_missing_gpu_that_is_named_otherwise_the_second_time_is_the_same_fault(node: Any) -> None:
    answers, asked = str(DATA / "nvidia-smi/missing") + "/", str(node.folder / "asked")
    node.script("nvidia-smi", GUESSED_FIRST.format(answers=answers, asked=asked))
    done = start(node)
    assert done.returncode == REQUEUE, done.stderr
    assert state(node)["reason"].startswith("[railbed:healthcheck] gpu-missing")
    (named,) = {
        line.split("(")[1].split(")")[0] for line in done.stderr.splitlines() if "gpu-missing (" in line
    }
    assert named != "gpu 7", "the second look's, which knows the number"


def test_another_rail_the_second_time_is_another_fault() -> None:
    def fault(code: str, subject: str) -> Symptom:
        return Symptom(code, subject, "")

    lost, other = fault("gpu-missing", "gpu 7"), fault("gpu-missing", "gpu 3")
    assert prolog.still_there([lost], [other, fault("gpu-ecc", "gpu 7")]) == [other]
    assert prolog.still_there([fault("nic-down", "rail 3")], [fault("nic-down", "rail 4")]) == []


HANGS = "import os, sys, time\nopen({asked!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\ntime.sleep({s})\n"


@pytest.fixture
def left(node: Any) -> Any:
    """A process that an earlier look left behind, as the health check notes it (proc_pid_stat(5))."""
    process = subprocess.Popen(["sleep", "60"])
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    yield {"pid": process.pid, "started": fields[19]}
    process.kill()
    process.wait()


@pytest.mark.parametrize("kept", [store.MEMORY, store.STARTS])
def test_where_a_process_of_the_driver_hangs_no_start_leaves_another_one(
    node: Any, left: dict[str, Any], kept: str
) -> None:
    asked = node.folder / "asked"
    node.script("nvidia-smi", HANGS.format(asked=str(asked), s=0))
    node.write(kept, json.dumps({"stuck": {"nvidia-smi -L": left}}))
    done = start(node)
    assert (done.returncode, done.stderr) == (0, "") and not asked.exists()
    node.write(kept, json.dumps({"stuck": {"nvidia-smi -L": {**left, "started": "1"}, "garbage": 3}}))
    start(node)
    assert asked.exists(), "that process has ended: its number is another one's"


def test_a_start_notes_the_process_that_it_could_not_end(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one in state D: the kill does nothing. In this process, as only here can the kill be taken away."""
    asked = node.folder / "asked"
    node.script("nvidia-smi", HANGS.format(asked=str(asked), s=60))
    node.want["health"]["start_check_s"] = 1.0
    expectations = node.folder / "expectations.json"
    expectations.write_text(json.dumps(node.want))
    known = {
        **node.environment(),
        **JOB,
        "RAILBED_EXPECTATIONS": str(expectations),
        "FAKE_SLURM": str(node.slurm_file),
    }
    for name, value in known.items():
        monkeypatch.setenv(name, value)
    with monkeypatch.context() as undying:
        undying.setattr(subprocess.Popen, "kill", lambda self: None)
        assert prolog.main() == prolog.START
    (one,) = store.load(str(node.root) + store.STARTS)["stuck"].values()
    try:
        assert prolog.main() == prolog.START
        assert len(asked.read_text().splitlines()) == 1
    finally:
        os.kill(one["pid"], signal.SIGKILL)
        os.waitpid(one["pid"], 0)
    assert prolog.main() == prolog.START
    assert len(asked.read_text().splitlines()) == 2, "it has ended since"


def test_the_health_check_ends_the_drain_of_a_start_where_the_fault_is_gone(node: Any) -> None:
    node.health()
    breaks(node, "no carrier")
    assert start(node).returncode == REQUEUE
    node.write("/sys/class/net/rail3/carrier", "1\n")
    for _ in range(4):
        assert node.health().returncode == 0
    assert state(node)["state"] == "IDLE"


OTHER = "3, 00000000:30:00.0, NVIDIA H100 80GB HBM3, {mode}, {mig}, {clock}, 1980, 2619, 2619"


@pytest.mark.parametrize(
    ("row", "command"),
    [
        (OTHER.format(mode="Exclusive_Process", mig="Disabled", clock=1980), "-i 3 -c DEFAULT"),
        (OTHER.format(mode="Default", mig="Enabled", clock=1980), "-i 3 -mig 0"),
        (OTHER.format(mode="Default", mig="Disabled", clock=1200), "-i 3 -rac"),
    ],
)
def test_a_gpu_of_the_job_is_set_back_and_one_of_another_job_is_not(
    node: Any, row: str, command: str
) -> None:
    query(node, rows(gpu3=row))
    node.command("nvidia-smi", "All done.\n", arguments=command)
    done = start(node)
    assert done.returncode == 0 and f"nvidia-smi {command}: All done." in done.stderr, (
        "still so: it is said what it answered"
    )
    assert not start(node, SLURM_JOB_GPUS="4,5").stderr and not start(node, SLURM_JOB_GPUS="").stderr


def test_what_was_set_back_is_said_to_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    (gpu,) = gpu_state.listed(OTHER.format(mode="Prohibited", mig="[N/A]", clock=1980))
    good = OTHER.format(mode="Default", mig="[N/A]", clock=1980)
    probe = Probe()
    monkeypatch.setattr(
        probe, "run", lambda words, _: prolog_answer(good if "--query-gpu" in words[1] else "")
    )
    assert prolog.set_back(probe, [gpu]) == ["nvidia-smi -i 3 -c DEFAULT: done"]


def prolog_answer(text: str) -> Any:
    return type("Answer", (), {"out": text, "code": 0, "first_line": text or "nothing"})()


@pytest.mark.parametrize(
    ("text", "found"),
    [("0", {0}), ("0,2-4", {0, 2, 3, 4}), ("", None), ("MIG-1", None), ("0-99999", None), ("5-3", set())],
)
def test_numbers_of_a_jobs_gpus(text: str, found: set[int] | None) -> None:
    assert gpu_state.numbers(text) == found


def test_gpus_are_told_apart_by_their_device_files_or_not_at_all() -> None:
    gpus = gpu_state.listed(rows())
    known = {f"0000:{i}0:00.0": 7 - i for i in range(8)}
    assert [one.index for one in prolog.of_job(gpus, "0,1", 8, known)] == [6, 7]
    assert [one.index for one in prolog.of_job(gpus, "0,1", 8, {})] == [0, 1]
    assert prolog.of_job(gpus[1:], "0,1", 8, {}) == [], "indices have closed up behind one that is gone"


def test_the_driver_tells_device_files(world: Any) -> None:
    world.write(
        "/proc/driver/nvidia/gpus/0000:18:00.0/information",
        "Model: \t\t NVIDIA H100 80GB HBM3\nBus Location: \t 0000:18:00.0\nDevice Minor: \t 5\n",
    )
    assert prolog.minors(Probe(str(world.root))) == {"0000:18:00.0": 5}


def test_which_jobs_slurm_starts_elsewhere() -> None:
    assert may_requeue(BATCH)
    assert may_requeue(BATCH.replace("BatchFlag=1", "BatchFlag=2")), "queued again before"
    for lost in (
        BATCH.replace("Requeue=1", "Requeue=0"),
        BATCH.replace("BatchFlag=1", "BatchFlag=0"),
        "",
        "NoRequeue=1 BatchFlag=1",
        BATCH.replace("BatchFlag=1", "BatchFlag=01"),
    ):
        assert not may_requeue(lost)


def test_one_at_a_time_drains_the_node(tmp_path: Path) -> None:
    path = str(tmp_path / "run/health.lock")
    with store.locked(path, 1.0) as first:
        assert first
        with store.locked(path, 0.3) as second:
            assert not second, "each opening of the file is its own"
    with store.locked(path, 0.0) as again:
        assert again
    (tmp_path / "file").touch()
    with store.locked(str(tmp_path / "file/health.lock"), 0.0) as nowhere:
        assert not nowhere
