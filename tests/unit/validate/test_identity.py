"""The claim `node.identity`, from what nodes print to verdicts: another machine under the same name is noticed."""

import json
from typing import Any

import pytest

from railbed.certificate.identity import CLAIM
from railbed.claims import Judged, Verdict
from railbed.contract import Contract
from railbed.effects.workspace import Workspace
from railbed.errors import ContractError
from railbed.run import Result
from railbed.validate import answers, certificate, identity, lapse, on_node, run, stage
from railbed.validate.validation_run import ValidationRun


class Nodes:
    """Nodes that print who they are; ``machines`` maps a node to its machine id, ``gpus`` to the UUIDs of its GPUs."""

    def __init__(self, contract: Contract) -> None:
        names = [node.name for node in contract.nodes]
        self.machines = {name: f"{place:032x}" for place, name in enumerate(names)}
        self.gpus = {
            name: [f"GPU-{place:08x}-{index}" for index in range(8)] for place, name in enumerate(names)
        }
        self.odd: dict[str, Any] = {}
        """Node → what it shows instead."""

    def answer(self, node: str, line: str) -> Result | None:
        if "pytest" not in line:
            return Result((), 0, "", "")
        table = "".join(f"{i}, {uuid}, 165232301234{i}\n" for i, uuid in enumerate(self.gpus[node]))
        shown = {
            "container": "systemd-nspawn",
            "machine_id": self.machines[node],
            "gpus": table,
        }
        record = {"claim": CLAIM, "verdict": "unproven", "reason": "…", "shown": self.odd.get(node, shown)}
        return Result((), 0, json.dumps([record]), "")


@pytest.fixture
def nodes(contract: Contract) -> Nodes:
    return Nodes(contract)


@pytest.fixture
def cluster(contract: Contract, nodes: Nodes) -> Contract:
    """The contract with the machines that the nodes are."""
    named = [
        node.model_copy(
            update={"identity": node.identity.model_copy(update={"value": nodes.machines[node.name]})}
        )
        for node in contract.nodes
    ]
    return contract.model_copy(update={"nodes": named}).sealed()


@pytest.fixture
def validated(
    cluster: Contract, nodes: Nodes, work: Workspace, fake_remote: Any, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Runs the stage on the nodes: only who they are is measured, everything else passes."""

    def rest(validation: ValidationRun) -> None:
        asked = [q for q in validation.scope.questions if q.claim.id != CLAIM]
        validation.answers.add(*(answers.judged(q, Verdict.PASS, "seen", measured=0.1) for q in asked))

    monkeypatch.setattr(stage, "Remote", lambda *_: fake_remote(nodes.answer))
    monkeypatch.setattr(stage, "STEPS", (("rest", rest), ("on-node checks", on_node.run)))

    def of(**filters: Any) -> dict[str, Judged]:
        report = run(cluster, work, **filters)
        return {one.node: one for one in report.claims if one.claim == CLAIM}

    return of


def test_machines_of_the_contract_pass_and_are_in_the_certificate(
    validated: Any, work: Workspace, nodes: Nodes
) -> None:
    found = validated()
    assert {one.verdict for one in found.values()} == {Verdict.PASS}
    assert found["h100-1"].measured == found["h100-1"].expected == nodes.machines["h100-1"]
    said = {node.name: node.measured for node in certificate.of_stack(work).nodes}
    assert said["h100-1"].machine_id == nodes.machines["h100-1"]
    assert [gpu.uuid for gpu in said["h100-1"].gpus] == nodes.gpus["h100-1"]
    assert said["h100-1"].simulated == ["gpus"], "the lab's GPUs are stand-ins"
    assert said["ctl0"].gpus == []
    assert "systemd-nspawn" in said["h100-1"].absent["serial"]


@pytest.mark.parametrize("filters", [{}, {"quick": True}, {"only": ["h100-2"]}, {"claim": "node.*"}])
@pytest.mark.refutes("node.identity")
def test_another_machine_under_the_same_name_fails(
    validated: Any, cluster: Contract, work: Workspace, nodes: Nodes, filters: dict[str, Any]
) -> None:
    """Finding 8 (c)."""
    nodes.machines["h100-2"] = "f" * 32
    found = validated(**filters)
    assert found["h100-2"].verdict is Verdict.FAIL
    assert "f" * 32 in found["h100-2"].reason
    assert found["h100-2"].detail["parts"] == ["machine"]
    assert not work.certificate_file.exists()
    assert "h100-2" not in work.accepted.read()


def test_one_machine_is_not_two_nodes(validated: Any, nodes: Nodes) -> None:
    nodes.gpus["h100-2"] = [nodes.gpus["h100-0"][3], *nodes.gpus["h100-2"][1:]]
    found = validated()
    assert {name for name, one in found.items() if one.verdict is Verdict.FAIL} == {"h100-0", "h100-2"}
    assert "is also that of h100-2" in found["h100-0"].reason


def test_a_part_that_was_swapped_is_noticed_until_the_node_is_validated_whole(
    validated: Any, cluster: Contract, work: Workspace, nodes: Nodes
) -> None:
    validated()
    assert lapse(cluster, work) == ""
    nodes.gpus["h100-1"][5] = "GPU-aaaaaaaa-5"
    found = validated(quick=True)
    assert found["h100-1"].verdict is Verdict.UNPROVEN
    assert "GPU GPU-aaaaaaaa-5 was not there" in found["h100-1"].reason
    assert found["h100-0"].verdict is Verdict.PASS
    assert validated(only=["h100-1"])["h100-1"].verdict is Verdict.PASS
    assert validated(quick=True)["h100-1"].verdict is Verdict.PASS, "it was accepted with its new part"


@pytest.mark.parametrize("odd", [None, {}, {"machine_id": "\x1b[2J"}])
def test_a_node_that_does_not_show_itself_is_unproven(validated: Any, nodes: Nodes, odd: Any) -> None:
    nodes.odd["h100-1"] = odd
    found = validated()
    assert found["h100-1"].verdict is Verdict.UNPROVEN
    assert found["h100-0"].verdict is Verdict.PASS


@pytest.mark.parametrize("text", ["", "[]", '{"h100-0": 1}', '{"h100-0": {"serial": ""}}', "[" * 10_000])
def test_a_damaged_list_of_identities_is_refused(work: Workspace, text: str) -> None:
    work.dir.mkdir(parents=True, exist_ok=True)
    work.identities_file.write_text(text)
    with pytest.raises(ContractError):
        identity.accepted(work)
