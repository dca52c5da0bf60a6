"""What jobs leave behind: /proc of Linux 6.8, `find -printf` of findutils 4.9, `nvidia-smi -q -x` of driver 570.

The rows are built in the forms of proc_pid_status(5), sysvipc(7) and NVIDIA's nvidia-smi manual; names and numbers are invented.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.replay.leftovers import SEM, SHM, STATUS, USUAL, apps

from railbed.validate.node import test_leftovers as leftovers

BUSES = ("00000000:19:00.0", "00000000:3B:00.0")


def smi(*listed: str) -> str:
    """The document of two GPUs, with what it says of the processes of each."""
    parts = [
        f'<gpu id="{bus}"><processes>{text}</processes></gpu>\n'
        for bus, text in zip(BUSES, listed, strict=True)
    ]
    return f"<nvidia_smi_log>\n{''.join(parts)}</nvidia_smi_log>\n"


APP, DRAWS = smi("\n", apps(["python3"])), smi("\n", apps(["Xorg"]).replace("<type>C<", "<type>G<"))
OLD = (4242, "python3", 1, 10007)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "PAUSE_S", 0.0)


@pytest.fixture(name="idle")
def _idle(world: Any) -> Any:
    """A node without a job, and nothing of one."""
    world.want["job"] = ""
    for pid, (name, parent, uid) in USUAL.items():
        process(world, pid, name, parent, uid)
    world.write("/proc/sysvipc/shm", SHM)
    world.write("/proc/sysvipc/sem", SEM)
    world.command("nvidia-smi", smi("\n", "\n"))
    world.command("find", "0 4096 sem.of-root\n")
    return world


def process(world: Any, pid: int, name: str, parent: int, uid: int) -> None:
    world.write(f"/proc/{pid}/status", STATUS.format(name=name, pid=pid, parent=parent, uid=uid))


def test_a_node_after_its_jobs(idle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = idle.check("node.leftovers", monkeypatch)
    assert found.verdict == "pass", found


@pytest.mark.refutes("node.leftovers")
@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ({"processes": [OLD]}, "process 4242 (python3) of user 10007"),
        ({"apps": APP}, "process 4242 (python3) on GPU 00000000:3B:00.0"),
        ({"shared": "10007 8388608 nccl-k2Xv\n"}, "/dev/shm/nccl-k2Xv (8388608 B) of user 10007"),
        ({"shared": "10007 32 sem.mp-a\n"}, "/dev/shm/sem.mp-a (32 B) of user 10007"),
        ({"shm": "0 7 1600 4096 4242 4242 0 10007 10007 10007 10007 1\n"}, "System V shared memory 7 of user 10007"),
        ({"sem": "0 3 600 1 10007 10007 10007 10007 0 1\n"}, "System V semaphores 3 of user 10007"),
        ({"processes": [(70, "train", 1, 200_000)]}, "of user 200000"),
    ],
)  # fmt: skip
def test_what_a_job_left(
    idle: Any, monkeypatch: pytest.MonkeyPatch, what: dict[str, Any], reason: str
) -> None:
    for one in what.get("processes", []):
        process(idle, *one)
    idle.command("nvidia-smi", what.get("apps", smi("\n", "\n")))
    idle.command("find", what.get("shared", ""))
    idle.write("/proc/sysvipc/shm", SHM + what.get("shm", ""))
    idle.write("/proc/sysvipc/sem", SEM + what.get("sem", ""))
    found = idle.check("node.leftovers", monkeypatch)
    assert (found.verdict, found.parts) == ("fail", ("leftovers",)), found
    assert reason in found.reason


def test_logins_and_services_are_no_leftovers(idle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for one in (
        (1300, "sshd-session", 1200, 10001),
        (1301, "bash", 1300, 10001),
        (1302, "python3", 1301, 10001),
    ):
        process(idle, *one)
    process(idle, 1303, "systemd", 1, 10001)
    process(idle, 1304, "(sd-pam)", 1303, 10001)
    process(idle, 900, "munged", 1, 64030)
    process(idle, 901, "dynamic", 1, 61190)
    process(idle, 902, "nobody", 1, 65534)
    idle.command("find", "0 4096 a\n64030 1 b\n")
    idle.command("nvidia-smi", DRAWS)
    assert idle.check("node.leftovers", monkeypatch).verdict == "pass"
    process(idle, 1305, "dbus-daemon", 1303, 10001)
    process(idle, 1306, "tmux: server", 1, 10001)
    assert idle.check("node.leftovers", monkeypatch).verdict == "pass", "they are at work here"
    for number in (1300, 1301, 1302):
        (idle.root / f"proc/{number}/status").unlink()
    found = idle.check("node.leftovers", monkeypatch)
    assert (found.verdict, found.measured) == ("fail", 4.0), "what a person left behind counts"


@pytest.mark.parametrize("name", ["login", "ssm-session-wor"])
def test_a_login_need_not_be_over_ssh(idle: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    process(idle, 1300, name, 1, 0)
    process(idle, 1301, "sh", 1300, 1001)
    assert idle.check("node.leftovers", monkeypatch).verdict == "pass"


def test_what_slurmd_keeps_for_good_is_no_step(idle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a node with cgroup v2 (Slurm 22.05.8 on a virtual machine of the lab)."""
    process(idle, 820, "slurmstepd", 1, 0)
    idle.write("/proc/820/cmdline", "/usr/sbin/slurmstepd\0infinity\0")
    assert idle.check("node.leftovers", monkeypatch).verdict == "pass"
    idle.write("/proc/820/cmdline", "slurmstepd: [17.0]\0")
    assert idle.check("node.leftovers", monkeypatch).verdict == "unproven"


def test_a_node_with_a_job_is_not_accused(idle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    process(idle, *OLD)
    process(idle, 4000, "slurmstepd", 1, 0)
    found = idle.check("node.leftovers", monkeypatch)
    assert (found.verdict, found.parts) == ("unproven", ()) and "slurmstepd" in found.reason
    idle.want["job"] = "blocked by job 77 of ada on h100-0"
    found = idle.check("node.leftovers", monkeypatch)
    assert (found.verdict, found.reason) == ("unproven", "blocked by job 77 of ada on h100-0")


@pytest.mark.parametrize(
    ("program", "out", "code"),
    [
        ("nvidia-smi", "Segmentation fault\n", 139),
        ("nvidia-smi", "\x00garbage\n", 0),
        ("nvidia-smi", smi("\n", "N/A"), 0),
        ("find", "", 1),
    ],
)
def test_what_cannot_be_looked_at(
    idle: Any, monkeypatch: pytest.MonkeyPatch, program: str, out: str, code: int
) -> None:
    idle.command(program, out, code)
    assert idle.check("node.leftovers", monkeypatch).verdict == "unproven"
    process(idle, *OLD)
    assert idle.check("node.leftovers", monkeypatch).verdict == "fail", "what was seen counts all the same"


@pytest.mark.parametrize("path", ["/proc/1/status", "/proc/sysvipc/sem", "/proc/sysvipc/shm"])
def test_files_that_the_kernel_does_not_show(idle: Any, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    idle.write(path, "\xff\x00")
    assert idle.check("node.leftovers", monkeypatch).verdict == "unproven"


def test_a_node_without_gpus_asks_none(idle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    idle.without("nvidia-smi")
    idle.want["gpus"] = 0
    assert idle.check("node.leftovers", monkeypatch).verdict == "pass"
