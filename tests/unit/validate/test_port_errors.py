"""The stage that reads error counters of ports: which files, when, and what is said where they cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from railbed.claims import Claim, Judged, Verdict
from railbed.contract import Contract
from railbed.run import Result
from railbed.validate import port_errors
from railbed.validate.answers import Answers, judged
from railbed.validate.scope import select
from railbed.validate.validation_run import ValidationRun


class Counters:
    """Nodes that print their counters; ``rises``: node → rise of the first file at the second reading."""

    def __init__(self, contract: Contract, fake_remote: Any, folder: Path) -> None:
        self.contract, self.fake_remote, self.folder = contract, fake_remote, folder
        self.rises: dict[str, int] = {}
        self.silent: set[str] = set()
        self.lines: list[str] = []
        self.asked: dict[str, int] = {}

    def _answer(self, node: str, line: str) -> Result:
        self.lines.append(line)
        if node in self.silent:
            return Result((), 255, "", f"ssh: connect to host {node} port 22: No route to host\n")
        self.asked[node] = self.asked.get(node, 0) + 1
        rise = self.rises.get(node, 0) if self.asked[node] > 1 else 0
        paths = [word for word in line.split() if word.startswith("/sys/")]
        return Result(
            (), 0, "".join(f"{path}:{1 + (rise if at == 0 else 0)}\n" for at, path in enumerate(paths)), ""
        )

    def run(self, transport: str = "tcp", *, load: bool = True) -> dict[str, Judged]:
        roles = ["compute", "spare"]
        claims = [Claim(id="fabric.port_errors", statement="", roles=roles)]
        claims += [Claim(id="fabric.rail.0.bandwidth", statement="", roles=roles)]
        machines = [one.model_copy(update={"transport": transport}) for one in self.contract.machines]
        made = self.contract.model_copy(update={"claims": claims, "machines": machines})
        scope = select(made)
        validation = ValidationRun(
            made, self.fake_remote(self._answer), scope, Answers(scope), self.folder, lambda _: None
        )
        port_errors.PORTS.begin(validation)
        for question in validation.scope.get("fabric.rail.*") if load else ():
            validation.answers.add(judged(question, Verdict.PASS, "", measured=0.09))
        port_errors.PORTS.run(validation)
        return {one.node: one for one in validation.answers.complete() if one.claim == port_errors.CLAIM}


@pytest.fixture
def counters(contract: Contract, fake_remote: Any, tmp_path: Path) -> Counters:
    return Counters(contract, fake_remote, tmp_path)


@pytest.mark.parametrize(
    ("transport", "file"), [("tcp", "/sys/class/net/"), ("roce", "/sys/class/infiniband/")]
)
def test_the_files_are_those_of_the_transport(counters: Counters, transport: str, file: str) -> None:
    found = counters.run(transport)
    assert {one.verdict for one in found.values()} == {Verdict.PASS} and found
    assert all(file in line for line in counters.lines) and len(counters.lines) == 2 * len(found)


@pytest.mark.refutes("fabric.port_errors")
def test_a_link_that_went_down_meanwhile_fails_its_node_alone(counters: Counters) -> None:
    counters.rises["h100-1"] = 1
    found = counters.run()
    assert [name for name, one in found.items() if one.verdict is Verdict.FAIL] == ["h100-1"]
    assert found["h100-1"].detail["parts"] == ["rail 0"] and "carrier_down_count +1" in found["h100-1"].reason


def test_a_node_that_does_not_answer_is_unproven(counters: Counters) -> None:
    counters.silent.add("h100-2")
    one = counters.run()["h100-2"]
    assert one.verdict is Verdict.UNPROVEN and "h100-2" in one.reason


def test_without_load_nothing_is_proven(counters: Counters) -> None:
    found = counters.run(load=False)
    assert {one.verdict for one in found.values()} == {Verdict.UNPROVEN}
    assert {name: one.reason for name, one in found.items()} == {
        name: port_errors.UNLOADED.format(name) for name in found
    }
