"""Whole replayed clusters through the production stage: healthy ones earn their certificate."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.replay.remote import Site, validated

from railbed.claims import Verdict
from railbed.effects.workspace import Workspace
from railbed.validate import certificate, lapse

LACKS = "not measured:"
"""How the reason begins that a claim is out of scope for want of a measurement."""


@pytest.mark.parametrize("kind", ["hgx", "roce", "p5", "p4d"])
def test_a_healthy_cluster_earns_its_certificate(
    kind: str, sites: dict[str, Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, work = sites[kind], Workspace(tmp_path, "replay")
    cluster = site.cluster()
    report = validated(site, cluster, work, monkeypatch)
    assert [f"{c.claim} {c.node}: {c.reason}" for c in report.claims if c.verdict is not Verdict.PASS] == []
    assert report.verdict is Verdict.PASS and report.culprits == []
    assert report.accepted_unproven == {} and not report.simulated
    assert [one.id for one in report.out_of_scope if one.reason.startswith(LACKS)] == []
    issued = certificate.of_stack(work)
    assert issued.contract_hash == site.contract.hash
    assert len(issued.claims) == len(report.claims) > 260
    assert lapse(site.contract, work) == ""
    contained = {one.node for one in report.claims if one.claim == "job.container"}
    users = [order.rpartition(" ")[2] for order in cluster.orders if "Users" in order]
    if kind == "roce":
        assert contained == {node.name for node in site.contract.with_role("compute")}
        assert users == ["Users+=nobody", "Users-=nobody"]
    else:
        assert contained == set() and users == []
    assert any("delete ReservationName" in order for order in cluster.orders), (
        "accepted nodes leave the reservation"
    )
