"""Specs that the tests for AWS share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.program.clouds import cases

Change = Callable[[dict[str, Any]], None]


def spec_of(example: str, change: Change = lambda _: None) -> dict[str, Any]:
    """An example's spec, changed."""
    data = cases.example(example)
    change(data)
    return data


def small(change: Change = lambda _: None, machine: str = "aws/p5.48xlarge") -> dict[str, Any]:
    """The cluster's example with four nodes, a spare and no job."""

    def smaller(data: dict[str, Any]) -> None:
        data["pools"][0] |= {"nodes": 4, "spares": 1}
        data["workloads"] = []
        change(data)

    return cases.with_machine(spec_of("aws-cluster", smaller), machine)
