"""The stand-in's all_reduce over the GPUs of one node: its table is read as that of the real program, labelled as by srun."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from railbed import catalog
from railbed.laws import ranks
from railbed.parse import nccl_tests
from railbed.platforms import assemble
from railbed.validate import collective_programs


def lines(program: SimpleNamespace, gpus: int) -> str:
    machine = assemble.machine(catalog.load_machine("lab/rail8"))
    argv = collective_programs.inside(machine, "all_reduce", gpus, (4096, 16384))
    words = list(argv[argv.index("-b") :])
    args = program.options.arguments(words, "all_reduce_perf")
    printed, wrong = program.in_node.run("all_reduce", args, program.options.sizes(args), "2.17.6")
    assert wrong == 0
    return "\n".join(printed)


@pytest.mark.parametrize("gpus", [2, 4, 8])
def test_its_table_is_of_so_many_ranks_on_one_host(program: SimpleNamespace, gpus: int) -> None:
    text = "\n".join(f"3: {line}" for line in lines(program, gpus).splitlines())
    (table,) = nccl_tests.read(text).tables
    assert (table.collective, table.labelled_ranks, len(table.nodes)) == ("all_reduce", gpus, 1)
    assert [row.size_bytes for row in table.rows] == [4096, 16384] and table.simulated and table.complete
    assert ranks.problems(table, ranks.of_table(table, "all_reduce"), gpus) == []


def test_a_wrong_sum_is_counted(program: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    right = program.in_node.reduced

    def off_by_one(buffers: list[list[int]]) -> list[list[int]]:
        found = right(buffers)
        found[1][7] += 1
        return found

    monkeypatch.setattr(program.in_node, "reduced", off_by_one)
    args = program.options.arguments(["-b", "4096", "-e", "4096", "-g", "2", "-c", "1"], "all_reduce_perf")
    printed, wrong = program.in_node.run("all_reduce", args, [4096], "2.17.6")
    assert wrong == 2 and "2 FAILED" in printed[-1]


def test_it_has_no_other_collective(program: SimpleNamespace) -> None:
    args = program.options.arguments(["-b", "4096", "-e", "4096", "-g", "2"], "alltoall_perf")
    with pytest.raises(program.options.Failure, match="all_reduce alone"):
        program.in_node.run("alltoall", args, [4096], "2.17.6")


def test_several_gpus_a_process_are_no_rank_of_a_step(program: SimpleNamespace) -> None:
    args = program.options.arguments(["-b", "4096", "-e", "4096", "-g", "8"], "all_reduce_perf")
    place = program.rail_groups.Place(1, 2, "h100-0", 20000)
    with pytest.raises(program.options.Failure, match="a node by itself"):
        program.program.alone("all_reduce", args, place, "2.17.6")
