"""Arguments, places, the table: what the program prints is what the parser reads."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from railbed.laws import ranks
from railbed.parse import nccl_tests

FILES = Path(__file__).parents[3] / "roles" / "collectives" / "files"


def options(program: SimpleNamespace, *argv: str, name: str = "collectives.py") -> Any:
    return program.options.arguments(list(argv), name, "")


def test_arguments_of_nccl_tests(program: SimpleNamespace) -> None:
    args = options(
        program,
        "-b",
        "8",
        "-e",
        "128M",
        "-f",
        "4",
        "-n",
        "20",
        "-w",
        "5",
        "-c",
        "1",
        "-a",
        "3",
        "--op",
        "alltoall",
    )
    assert (args.minbytes, args.maxbytes, args.op) == (8, 128 << 20, ["alltoall"])
    found = program.options.sizes(args)
    assert found[0] == 8
    assert found[-1] == 128 << 20
    assert all(b == 4 * a for a, b in itertools.pairwise(found))


def test_fixed_steps_and_defaults(program: SimpleNamespace) -> None:
    assert program.options.sizes(options(program, "--op", "all_reduce", "-b", "1M", "-e", "3M", "-i", "1M")) == [
        1 << 20, 2 << 20, 3 << 20,
    ]  # fmt: skip
    assert program.options.sizes(options(program, "--op", "all_reduce")) == [64 << 20]


def test_the_name_of_the_program_says_the_collective(program: SimpleNamespace) -> None:
    assert options(program, name="reduce_scatter_perf").op == ["reduce_scatter"]
    assert options(program, "--op", "all_reduce,all_gather").op == ["all_reduce", "all_gather"]


@pytest.mark.parametrize(
    "argv",
    [(), ("--op", "all_red"), ("--op", "all_reduce", "-b", "0"), ("--op", "all_reduce", "-b", "8M", "-e", "4M"),
     ("--op", "all_reduce", "-n", "0"), ("--op", "all_reduce", "-f", "1"), ("--op", "all_reduce", "-d", "half"),
     ("--op", "all_reduce", "-b", "many")],
)  # fmt: skip
def test_arguments_that_cannot_be(program: SimpleNamespace, argv: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as left:
        options(program, *argv)
    assert left.value.code == 2


@pytest.mark.parametrize(
    ("nodelist", "first"),
    [
        ("h100-[0-3]", "h100-0"),
        ("h100-[2,4-5],x", "h100-2"),
        ("a,b", "a"),
        ("a", "a"),
        ("", ""),
        ("n[01-16]-ib", "n01-ib"),
    ],
)
def test_first_host_of_a_slurm_list(program: SimpleNamespace, nodelist: str, first: str) -> None:
    assert program.rail_groups.first_host(nodelist) == first


def test_rails_come_from_nccl_conf(program: SimpleNamespace, tmp_path: Path) -> None:
    conf = tmp_path / "nccl.conf"
    assert program.rail_groups.configured_rails(str(conf)) == []
    conf.write_text("# rails\nNCCL_DEBUG=WARN\nNCCL_SOCKET_IFNAME==rail0,rail1\n")
    assert program.rail_groups.configured_rails(str(conf)) == ["rail0", "rail1"]


def test_a_place_under_srun(program: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PROCID": "2",
        "NTASKS": "4",
        "NODELIST": "h100-[1-4]",
        "JOB_ID": "17",
        "STEP_ID": "3",
    }.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.delenv("RAILBED_MASTER", raising=False)
    place = program.rail_groups.Place.from_environment("", 0)
    assert (place.rank, place.size, place.master) == (2, 4, "h100-1")
    monkeypatch.setenv("SLURM_STEP_ID", "4")
    assert program.rail_groups.Place.from_environment("", 0).port != place.port
    monkeypatch.setenv("RAILBED_MASTER", "10.90.0.11")
    assert program.rail_groups.Place.from_environment("", 0).master == "10.90.0.11"
    assert program.rail_groups.Place.from_environment("other", 7).port == 7


@pytest.mark.parametrize("how", [0, 1, 2, 3])
def test_times_of_ranks_are_combined_as_asked(program: SimpleNamespace, how: int) -> None:
    assert program.bench.combine([2.0, 1.0, 4.0, 1.0], how) == [2.0, 2.0, 1.0, 4.0][how]


def table(
    program: SimpleNamespace, op: str, size: int, time_us: float, wrong: int | None, members: int
) -> str:
    args = options(program, "--op", op, "-b", str(size))
    groups = SimpleNamespace(rails=["rail0", "rail1"])
    people = [{"node": f"h100-{r}", "pid": 100 + r} for r in range(members)]
    row = {"size_bytes": size, "count": size // 4, "time_us": time_us, "wrong": wrong, "ranks": []}
    return "\n".join([program.report.head(op, args, groups, people), program.report.line(op, members, row)])


@pytest.mark.parametrize("op", ["all_reduce", "all_gather", "reduce_scatter", "alltoall"])
@pytest.mark.parametrize(
    ("size", "time_us"), [(64 << 20, 1_017_281.93), (1 << 20, 12.5), (1 << 34, 2e9), (8, 1350.7)]
)
def test_the_parser_reads_the_table_back(
    program: SimpleNamespace, op: str, size: int, time_us: float
) -> None:
    log = nccl_tests.read(table(program, op, size, time_us, 0, 4))
    assert log.unread == []
    read = log.tables[0]
    assert (read.collective, read.labelled_ranks, read.nodes[0]) == (op, 4, "h100-0")
    half = read.rows[0].out_of_place
    assert half.wrong == 0
    assert half.algbw_gbytes_per_s == pytest.approx(size / time_us / 1e3, rel=1e-6)
    assert ranks.problems(read, ranks.of_table(read), 4) == []
    # Six significant digits or more, so that n follows.
    assert len(half.printed["busbw"].replace(".", "").lstrip("0")) >= 6


def test_simulated_rails_are_marked(program: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "simulated" not in table(program, "all_reduce", 1 << 20, 1.0, None, 2)
    monkeypatch.setenv("RAILBED_SIMULATED", "1")
    log = nccl_tests.read(table(program, "all_reduce", 1 << 20, 1.0, None, 2))
    assert log.tables[0].simulated == "TCP rails at 1:4000"
    assert log.tables[0].rows[0].out_of_place.wrong is None


def start(*argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", str(FILES / "collectives" / "collectives.py"), *argv],
        env={"PATH": os.environ["PATH"], **env}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


def test_alone_it_says_how_to_start_it() -> None:
    done = start("--op", "all_reduce", "--rails", "rail0")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "collectives.py: one rank is no collective: start it under srun, one rank per node"
    ]


def test_without_rails_or_torch_it_ends_with_one_line(tmp_path: Path) -> None:
    nothing = start("--op", "all_reduce", SLURM_NTASKS="2")
    assert nothing.returncode == 2
    (tmp_path / "torch.py").write_text("raise ImportError('no torch here')")
    torchless = start("--op", "all_reduce", "--rails", "rail0", SLURM_NTASKS="2", PYTHONPATH=str(tmp_path))
    assert torchless.returncode == 2
    assert torchless.stderr.splitlines() == ["collectives.py: torch is not on PYTHONPATH: no torch here"]


def test_wrappers_name_their_collective() -> None:
    wrappers = sorted(p.name for p in (FILES / "bin").iterdir())
    assert wrappers == ["all_gather_perf", "all_reduce_perf", "alltoall_perf", "reduce_scatter_perf"]
    assert all(os.access(FILES / "bin" / name, os.X_OK) for name in wrappers)
