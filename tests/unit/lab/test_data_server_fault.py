"""A data server that was taken back is waited for: the fault is over when the metadata server lists it with its space."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from railbed.errors import RailbedError
from railbed.platforms.lab import faults, service_faults
from railbed.platforms.lab.fault import FaultContext, Injected
from railbed.run import Result

DATA = Path(__file__).parents[1] / "validate/data"
LISTED, DEAD = ((DATA / f"mfscli-{name}.txt").read_text() for name in ("servers", "servers-dead"))


class Lab:
    """A remote that answers with one list of data servers after the other, the last one for ever."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, Any]] = []

    def run(self, node: str, argv: Any, **_: Any) -> Result:
        self.asked.append((node, argv))
        if argv[0] != "mfscli":
            return Result(argv, 0, "", "")
        return Result(argv, 0, self.answers.pop(0) if len(self.answers) > 1 else self.answers[0], "")


def _clear(lab: Lab) -> None:
    nodes = {"h100-0": "10.90.0.11", "h100-1": "10.90.0.12"}
    contract = SimpleNamespace(
        filesystems=[SimpleNamespace(metadata_server="h100-0", data_servers=["h100-0", "h100-1"])],
        node=lambda name: SimpleNamespace(name=name, address=nodes[name]),
    )
    context = cast(FaultContext, SimpleNamespace(contract=contract, remote=lab, ssh=lambda *_: None))
    fault = Injected("fs-server-down", "h100-1", 0, 50.0, "node")
    faults.FAULTS["fs-server-down"].clear(context, fault)


def test_it_is_asked_for_until_it_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_faults, "POLL_S", 0.0)
    lab = Lab(DEAD, "can't connect to master\n", LISTED)
    _clear(lab)
    assert [node for node, argv in lab.asked if argv[0] == "mfscli"] == ["h100-0"] * 3


def test_one_that_stays_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_faults, "POLL_S", 0.0)
    monkeypatch.setattr(service_faults, "FAULT_CLEAR_TIMEOUT_S", 0.0)
    with pytest.raises(RailbedError, match="does not list the data server on h100-1"):
        _clear(Lab(DEAD))
