"""The claim of cabling, from what real lldpd said on a lab, and from what `ibnetdiscover` prints of a planned subnet."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from railbed.claims import Claim, Verdict
from railbed.contract import Contract, Nic, Rail
from railbed.fabric import FabricRequest, Names, infiniband
from railbed.fabric import plan as planned_fabric
from railbed.fabric.cables import cables
from railbed.run import Result
from railbed.validate import cabling
from railbed.validate.answers import Answers
from railbed.validate.scope import select
from railbed.validate.validation_run import ValidationRun

DATA = Path(__file__).parent / "data/cabling"
NODES = [f"h100-{i}" for i in range(4)]
CLAIM = Claim(id=cabling.CLAIM, statement="every cable", roles=[], measured_by="lldpcli")
Judge = Callable[..., Any]


def heard(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text())
    return found


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cabling, "LLDP_HEARD_S", 0.0)
    monkeypatch.setattr(cabling, "LLDP_PAUSE_S", 0.0)


@pytest.fixture
def judge(contract: Contract, fake_remote: Any, tmp_path: Path) -> Judge:
    """The verdict where nodes answer as a function says, of a contract whose rails are changed by another."""

    def judged(
        answer: Any,
        change: Any,
        transport: str = "tcp",
        dead: tuple[str, ...] = (),
        away: tuple[str, ...] = (),
    ) -> Any:
        nodes = [
            node.model_copy(update={"rails": [change(node.name, rail) for rail in node.rails]})
            for node in contract.nodes
        ]
        machines = [one.model_copy(update={"transport": transport}) for one in contract.machines]
        made = contract.model_copy(
            update={"nodes": nodes, "machines": machines, "claims": [*contract.claims, CLAIM]}
        )
        scope = select(made, pattern=cabling.CLAIM)
        validation = ValidationRun(made, fake_remote(answer), scope, Answers(scope), tmp_path, lambda _: None)
        validation.unreachable = {name: f"blocked by {name}, which cannot be reached" for name in away}
        validation.dead_rails = {name: f"blocked by node.nics on {name}" for name in dead}
        cabling.run(validation)
        return validation.answers.complete()[0], validation

    return judged


def with_port(name: str, rail: Rail) -> Rail:
    """The lab's plan: ports in the order of the hosts, from 1."""
    nic = rail.nics[0].model_copy(update={"port": str(1 + NODES.index(name))})
    return rail.model_copy(update={"nics": [nic]})


def saying(said: dict[str, Any]) -> Any:
    return lambda node, line: Result((line,), 0, json.dumps(said[node]), "")


def test_what_every_node_hears_is_the_plan(judge: Judge) -> None:
    verdict, _ = judge(saying(heard("good")), with_port)
    assert (verdict.verdict, verdict.measured, verdict.expected) == (Verdict.PASS, 8, 8)


@pytest.mark.refutes("fabric.cabling")
def test_two_swapped_cables_are_named_and_jobs_leave_their_node_alone(judge: Judge) -> None:
    verdict, validation = judge(saying(heard("swapped")), with_port)
    assert verdict.verdict is Verdict.FAIL
    assert verdict.detail["guilty"] == [["h100-1", "rail 0"], ["h100-1", "rail 1"]]
    assert "h100-1 rail 0 ends in leaf1 port 2 (of h100-1 rail 1), not in leaf0 port 2" in verdict.reason
    assert list(validation.dead_rails) == ["h100-1"]


@pytest.mark.parametrize(
    ("code", "out", "reason"),
    [
        (127, "", "lldpcli"),
        (0, "", "h100-2 rail 0: nothing is heard"),
        (0, '{"lldp": {"interface": 7}}', "h100-2 rail 0: nothing is heard"),
        (0, "\x00\xff{{{{", "h100-2 rail 0: nothing is heard"),
    ],
)
def test_a_node_that_tells_nothing_proves_nothing(judge: Judge, code: int, out: str, reason: str) -> None:
    good = saying(heard("good"))

    def answer(node: str, line: str) -> Result:
        return Result((line,), code, out, "") if node == "h100-2" else good(node, line)

    verdict, _ = judge(answer, with_port)
    assert verdict.verdict is Verdict.UNPROVEN and reason in verdict.reason


def test_rails_that_are_down_explain_that_nothing_is_heard(judge: Judge) -> None:
    said = heard("good")
    said["h100-2"]["lldp"]["interface"] = said["h100-2"]["lldp"]["interface"][1:]
    reason = "blocked by node.nics on h100-2: h100-2 rail 0: nothing is heard from its switch"
    verdict, _ = judge(saying(said), with_port, dead=("h100-2",))
    assert (verdict.verdict, verdict.reason) == (Verdict.UNPROVEN, reason)
    verdict, _ = judge(saying(said), with_port, dead=("h100-2",), away=("h100-3",))
    assert verdict.verdict is Verdict.UNPROVEN
    assert verdict.reason.startswith(
        "blocked by node.nics on h100-2; blocked by h100-3, which cannot be reached: "
    )
    said["h100-3"] = {"lldp": {}}
    verdict, _ = judge(saying(said), with_port, dead=("h100-2",))
    assert verdict.verdict is Verdict.UNPROVEN and not verdict.reason.startswith("blocked")


def test_a_rail_that_just_came_up_is_heard_at_a_second_look(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cabling, "LLDP_HEARD_S", 60.0)
    asked: list[str] = []

    def answer(node: str, line: str) -> Result:
        first = node not in asked
        asked.append(node)
        said = {"lldp": {}} if first and node == "h100-3" else heard("good")[node]
        return Result((line,), 0, json.dumps(said), "")

    verdict, _ = judge(answer, with_port)
    assert verdict.verdict is Verdict.PASS
    assert sorted(asked) == [*NODES, "h100-3"], "nobody else is asked again"


def test_a_plan_that_names_no_switches_is_said(judge: Judge) -> None:
    def unnamed(_: str, rail: Rail) -> Rail:
        return rail.model_copy(update={"nics": [rail.nics[0].model_copy(update={"switch": ""})]})

    verdict, _ = judge(saying(heard("good")), unnamed)
    assert verdict.verdict is Verdict.UNPROVEN and "switch" in verdict.reason


FABRIC = planned_fabric(FabricRequest(nodes=4, rails=2, radix=8))
NAMES = Names(nodes=NODES, nics=("mlx5_0", "mlx5_1"))


def in_subnet(name: str, rail: Rail) -> Rail:
    found = {
        (one.source, one.rail): Nic(device=str(one.source_port), netdev="", rate_gbps=400.0, switch=one.target,
                                    port=str(one.target_port))
        for one in cables(FABRIC, NAMES)
        if one.tier == "node_leaf"
    }  # fmt: skip
    return rail.model_copy(update={"nics": [found[name, rail.index]]})


def subnet() -> str:
    return "".join(infiniband.ibnetdiscover(FABRIC, NAMES, 400.0))


def test_one_look_at_the_subnet_shows_every_cable(judge: Judge) -> None:
    asked: list[tuple[str, str]] = []

    def answer(node: str, line: str) -> Result:
        asked.append((node, line))
        return Result((line,), 0, subnet(), "")

    verdict, _ = judge(answer, in_subnet, "infiniband")
    assert (verdict.verdict, verdict.measured) == (Verdict.PASS, 8)
    assert len(asked) == 1 and "ibnetdiscover -C mlx5_0 -P 1" in asked[0][1]


def test_the_subnet_shows_the_cables_of_a_node_that_cannot_be_reached_too(judge: Judge) -> None:
    verdict, _ = judge(
        lambda _, line: Result((line,), 0, subnet(), ""), in_subnet, "infiniband", away=("h100-3",)
    )
    assert (verdict.verdict, verdict.measured) == (Verdict.PASS, 8)


def test_a_node_with_a_rail_that_is_down_is_not_asked_for_the_subnet(judge: Judge) -> None:
    asked: list[str] = []

    def answer(node: str, line: str) -> Result:
        asked.append(node)
        return Result((line,), 0, subnet(), "")

    judge(answer, in_subnet, "infiniband", dead=("h100-0",))
    judge(answer, in_subnet, "infiniband", dead=tuple(NODES))
    assert asked == ["h100-1", "h100-0"]


def test_swapped_cables_of_a_subnet_are_named(judge: Judge) -> None:
    text = subnet()
    one, other = '"h100-2 mlx5_0"', '"h100-2 mlx5_1"'
    text = text.replace(one, "@").replace(other, one).replace("@", other)
    verdict, validation = judge(lambda _, line: Result((line,), 0, text, ""), in_subnet, "infiniband")
    assert verdict.verdict is Verdict.FAIL
    assert verdict.detail["guilty"] == [["h100-2", "rail 0"], ["h100-2", "rail 1"]]
    assert not validation.dead_rails, "the subnet carries packets to wherever the card is"


def test_a_subnet_that_cannot_be_seen_proves_nothing(judge: Judge) -> None:
    denied = Result(("ibnetdiscover",), 1, "", "ibwarn: [1] mad_rpc_open_port: can't open UMAD port")
    verdict, _ = judge(lambda *_: denied, in_subnet, "infiniband")
    assert verdict.verdict is Verdict.UNPROVEN and "UMAD" in verdict.reason
