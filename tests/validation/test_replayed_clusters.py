"""Whole replayed clusters through the production stage: healthy ones earn their certificate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.replay import clusters
from tests.support.replay.remote import Cluster, Site

from railbed.claims import Verdict
from railbed.effects import remote
from railbed.effects.workspace import Workspace
from railbed.validate import certificate, run
from railbed.validate.records import Report

Validate = Callable[[Site, Cluster], Report]


@pytest.fixture(scope="module", params=["hgx", "p5"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, "replay")


@pytest.fixture
def validate(work: Workspace, monkeypatch: pytest.MonkeyPatch) -> Validate:
    """Runs the stage against a cluster that answers in place of ssh."""
    monkeypatch.setattr("railbed.validate.patience.MEASURE_PAUSE_S", 0.0)
    monkeypatch.setattr("railbed.validate.patience.MEASURE_BUDGET_S", 0.0)

    def go(site: Site, cluster: Cluster, **filters: Any) -> Report:
        monkeypatch.setattr(remote, "run", cluster.run)
        monkeypatch.setattr(remote, "Session", cluster.session)
        clusters.remember(cluster.contract, work, site.seen)
        return run(cluster.contract, work, **filters)

    return go


def test_a_healthy_cluster_earns_its_certificate(site: Site, validate: Validate, work: Workspace) -> None:
    report = validate(site, site.cluster())
    assert [
        f"{c.claim} {c.node}: {c.verdict} {c.reason}" for c in report.claims if c.verdict is not Verdict.PASS
    ] == []
    assert report.accepted_unproven == {} and not report.simulated
    assert report.verdict is Verdict.PASS and report.culprits == []
    issued = certificate.of_stack(work)
    assert issued.contract_hash == site.contract.hash
    assert len(issued.claims) == len(report.claims) > 260
