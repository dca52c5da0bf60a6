"""Texts of real tools, each with the sentence that a person gets for it.

The texts are those of OpenSSH 9.2, bash 5.2, dash 0.5.12, coreutils 9.1, Python 3.11, Slurm 22.05 and munge 0.5.15, as they
print them (host names changed).
"""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed.ended import accused, crashed, sentence, why
from railbed.errors import CommandError
from railbed.run import Result, run
from railbed.text import plain

PROGRAM, NODE = "the rail probe", "h100-4"
TRACEBACK = 'Traceback (most recent call last):\n  File "<stdin>", line 80, in <module>\n  File "<stdin>", line 62, in probe\n'
FORBIDDEN = " may not be executed on h100-4: Permission denied"
DIFFERS = "the munge key or clock of h100-4 differs from the controller's"
TEXTS = [
    # ssh
    (255, "ssh: connect to host 10.90.0.15 port 22: Connection refused", "no SSH server listens on h100-4"),
    (255, "ssh: connect to host 10.90.0.1 port 22: Connection timed out", "h100-4 does not answer: the SSH connection timed out"),
    (255, "ssh: connect to host 10.90.0.15: Operation timed out", "h100-4 does not answer: the SSH connection timed out"),
    (255, "Connection timed out during banner exchange", "h100-4 does not answer: the SSH connection timed out"),
    (255, "ssh: connect to host 10.90.0.15 port 22: No route to host", "there is no way to h100-4: No route to host"),
    (255, "ssh: connect to host 10.90.0.15 port 22: Network is unreachable", "there is no way to h100-4: Network is unreachable"),
    (255, "ssh: Could not resolve hostname h100-4: Name or service not known", "the address of h100-4 cannot be resolved"),
    (255, "Host key verification failed.", "the SSH host key of h100-4 is not the one that was made with it"),
    (255, "No ED25519 host key is known for 10.90.0.15 and you have requested strict checking.\nHost key verification failed.",
     "the SSH host key of h100-4 is not the one that was made with it"),
    (255, "root@10.90.0.15: Permission denied (publickey).", "h100-4 does not accept the operator's SSH key"),
    (255, "root@10.90.0.15: Permission denied (publickey,password).", "h100-4 does not accept the operator's SSH key"),
    (255, "Timeout, server 10.90.0.15 not responding.", "h100-4 stopped answering over SSH"),
    (255, "client_loop: send disconnect: Broken pipe", "h100-4 stopped answering over SSH"),
    (255, "kex_exchange_identification: Connection closed by remote host", "h100-4 closed the SSH connection"),
    (255, "Connection closed by 10.90.0.15 port 22", "h100-4 closed the SSH connection"),
    (255, "mystery", "SSH to h100-4 failed: mystery"),
    (255, "", "SSH to h100-4 failed: it said nothing"),
    # a program that is missing, or may not run
    (127, "bash: line 1: iperf3: command not found", "iperf3 is not installed on h100-4"),
    (127, "sh: 1: iperf3: not found", "iperf3 is not installed on h100-4"),
    (127, "bash: line 1: /usr/bin/python3: No such file or directory", "/usr/bin/python3 is not installed on h100-4"),
    (127, "timeout: failed to run command ‘python3’: No such file or directory", "python3 is not installed on h100-4"),
    (127, "env: ‘python3’: No such file or directory", "python3 is not installed on h100-4"),
    (4, "timeout: failed to run command ‘python3’: No such file or directory\n"
        "cat: /tmp/railbed-checks.Ab/results.json: No such file or directory", "python3 is not installed on h100-4"),
    (1, TRACEBACK + "FileNotFoundError: [Errno 2] No such file or directory: 'iperf3'", "iperf3 is not installed on h100-4"),
    (126, "bash: line 1: /usr/bin/python3: Permission denied", "/usr/bin/python3" + FORBIDDEN),
    (126, "timeout: failed to run command ‘python3’: Permission denied", "python3" + FORBIDDEN),
    (1, TRACEBACK + "PermissionError: [Errno 13] Permission denied: 'iperf3'", "iperf3" + FORBIDDEN),
    (126, "bash: line 1: /usr/bin/python3: cannot execute binary file: Exec format error",
     "the rail probe is no program for h100-4: it was built for another machine"),
    # Python
    (1, "/usr/bin/python3: No module named pytest", "Python on h100-4 lacks the module pytest"),
    (1, TRACEBACK + "ModuleNotFoundError: No module named 'torch'", "Python on h100-4 lacks the module torch"),
    (127, "python3: error while loading shared libraries: libpython3.11.so.1.0: cannot open shared object file: No such file"
          " or directory", "a program on h100-4 lacks the library libpython3.11.so.1.0"),
    (1, "Fatal Python error: init_fs_encoding: failed to get the Python codec of the filesystem encoding\nPython runtime state:"
        " core initialized", "Python does not start on h100-4: init_fs_encoding: failed to get the Python codec of the filesystem"
                             " encoding"),
    (1, TRACEBACK + "KeyError: 'servers'", "the rail probe crashed on h100-4: KeyError: 'servers'"),
    (1, TRACEBACK + "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
     "the rail probe crashed on h100-4: json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)"),
    (1, TRACEBACK + "MemoryError", "the rail probe crashed on h100-4: MemoryError"),
    # what the operating system refuses
    (1, TRACEBACK + "OSError: [Errno 28] No space left on device", "h100-4: No space left on device"),
    (1, TRACEBACK + "FileNotFoundError: [Errno 2] No such file or directory: '/scratch/.railbed-probe/h100-4'",
     "h100-4: /scratch/.railbed-probe/h100-4: No such file or directory"),
    (1, TRACEBACK + "OSError: [Errno 107] Transport endpoint is not connected: '/scratch'",
     "h100-4: /scratch: Transport endpoint is not connected"),
    (1, "mkdir: cannot create directory ‘/scratch/.railbed-probe-1’: Read-only file system",
     "h100-4: /scratch/.railbed-probe-1: Read-only file system"),
    # munge and Slurm
    (1, "slurm_load_node error: Zero Bytes were transmitted or received", DIFFERS),
    (1, "srun: error: Unable to allocate resources: Zero Bytes were transmitted or received", DIFFERS),
    (1, "srun: error: Munge decode failed: Invalid credential", DIFFERS),
    (1, "unmunge: Error: Invalid credential", DIFFERS),
    (1, "unmunge: Error: Rewound credential", DIFFERS),
    (1, "unmunge: Error: Expired credential", DIFFERS),
    (1, "srun: error: Unable to create step: Protocol authentication error", DIFFERS),
    (1, "srun: error: Task launch for StepId=26.0 failed on node h100-2: Invalid job credential",
     "the munge key or clock of h100-2 differs from the controller's"),
    (1, "srun: error: Munge encode failed: Failed to access \"/run/munge/munge.socket.2\": No such file or directory",
     "munged does not run on h100-4"),
    (1, "slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
     "the Slurm controller does not answer h100-4"),
    (2, "slurmstepd: error: execve(): python3: No such file or directory\nsrun: error: h100-2: task 1: Exited with exit code 2",
     "python3 is not installed on h100-2"),
    (1, TRACEBACK + "RuntimeError: gloo\nsrun: error: h100-[1-2]: tasks 1-2: Exited with exit code 1",
     "the rail probe crashed on h100-[1-2]: RuntimeError: gloo"),
    # time and signals
    (124, "\nstopped after 25 s", "the rail probe on h100-4 did not end within 25 s"),
    (124, "", "the rail probe on h100-4 did not end in its time"),
    (137, "", "the rail probe on h100-4 was killed (SIGKILL: out of memory, or by force) and said nothing"),
    (139, "Segmentation fault", "the rail probe on h100-4 crashed (SIGSEGV): Segmentation fault"),
    # anything else
    (3, "one\ntwo \x1b[31mthree", "the rail probe on h100-4 ended with 3: two three"),
    (1, "", "the rail probe on h100-4 ended with 1 and said nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "said", "told"), TEXTS, ids=lambda value: ascii(value)[-60:])
def test_a_text_has_its_sentence(status: int, said: str, told: str) -> None:
    assert sentence(PROGRAM, status, said, NODE) == told
    assert why(Result(("ssh",), status, "", said), PROGRAM, NODE) == told


def test_noise_of_a_login_is_not_the_reason() -> None:
    said = "bash: module: command not found\ncat: /etc/railbed/node.json: weird"
    assert sentence(PROGRAM, 1, said, NODE).endswith("ended with 1: cat: /etc/railbed/node.json: weird")


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("no-such-program", "no-such-program is not installed on here"),
        ("timeout 5 no-such-program", "no-such-program is not installed on here"),
        ("env no-such-program", "no-such-program is not installed on here"),
        ("{python} -c 'import subprocess; subprocess.run([\"no-such-program\"])'", "no-such-program is not installed on here"),
        ("timeout 5 /etc/passwd", "/etc/passwd may not be executed on here: Permission denied"),
        ("{python} -m no_such_module", "Python on here lacks the module no_such_module"),
        ("{python} -c 'open(\"/nowhere/x\")'", "here: /nowhere/x: No such file or directory"),
        ("{python} -c '{{}}[\"key\"]'", "it crashed on here: KeyError: 'key'"),
        ("mkdir /proc/x", "here: /proc/x: No such file or directory"),
        ("kill -9 $$", None),
    ],
)  # fmt: skip
def test_what_the_tools_of_this_machine_print(script: str, told: str | None) -> None:
    result = run(["sh", "-c", script.format(python=sys.executable)], check=False)
    found = why(result, "it", "here")
    assert "Traceback" not in found
    assert told is None or found == told


def test_a_late_program_of_this_machine() -> None:
    assert (
        why(run(["sleep", "9"], check=False, timeout_s=0.2), "it", "here")
        == "it on here did not end within 0.2 s"
    )


def test_ssh_of_this_machine_that_nobody_answers() -> None:
    try:
        said = run(
            ["ssh", "-F", "none", "-o", "BatchMode=yes", "-p", "1", "127.0.0.1", "true"],
            check=False,
            timeout_s=20,
        )
    except CommandError as missing:
        pytest.skip(str(missing))
    assert why(said, "it", "here") == "no SSH server listens on here"


@given(st.integers(0, 255), st.text(st.characters(categories=["L", "N", "P", "S", "Z", "C"]), max_size=300))
def test_any_text_gives_one_line(status: int, said: str) -> None:
    found = sentence(PROGRAM, status, said, NODE)
    assert found
    assert "\n" not in found
    assert plain(found) == found


@pytest.mark.parametrize(
    "filler", ["a", " ", "'", "a/", "[Errno 1] ", "srun: error: a,", "No module named ", "::", "A.Error"]
)
def test_long_texts_are_read_in_time(filler: str) -> None:
    sentence(PROGRAM, 127, (filler * 1_000_000)[:1_000_000], NODE)


NODES = ["h100-1", "h100-10", "h100-4"]
ENDED = "srun: error: h100-1: tasks 0-7: Killed\n"
CANCELLED = (
    "slurmstepd: error: *** STEP 12.0 ON h100-1 CANCELLED AT 2026-12-01T06:00:00 DUE TO TIME LIMIT ***\n"
)


@pytest.mark.parametrize(
    ("code", "said", "nccl", "nodes"),
    [
        (139, ENDED + "srun: error: h100-4: task 9: Segmentation fault (core dumped)\n", "", ["h100-4"]),
        (139, "srun: error: Segmentation fault\n", "", []),
        (137, "srun: error: h100-10: task 9: Killed\n", "", ["h100-10"]),
        (1, "[h100-4:8121] *** Process received signal ***\n", "", ["h100-4"]),
        (3, "h100-10: Test NCCL failure all_reduce.cu:43 'unhandled cuda error'\n", "", ["h100-10"]),
        (3, "", "h100-4:7:9 [0] net.cc:5 NCCL WARN NET/IB : mlx5_3 port error\n", ["h100-4"]),
    ],
)
def test_a_step_that_crashed_names_its_nodes(code: int, said: str, nccl: str, nodes: list[str]) -> None:
    assert crashed(Result((), code, "", said), NODES, nccl)
    assert accused(said, NODES, nccl) == nodes


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (0, ENDED),
        (124, "srun: error: h100-4: task 9: Killed\n"),
        (255, "ssh: connect to host h100-4 port 22: Connection refused\n"),
        (1, "srun: error: Unable to allocate resources: Requested nodes are busy\n"),
        (137, ""),
        (1, CANCELLED),
    ],
)
def test_a_step_that_did_not_start_or_hung_did_not_crash(code: int, said: str) -> None:
    assert not crashed(Result((), code, "", said), NODES)
