"""The table of claims: one declaration each, every one answered by something, or counted."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from railbed import plan, spec
from railbed.claims import Claim, Judged, Verdict, table
from railbed.claims.definition import Level, Subject
from railbed.claims.measurements import HARDWARE_SUITE, MEASUREMENTS, NODE_SUITE, Reach
from railbed.validate.node import health

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
UNMEASURED = {
    "lab-cluster": 0,
    "machines": 0,
    "aws-cluster": 0,
    "cluster": 0,
    "metal": 0,
    "flagship": 0,
    "finetuning": 0,
    "inference": 0,
    "scientific": 0,
    "hosts": 0,
    "kubernetes-cluster": 39,
}
"""Example, or what its name ends with → its essential claims that nothing answers. These numbers may only fall."""
MARK = re.compile(r'@pytest\.mark\.claim\("([\w.]+)"\)')
REFUTES = re.compile(r"@pytest\.mark\.refutes\(([^)]*)\)")


def planned(path: Path) -> plan.ClusterPlan:
    return plan.plan(spec.load(path), path.name)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_claim_of_an_example_is_declared_once_and_measured(path: Path) -> None:
    made = planned(path)
    for one in [*made.claims, *made.out_of_scope]:
        matching = [d.id for d in table.every() if d.pattern.fullmatch(one.id)]
        assert len(matching) == 1, one.id
    open_ones = [claim for claim in made.claims if claim.unmeasured]
    assert all(table.defined(claim.id).essential for claim in open_ones)
    assert all(bool(claim.measured_by) is not bool(claim.unmeasured) for claim in made.claims)
    expected = UNMEASURED.get(path.stem, UNMEASURED[path.stem.rsplit("-", 1)[1]])
    assert len(open_ones) == expected, "the number may only fall"
    assert ("UNMEASURED" in {warning.code for warning in made.warnings}) is bool(open_ones)


def test_measurements_are_of_the_table() -> None:
    used = [one.by for one in table.every()]
    assert all(any(one is known for known in MEASUREMENTS) for one in used if one.step)
    assert all(any(known is one for one in used) for known in MEASUREMENTS)


def test_every_claim_of_the_on_node_suite_has_a_test_there() -> None:
    files = (ROOT / "infra/railbed/validate/node").glob("test_*.py")
    answered = {name for file in files for name in MARK.findall(file.read_text())}
    assert answered == {one.id for one in table.every() if one.by in (NODE_SUITE, HARDWARE_SUITE)}


def test_the_health_check_asks_the_fast_claims() -> None:
    wanted = {"mounts": ["/"], "rails": [1], "time_offset_s": 1, "names": ["a"], "gpus": 8}
    asked = {f"node.{name}" for name in health.fast_checks(wanted, by_hand=False)}
    assert asked - {"node.names", "node.hung"} == {one.id for one in table.every() if one.level is Level.FAST}


def test_every_measured_claim_has_a_test_that_makes_it_fail() -> None:
    files = [*(ROOT / "tests/unit").rglob("test_*.py"), *(ROOT / "tests/validation").rglob("test_*.py")]
    found = {
        name
        for file in files
        for words in REFUTES.findall(file.read_text())
        for name in words.split('"')[1::2]
    }
    assert found == {one.id for one in table.every() if one.by.step}


def test_every_claim_says_what_to_do() -> None:
    assert all(re.fullmatch(r"[a-z][a-z-]*", one.runbook) for one in table.every())


def test_a_claim_of_another_release_is_not_measured() -> None:
    strange = Claim(id="node.quantum", statement="entangled", roles=["compute"])
    assert "does not know" in table.measured(strange, ["tcp"]).unmeasured


def test_each_transport_has_its_own_program() -> None:
    claim = Claim(id="fabric.rail.3.bandwidth", statement="carries", roles=["compute"], measured_by="iperf3")
    assert table.measured(claim, ["tcp"]).measured_by == "iperf3"
    assert table.measured(claim, ["roce"]).measured_by == "ib_write_bw"
    assert table.measured(claim, ["infiniband", "tcp"]).measured_by == "ib_write_bw, iperf3"
    assert table.measured(claim, ["efa"]).measured_by == "ib_write_bw"


def test_what_runs_on_the_nodes_of_a_kubernetes_cluster_needs_its_image() -> None:
    gpus = Claim(id="node.gpus", statement="eight", roles=["compute"])
    assert table.measured(gpus, ["tcp"], Reach.JOBS).measured_by == "the on-node suite in a Job"
    assert "`platform.checks`" in table.measured(gpus, ["tcp"], Reach.API).unmeasured
    packages = Claim(id="node.packages", statement="held", roles=["compute"])
    assert "on Kubernetes yet" in table.measured(packages, ["tcp"], Reach.JOBS).unmeasured
    state = Claim(id="scheduler.state", statement="fit", roles=[])
    assert table.measured(state, ["tcp"], Reach.JOBS).measured_by == "the Kubernetes API"


def test_a_verdict_knows_its_rail_by_the_table() -> None:
    """The id's form is declared in the table; what reads a verdict takes the rail from it."""
    for one in table.every():
        claim = one.id.format(rail=3, name="all_reduce", nodes=2)
        judged = Judged(claim=claim, node="h100-0", verdict=Verdict.PASS, reason="")
        assert judged.rail == (3 if one.subject is Subject.RAIL else None), claim


def test_the_page_is_current() -> None:
    file = importlib.util.spec_from_file_location("claims_reference", ROOT / "tools/claims_reference.py")
    assert file is not None and file.loader is not None
    module = importlib.util.module_from_spec(file)
    file.loader.exec_module(module)
    assert module.PAGE.read_text() == module.page(), "run .venv/bin/python tools/claims_reference.py"
