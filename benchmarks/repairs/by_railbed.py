"""What happens to a node that stopped the job, with railbed: each step writes what the commands write."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import simpy

from railbed.catalog import ORDER, RungName
from railbed.configure.health import LIMIT
from railbed.defaults import HEALTH_REPORT_PREFIX, HEALTHCHECK_PREFIX, OPERATOR_PREFIX, REPAIR_PREFIX
from railbed.laws import drain_limit
from railbed.operate import breaker, guards, ladder, past, retire
from railbed.operate.guards import Action, Guard
from railbed.operate.lifecycle import Event, State
from railbed.validate.node import faults
from railbed.validate.node.probe import Symptom
from railbed.validate.node.report import compose

from .cluster import EPOCH, Cluster
from .faults import Fault, Kind
from .settings import DAY_S

Steps = Generator[simpy.Event, Any, None]


def handle(cluster: Cluster, name: str, fault: Fault) -> Steps:
    """Everything until the node is well again."""
    if fault.kind is Kind.OWNER:
        yield from _owner(cluster, name)
    elif fault.kind is Kind.SILENT:
        cluster.set_state(name, base="DOWN")
        cluster.moved(name, Event.SILENT)
        cluster.notify()
        yield cluster.env.timeout(cluster.setting.times.person)
        yield from _idle(cluster, name)
        yield from _part(cluster, name, fault)
    elif fault.kind is Kind.LEAF:
        yield from _leaf(cluster, name, fault)
    else:
        _reported(cluster, name, fault.cause.code)
        cluster.notify()
        yield from _repairs(cluster, name, fault)


def _owner(cluster: Cluster, name: str) -> Steps:
    """A person's drain: railbed only looks on."""
    cluster.drain(name, "the provider works on the host")
    cluster.moved(name, Event.HELD)
    cluster.notify()
    yield cluster.env.timeout(cluster.setting.times.host_away)
    cluster.resume(name)
    cluster.moved(name, Event.GIVEN_BACK)
    cluster.notify()


def _reported(cluster: Cluster, name: str, code: str) -> None:
    """The health check drains its node, or reports that the limit on drains does not let it. What has no row is not drained for:
    the job's own word for it is what a person acts on."""
    cluster.visible[name] = code
    if not faults.drains(code):
        return
    now_s = cluster.env.now
    out = [
        drain_limit.Out(one, _at_s(state.reason_at), by_itself=state.reason.startswith(HEALTHCHECK_PREFIX))
        for one, state in cluster.states.items()
        if state.drained and state.reason.startswith((HEALTHCHECK_PREFIX, REPAIR_PREFIX))
    ]
    if why := drain_limit.refusal(out, len(cluster.names), LIMIT, now_s):
        cluster.counts["not drained: limit"] += 1
        comment = compose([Symptom("not-drained", name, f"{code}: {why}")], HEALTH_REPORT_PREFIX)
        cluster.set_state(name, comment=comment)
        cluster.moved(name, Event.REPORTED, says=False)
        return
    cluster.drain(name, f"{HEALTHCHECK_PREFIX} {code}: told")
    cluster.moved(name, Event.DRAINED)


def _at_s(text: str) -> float:
    return (past.moment(text) or EPOCH).timestamp() - EPOCH.timestamp()


def _repairs(cluster: Cluster, name: str, fault: Fault) -> Steps:
    """Repairs, each ordered by a person, until one passes or the node goes to its vendor."""
    times, repaired = cluster.setting.times, False
    while not repaired:
        yield cluster.env.timeout(times.person)
        refusals = guards.refusals(cluster.picture(), [name], Action.REPAIR)
        guarding = {one.guard for one in refusals}
        cluster.refused.update(str(one) for one in guarding)
        breaker.note_all(cluster.journal, cluster.contract, guards.opened(refusals))
        if Guard.FLAPPING in guarding:
            break
        if Guard.BREAKER in guarding:
            yield cluster.env.timeout(times.breaker_reset)
            _reset(cluster, "one fault each, looked at")
        elif guarding:
            yield cluster.env.timeout(times.blocked_retry)
        else:
            climbed = yield from _climb(cluster, name, fault)
            if not climbed:
                break
            repaired = yield from _validated(cluster, name, fault)
    if not repaired:
        yield cluster.env.timeout(times.person)
        yield from _part(cluster, name, fault)


def _climb(cluster: Cluster, name: str, fault: Fault) -> Generator[simpy.Event, Any, bool]:
    """Drain, wait, evidence, hold, rungs: whether the ladder came to an end that is validated."""
    times, write = cluster.setting.times, cluster.journal.write
    cluster.drain(name, f"{REPAIR_PREFIX} {cluster.env.now:.0f}")
    write("repair-drain", node=name)
    cluster.set_state(name, comment="")
    cluster.moved(name, Event.DRAINED)
    cluster.counts["repairs"] += 1
    yield from _idle(cluster, name)
    write("repair-wait", node=name)
    yield cluster.env.timeout(times.evidence)
    cluster.reserved.add(name)
    write("repair-hold", node=name)
    cluster.moved(name, Event.STARTED)
    found = [cluster.visible[name]] if name in cluster.visible else []
    write("repair-causes", node=name, causes=found)
    without = ladder.lacking(cluster.contract, cluster.contract.node(name))
    spent = ladder.spent(cluster.contract, cluster.journal.kept, name, cluster.picture().now)
    climb = ladder.climb(cluster.setting.remedies, found, spent.node, without)
    for rung in climb.rungs:
        begun = ladder.spent(cluster.contract, cluster.journal.kept, name, cluster.picture().now).pool
        if rung != "roles" and ladder.crowded(cluster.setting.remedies, rung, begun, len(cluster.names)):
            cluster.refused["budget of the pool"] += 1
            return _ended(cluster, name, "the pool's budget")
        yield from _take(cluster, name, fault, rung)
        if name not in cluster.visible:
            return True
    return _ended(cluster, name, climb.why)


def _take(cluster: Cluster, name: str, fault: Fault, rung: RungName) -> Steps:
    """One rung and the roles after it; what it mends is gone, and what does not show is not seen any more."""
    cluster.idle(name)
    cluster.journal.write(ladder.BEGUN, node=name, rung=rung)
    yield cluster.env.timeout(cluster.setting.times.rungs[rung])
    cluster.journal.write(ladder.DONE, node=name, rung=rung)
    cluster.counts[f"rung {rung}"] += 1
    mended = not fault.broken and fault.cause.mends and ORDER.index(rung) >= ORDER.index(fault.cause.mends)
    if mended:
        cluster.faults.pop(name, None)
    if mended or (fault.broken and not fault.shows and rung != "roles"):
        cluster.visible.pop(name, None)
    yield cluster.env.timeout(cluster.setting.times.roles)
    cluster.journal.write("repair-converged", node=name)


def _ended(cluster: Cluster, name: str, why: str) -> bool:
    cluster.drain(name, f"{REPAIR_PREFIX} {why}")
    cluster.journal.write("repair-failed", node=name, reason=why)
    cluster.moved(name, Event.QUARANTINED)
    cluster.counts["ladder ended"] += 1
    return False


def _validated(cluster: Cluster, name: str, fault: Fault) -> Generator[simpy.Event, Any, bool]:
    """Whether it passed; then it is in service again, and what was not found is in it still."""
    cluster.resume(name)
    cluster.moved(name, Event.CHANGED, says=False)
    yield cluster.env.timeout(cluster.setting.times.validation)
    passed = name not in cluster.faults or not fault.found
    cluster.journal.write("repair-validated", node=name, verdict="pass" if passed else "fail")
    if passed:
        cluster.reserved.discard(name)
        cluster.journal.write("repair-resumed", node=name)
        cluster.moved(name, Event.PASSED)
        cluster.counts["back after a repair"] += 1
        cluster.notify()
        return True
    cluster.visible[name] = fault.cause.code
    cluster.drain(name, f"{REPAIR_PREFIX} a claim fails")
    cluster.journal.write("repair-drained", node=name, claim="node.gpus")
    cluster.moved(name, Event.FAILED)
    return False


def _part(cluster: Cluster, name: str, fault: Fault) -> Steps:
    """`railbed node rma`; the same machine comes back with its part, is given back by a person, and validated."""
    node, times = cluster.contract.node(name), cluster.setting.times
    if cluster.places[name].state not in (State.QUARANTINED, State.UNKNOWN):
        cluster.drain(name, f"{OPERATOR_PREFIX} again and again")
        cluster.journal.write("drain", node=name, by="ada")
        cluster.moved(name, Event.HELD)
        yield from _idle(cluster, name)
    retire.require(node, cluster.picture())
    cluster.journal.write("rma", node=name, identity=node.identity.value, reason=fault.cause.name, by="ada")
    cluster.accepted.pop(name, None)
    cluster.reserved.add(name)
    cluster.drain(name, f"{OPERATOR_PREFIX} rma: {fault.cause.name}")
    cluster.moved(name, Event.RETIRED)
    cluster.counts["parts"] += 1
    yield cluster.env.timeout(fault.part_days * DAY_S)
    cluster.faults.pop(name, None)
    cluster.visible.pop(name, None)
    cluster.resume(name)
    cluster.set_state(name, base="IDLE", comment="")
    cluster.journal.write("resume", node=name, by="ada")
    # The records say why it went until it has passed.
    cluster.moved(name, Event.GIVEN_BACK, says=False)
    yield cluster.env.timeout(times.roles + times.validation)
    cluster.journal.write("validated", node=name, verdict="pass", quick=False, claim="")
    cluster.accepted[name] = node.identity.value
    cluster.reserved.discard(name)
    cluster.moved(name, Event.PASSED)
    cluster.notify()


def _leaf(cluster: Cluster, name: str, fault: Fault) -> Steps:
    """A person begins to repair the first of many, and the breaker says that they have one cause."""
    size = cluster.setting.leaf_nodes
    first = cluster.names.index(name) // size * size
    members = [
        one for one in cluster.names[first : first + size] if cluster.places[one].state is State.HEALTHY
    ]
    for one in members:
        _reported(cluster, one, fault.cause.code)
    cluster.notify()
    yield cluster.env.timeout(cluster.setting.times.person)
    cluster.counts["leaves down"] += 1
    found = guards.refusals(cluster.picture(), members[:1], Action.REPAIR)
    cluster.refused.update(str(held.guard) for held in found)
    breaker.note_all(cluster.journal, cluster.contract, guards.opened(found))
    yield cluster.env.timeout(cluster.setting.times.breaker_reset)
    for one in members:
        cluster.visible.pop(one, None)
        cluster.set_state(one, comment="")
        if cluster.states[one].drained:
            cluster.resume(one)
            cluster.moved(one, Event.RETURNED)
        else:
            cluster.moved(one, Event.CLEARED)
    _reset(cluster, "the leaf was replaced")
    cluster.notify()


def _reset(cluster: Cluster, reason: str) -> None:
    known = breaker.counted(cluster.contract, cluster.states, cluster.pool)
    breaker.reset(cluster.journal, cluster.pool, known, reason)


def _idle(cluster: Cluster, name: str) -> Steps:
    """Waits until the job has left the node by itself."""
    while name in cluster.busy:
        yield cluster.changed
