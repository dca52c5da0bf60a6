"""Faults of a leaf switch: they act on the port of every node in it and on no other switch, and are taken back whole."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from railbed.effects.lab import network
from railbed.effects.workspace import Workspace
from railbed.platforms.lab import fault, faults
from railbed.platforms.lab.fault import FaultContext, Injected

RAIL = 3
SHARED = ("leaf-down", "leaf-slow")


def node(name: str, octet: int, rails: int) -> Any:
    made = [SimpleNamespace(index=index, rate_gbps=0.1) for index in range(rails)]
    return SimpleNamespace(name=name, address=f"10.90.0.{octet}", rails=made)


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    monkeypatch.setattr(fault, "Remote", lambda *_: None)
    monkeypatch.setattr(network, "ip_batch", lambda _, lines: found.append(("ip", lines)))
    monkeypatch.setattr(network, "shape", lambda _, port, mbit, __: found.append((port, mbit)))
    return found


def act(tmp_path: Path, name: str, *, clear: bool) -> None:
    nodes = [node("ctl0", 10, 0), node("h100-0", 11, 8), node("h100-1", 12, 8)]
    contract = SimpleNamespace(nodes=nodes, node=lambda wanted: next(n for n in nodes if n.name == wanted))
    context = FaultContext(Workspace(tmp_path, "lab"), cast(Any, contract), [])
    known = faults.FAULTS[name]
    (known.clear if clear else known.inject)(context, Injected(name, "h100-0", RAIL, 5.0, "node"))


def test_a_leaf_without_power_takes_every_port_in_it_down(done: list[Any], tmp_path: Path) -> None:
    act(tmp_path, "leaf-down", clear=False)
    ((_, down),) = done
    assert len(down) == 2 and all(line.startswith(f"link set Eth{RAIL}-") for line in down)
    done.clear()
    act(tmp_path, "leaf-down", clear=True)
    assert done == [("ip", [line.replace(" down", " up") for line in down])]


def test_a_slow_leaf_forwards_less_to_everybody(done: list[Any], tmp_path: Path) -> None:
    act(tmp_path, "leaf-slow", clear=False)
    assert [mbit for _, mbit in done] == [pytest.approx(95.0)] * 2
    ports = [port for port, _ in done]
    assert len(set(ports)) == 2 and all(port.startswith(f"Eth{RAIL}-") for port in ports)
    done.clear()
    act(tmp_path, "leaf-slow", clear=True)
    assert done == [(port, 100.0) for port in ports]


def test_only_they_are_shared() -> None:
    assert {one.name for one in faults.FAULTS.values() if one.shared} == set(SHARED)
