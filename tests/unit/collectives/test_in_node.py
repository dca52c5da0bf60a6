"""The stand-in's collectives over the GPUs of one node: its table is read as that of the real program, labelled as by srun."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from railbed import catalog
from railbed.laws import ranks
from railbed.parse import nccl_tests
from railbed.platforms import assemble
from railbed.validate import collective_programs

OPS = ("all_reduce", "all_gather", "reduce_scatter", "alltoall")


def lines(program: SimpleNamespace, op: str, gpus: int) -> str:
    machine = assemble.machine(catalog.load_machine("lab/rail8"))
    argv = collective_programs.inside(machine, op, gpus, (4096, 16384))
    words = list(argv[argv.index("-b") :])
    args = program.options.arguments(words, f"{op}_perf")
    printed, wrong = program.in_node.run(op, args, program.options.sizes(args), "2.17.6")
    assert wrong == 0
    return "\n".join(printed)


@pytest.mark.parametrize("gpus", [2, 4, 8])
@pytest.mark.parametrize("op", OPS)
def test_its_table_is_of_so_many_ranks_on_one_host(program: SimpleNamespace, op: str, gpus: int) -> None:
    text = "\n".join(f"3: {line}" for line in lines(program, op, gpus).splitlines())
    (table,) = nccl_tests.read(text).tables
    assert (table.collective, table.labelled_ranks, len(table.nodes)) == (op, gpus, 1)
    assert [row.size_bytes for row in table.rows] == [4096, 16384] and table.simulated and table.complete
    assert ranks.problems(table, ranks.of_table(table, op), gpus) == []


@pytest.mark.parametrize("op", OPS)
def test_a_wrong_element_is_counted(
    program: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, op: str
) -> None:
    right = program.in_node.moved

    def off_by_one(op: str, buffers: list[list[int]]) -> list[list[int]]:
        found = right(op, buffers)
        found[1][7] += 1
        return found

    monkeypatch.setattr(program.in_node, "moved", off_by_one)
    args = program.options.arguments(["-b", "4096", "-e", "4096", "-g", "2", "-c", "1"], f"{op}_perf")
    printed, wrong = program.in_node.run(op, args, [4096], "2.17.6")
    assert wrong == 2 and "2 FAILED" in printed[-1]


@pytest.mark.parametrize(
    ("op", "held"),
    [
        ("all_reduce", [[1, 3, 5, 7], [1, 3, 5, 7]]),
        ("reduce_scatter", [[1, 3], [5, 7]]),
        ("all_gather", [[0, 1, 1, 2], [0, 1, 1, 2]]),
        ("alltoall", [[0, 1, 1, 2], [2, 3, 3, 4]]),
    ],
)
def test_what_two_gpus_hold_after(program: SimpleNamespace, op: str, held: list[list[int]]) -> None:
    gives = [program.in_node.source(op, 4, 2, gpu) for gpu in range(2)]
    assert program.in_node.moved(op, gives) == held
    assert [program.in_node.expected(op, 4, 2, gpu) for gpu in range(2)] == held


def test_it_has_no_other_collective(program: SimpleNamespace) -> None:
    args = program.options.arguments(["-b", "4096", "-e", "4096", "-g", "2"], "sendrecv_perf")
    with pytest.raises(program.options.Failure, match="not sendrecv"):
        program.in_node.run("sendrecv", args, [4096], "2.17.6")


def test_several_gpus_a_process_are_no_rank_of_a_step(program: SimpleNamespace) -> None:
    args = program.options.arguments(["-b", "4096", "-e", "4096", "-g", "8"], "all_reduce_perf")
    place = program.rail_groups.Place(1, 2, "h100-0", 20000)
    with pytest.raises(program.options.Failure, match="a node by itself"):
        program.program.alone("all_reduce", args, place, "2.17.6")
