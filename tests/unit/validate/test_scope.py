import pytest

from railbed.contract import Contract
from railbed.errors import ContractError, UsageError
from railbed.validate.scope import select


def keys(contract: Contract, **filters: object) -> set[tuple[str, str]]:
    return {q.key for q in select(contract, **filters).questions}  # type: ignore[arg-type]


def test_every_claim_of_the_contract_is_asked(contract: Contract) -> None:
    asked = keys(contract)
    assert {claim for claim, _ in asked} == {c.id for c in contract.claims}
    assert ("node.gpus", "h100-3") in asked
    assert ("node.gpus", "ctl0") not in asked
    assert ("node.time", "ctl0") in asked
    assert ("fabric.all_rails", "") in asked
    assert select(contract).whole


def test_a_claim_about_gpus_is_not_asked_of_a_node_without(contract: Contract) -> None:
    bare = contract.nodes[1].model_copy(update={"gpus": 0, "rails": []})
    smaller = contract.model_copy(update={"nodes": [contract.nodes[0], bare, *contract.nodes[2:]]})
    asked = keys(smaller)
    assert ("node.gpus", bare.name) not in asked
    assert ("fabric.rail.0.bandwidth", bare.name) not in asked
    assert ("node.time", bare.name) in asked


def test_quick_leaves_the_rails_alone(contract: Contract) -> None:
    scope = select(contract, quick=True)
    assert not scope.whole
    assert not scope.asks("fabric.*")
    assert not scope.asks("collective.*")
    assert scope.asks("node.gpus")
    assert scope.asks("scheduler.state")


def test_one_node_has_its_own_claims_and_its_data_server(contract: Contract) -> None:
    asked = keys(contract, only=["h100-1"])
    assert {node for claim, node in asked if claim != "storage.servers"} == {"h100-1"}
    assert ("storage.servers", "") in asked
    assert ("storage.servers", "") not in keys(contract, only=["h100-3"])


def test_a_pattern_may_name_a_claim_of_the_cluster(contract: Contract) -> None:
    assert keys(contract, only=["h100-1"], pattern="fabric.*") == {
        ("fabric.rail.0.bandwidth", "h100-1"), ("fabric.rail.1.bandwidth", "h100-1"),
        ("fabric.all_rails", ""), ("fabric.transport", ""),
    }  # fmt: skip


def test_filters_that_match_nothing_are_refused(contract: Contract) -> None:
    with pytest.raises(UsageError) as wrong:
        select(contract, pattern="fabric.ral.*")
    assert wrong.value.code == "CLAIM_UNKNOWN"
    assert "node.gpus" in wrong.value.allowed
    with pytest.raises(ContractError) as unknown:
        select(contract, only=["h100-9"])
    assert unknown.value.code == "NODE_UNKNOWN"
