"""Looks at the cluster before `up` declares anything in it. Reads only."""

from __future__ import annotations

from railbed.contract import Contract
from railbed.effects.kubernetes import api as apis
from railbed.errors import RailbedError
from railbed.plan import ClusterPlan
from railbed.platforms.findings import Finding
from railbed.platforms.kubernetes import discover


def check(plan: ClusterPlan, before: Contract | None = None) -> list[Finding]:
    """The cluster and each pool. A pool that is not whole stops nothing: `up` makes a partial contract.

    ``before``: the stack's last contract, whose nodes stay the stack's while they are not ready.
    """
    place = discover.place_of(plan)
    try:
        found = discover.read_cluster(plan, *discover.known(before))
        discover.require_rights(apis.opened(place.kubeconfig, place.context), place)
    except RailbedError as wrong:
        return [Finding(wrong.code, ok=False, found=f"{wrong.message}: {wrong.found}", hint=wrong.hint)]
    findings = [Finding("API server", ok=True, found=f"{found.server}, Kubernetes {found.version}")]
    for pool in plan.pools:
        one = found.pools[pool.name]
        summary = "; ".join([f"{len(one.nodes)} nodes for {pool.size}", *one.reasons])
        whole = len(one.nodes) >= pool.size
        hint = "" if whole else "mend these nodes, or give them the pool's labels"
        findings.append(Finding(f"pool {pool.name}", whole, summary, hint, needed=not one.nodes))
    return findings
