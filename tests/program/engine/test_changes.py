"""What the real engine would do when a spec changes: golden texts, and no node in use is ever made anew.

The providers are stand-ins (``stand_in``): what a cloud accepts is not shown here. A golden text is renewed by
``RENEW_GOLDEN=1 pytest tests/program/engine``, and read before it is committed.
"""

from __future__ import annotations

import copy
import importlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi.automation as auto
import pytest
from railbed_policy.facts import facts, table
from tests.program.clouds import cases, checks
from tests.program.engine.harness import Bench, Step, losing, told

from railbed.effects import contract_store
from railbed.effects.workspace import Workspace
from railbed.platforms.cloud.support import Lacks

pytestmark = pytest.mark.engine
GOLDEN = Path(__file__).with_name("golden")
KINDS = [kind for kind in ("aws", "gcp", "oci") if kind in cases.views()]
NODES_AND_DATA = frozenset(token for token in table() if facts(token).pool or facts(token).data)
Spec = dict[str, Any]


def base(kind: str) -> Spec:
    """64 nodes, two spares and a filesystem."""
    data = cases.small(kind)
    data["pools"][0].update(nodes=64, spares=2)
    return data


def grown(data: Spec) -> Spec:
    data["pools"][0]["nodes"] = 96
    return data


def shrunk(data: Spec) -> Spec:
    data["pools"][0]["nodes"] = 64
    return data


def another_pool(data: Spec) -> Spec:
    data["pools"].append({**data["pools"][0], "name": "more", "nodes": 8, "spares": 0})
    return data


def renamed(data: Spec) -> Spec:
    data["pools"][0].update(name="training", formerly="gpu")
    data["filesystems"][0].update(name="data", formerly="scratch")
    return data


def larger_filesystem(data: Spec) -> Spec:
    data["filesystems"][0]["capacity_tib"] *= 2
    return data


CHANGES: list[Callable[[Spec], Spec]] = [shrunk, another_pool, renamed, larger_filesystem]


@pytest.fixture(scope="module", params=KINDS)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A stack of 64 nodes that was made, looked at again, and grown to 96; each step is kept for the tests to read."""
    with Bench.opened(cases.views()[request.param], tmp_path_factory.mktemp("stack")) as made:
        made.history["create"] = made.up(base(request.param))
        made.history["again"] = made.preview(base(request.param))
        made.history["grow"] = made.up(grown(base(request.param)))
        yield made


def now(bench: Bench) -> Spec:
    return grown(base(bench.view.kind))


def golden(bench: Bench, change: str, steps: list[Step]) -> None:
    file = GOLDEN / f"{bench.view.kind}-{change}.txt"
    if os.environ.get("RENEW_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(told(steps))
    assert told(steps) == file.read_text()


def test_the_first_up_makes_everything(bench: Bench) -> None:
    golden(bench, "create", bench.history["create"])
    assert {step.op for step in bench.history["create"]} <= {"create", "read"}
    assert len(bench.cloud) > 10


def test_the_same_spec_again_changes_nothing(bench: Bench) -> None:
    assert {step.op for step in bench.history["again"]} <= {"same", "read"}


def test_growing_makes_nodes_and_replaces_none(bench: Bench) -> None:
    golden(bench, "grow", bench.history["grow"])
    assert losing(bench.history["grow"], NODES_AND_DATA) == []
    assert any(facts(step.typ).pool and step.op == "update" for step in bench.history["grow"])
    made = contract_store.load(Workspace(bench.folder, cases.STACK))
    assert sum(node.pool == "gpu" for node in made.nodes) == 98


def policies(bench: Bench) -> dict[str, Any]:
    """Options of a preview that runs the policy pack, with this stack's contract."""
    settings = bench.folder / "policy.json"
    settings.write_text(json.dumps({"data-losing-change": {"contract": str(bench.contract_file)}}))
    return {"policy_packs": [str(cases.ROOT / "policy")], "policy_pack_configs": [str(settings)]}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_no_change_of_the_spec_replaces_nodes_or_data(bench: Bench, change: Callable[[Spec], Spec]) -> None:
    # The rename is what could look like a loss to the policy pack, so it runs with it: the whole program passes.
    steps = bench.preview(change(now(bench)), **(policies(bench) if change is renamed else {}))
    golden(bench, change.__name__, steps)
    assert losing(steps, NODES_AND_DATA) == []
    assert any(step.op in ("update", "create") for step in steps)


def test_a_pool_that_is_called_otherwise_without_saying_so_is_refused(bench: Bench) -> None:
    if bench.view.kind != KINDS[0]:
        pytest.skip("one cloud is enough: rules and their tables are tested for each")
    data = now(bench)
    data["pools"][0]["name"] = "others"
    with pytest.raises(auto.CommandError, match="pool gpu is in the stack's contract and declared no more"):
        bench.preview(data, **policies(bench))


def test_what_is_there_already_is_not_made(bench: Bench) -> None:
    """A filesystem and a network that somebody else made: a stack of its own, so nothing of it is known to the engine."""
    kind = bench.view.kind
    data = cases.with_existing(base(kind), kind)
    if not isinstance(checks.support(kind)["existing_network"], Lacks):
        data = cases.in_network(data, kind)
    other = bench.beside("import")
    steps = other.preview(data)
    golden(bench, "import", steps)
    created = {step.typ for step in steps if step.op == "create"}
    networks = {"aws:ec2/vpc:Vpc", "oci:Core/vcn:Vcn", "aws:ec2/subnet:Subnet", "oci:Core/subnet:Subnet"}
    assert not {typ for typ in created if facts(typ).data}
    assert not created & networks


def test_a_newer_provider_replaces_nothing(bench: Bench) -> None:
    kind = bench.view.kind
    sdk = importlib.import_module(f"pulumi_{kind}._utilities")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sdk, "_version_str", "99.0.0")
        steps = bench.preview(now(bench))
    golden(bench, "provider", steps)
    assert losing(steps, NODES_AND_DATA) == []


def test_drift_by_hand_is_seen_and_mended(bench: Bench) -> None:
    group = next(one for name, one in bench.cloud.items() if facts(one["type"]).pool and "gpu" in name)
    before = copy.deepcopy(group["inputs"])
    group["inputs"].pop(
        next(key for key in before if key in ("desiredCapacity", "targetSize", "displayName"))
    )
    try:
        steps = bench.preview(now(bench), refresh=True)
    finally:
        group["inputs"] = before
    mended = [step for step in steps if step.op == "update" and step.typ == group["type"]]
    assert mended and mended[0].keys
    golden(bench, "drift", steps)


def test_another_zone_would_make_nodes_anew_and_is_seen(bench: Bench) -> None:
    """What the other tests rest on: this stand-in replaces where the provider would, and ``losing`` finds it."""
    data = now(bench)
    data["platform"]["zone"] = f"{data['platform']['zone']}x"
    data["filesystems"] = []
    with pytest.raises(auto.CommandError, match="protect"):
        bench.preview(data)
    steps = bench.seen
    assert losing(steps, NODES_AND_DATA)


def test_destroy_keeps_the_data(bench: Bench) -> None:
    """Last: a plain destroy ends in an error that names what is protected; one without it ends well; both leave the data."""
    with pytest.raises(auto.CommandError, match="protect"):
        bench.destroy()
    assert any(facts(one["type"]).data for one in bench.cloud.values())
    bench.destroy(exclude_protected=True)
    left = {one["type"] for one in bench.cloud.values()}
    assert any(facts(typ).data for typ in left)
    assert not any(facts(typ).pool for typ in left)
