"""What jobs left on a replayed node: /proc as proc_pid_status(5) and sysvipc(7) have it, and processes on GPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.replay.node import Machine

STATUS = (
    "Name:\t{name}\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t{pid}\nPid:\t{pid}\nPPid:\t{parent}\n"
    "Uid:\t{uid}\t{uid}\t{uid}\t{uid}\n"
)
SHM = "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime\n"
SEM = "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n"
USUAL = {1: ("systemd", 0, 0), 812: ("chronyd", 1, 110), 911: ("slurmd", 1, 0), 1200: ("sshd", 1, 0)}


def write(machine: Machine) -> None:
    """``processes``: number → name, parent and user. ``semaphores``: rows of /proc/sysvipc/sem."""
    processes = {**USUAL, **{int(pid): tuple(one) for pid, one in machine.facts["processes"].items()}}
    for pid, (name, parent, uid) in processes.items():
        machine.tree.write(f"/proc/{pid}/status", STATUS.format(name=name, pid=pid, parent=parent, uid=uid))
    machine.tree.write("/proc/sysvipc/shm", SHM)
    machine.tree.write("/proc/sysvipc/sem", SEM + "".join(f"{row}\n" for row in machine.facts["semaphores"]))


def apps(names: list[str]) -> str:
    """What `nvidia-smi -q -x` lists of processes that compute on a GPU, in the form of driver 570; numbers are built."""
    row = (
        "\t\t\t<process_info>\n\t\t\t\t<gpu_instance_id>N/A</gpu_instance_id>\n\t\t\t\t<pid>{pid}</pid>\n\t\t\t\t<type>C</type>\n"
        "\t\t\t\t<process_name>{name}</process_name>\n\t\t\t\t<used_memory>1024 MiB</used_memory>\n\t\t\t</process_info>\n"
    )
    return "".join(row.format(pid=4242 + at, name=name) for at, name in enumerate(names))
