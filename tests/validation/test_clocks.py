"""What holds GPUs back. Rows as `nvidia-smi` 535 printed them over the lab's mock of NVML; single values are changed."""

from __future__ import annotations

from typing import Any

import pytest

GOOD = "{index}, 0x0000000000000001, 700.00, 700.00, Disabled\n"


def rows(**changed: str) -> str:
    """Eight GPUs, with another row for those that are named (``gpu3=…``)."""
    return "".join(changed.get(f"gpu{index}", GOOD).format(index=index) for index in range(8))


@pytest.mark.parametrize(
    "row",
    [
        GOOD,
        "{index}, 0x0000000000000004, 700.00, 700.00, [N/A]\n",  # a software power cap, which full load brings
        "{index}, 0x0000000000000000, 699.99, [N/A], Disabled\n",
    ],
)
def test_whole_gpus_at_full_power_pass(world: Any, monkeypatch: pytest.MonkeyPatch, row: str) -> None:
    world.command("nvidia-smi", rows(gpu3=row))
    assert world.check("node.clocks", monkeypatch).verdict == "pass"


@pytest.mark.refutes("node.clocks")
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            "{index}, 0x0000000000000048, 700.00, 700.00, Disabled\n",
            "hardware slowdown, hardware thermal slowdown",
        ),
        ("{index}, 0x0000000000000020, 700.00, 700.00, Disabled\n", "software thermal slowdown"),
        ("{index}, 0x0000000000000080, 700.00, 700.00, Disabled\n", "power brake"),
        ("{index}, 0x0000000000000001, 500.00, 700.00, Disabled\n", "its power limit is 500.00 W, not 700"),
        ("{index}, 0x0000000000000001, 700.00, 700.00, Enabled\n", "MIG is on"),
    ],
)
def test_a_gpu_that_is_held_back_is_named(
    world: Any, monkeypatch: pytest.MonkeyPatch, row: str, reason: str
) -> None:
    world.command("nvidia-smi", rows(gpu3=row))
    found = world.check("node.clocks", monkeypatch)
    assert (found.verdict, found.parts, found.measured) == ("fail", ("gpu 3",), 7)
    assert found.reason == f"gpu 3: {reason}"


def test_the_contract_says_how_much_power(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A board whose default somebody lowered: what it calls its default proves nothing."""
    world.want["gpu_power_w"] = 700.0
    world.command("nvidia-smi", rows(gpu3="{index}, 0x0000000000000001, 600.00, 600.00, Disabled\n"))
    assert world.check("node.clocks", monkeypatch).parts == ("gpu 3",)


@pytest.mark.parametrize("text", ["", "\x00\xff", "0, 0x1, 700.00, 700.00\n", GOOD.format(index=0)])
def test_rows_that_are_missing_prove_nothing(world: Any, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    world.command("nvidia-smi", text)
    assert world.check("node.clocks", monkeypatch).verdict == "unproven"
