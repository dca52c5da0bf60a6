"""Claims of the workload `inference`: goals of latency under the load of the spec, and no failed request where nodes are lost."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from railbed.claims.definition import CLUSTER, Explanation, Facts, In, Instances, Out, Subject, define
from railbed.claims.measurements import INFERENCE
from railbed.claims.records import Expectation
from railbed.laws.serving import Service

NO_SCHEDULER = "there is no scheduler that starts replicas"
NO_GOAL = "the spec has no goal for it (`serving.{}`)"
ANYTHING = Explanation(beside="the scheduler and the management network")


def where_asked(
    instances: Callable[[Service, Facts], Instances],
) -> Callable[[Facts], Instances]:
    """The claims of a spec with an inference service; another one has none of them, in scope or out of it."""

    @wraps(instances)
    def asked(facts: Facts) -> Instances:
        if facts.serving is None:
            return
        if facts.has_scheduler:
            yield from instances(facts.serving, facts)
        else:
            yield Out(NO_SCHEDULER)

    return asked


def _goal(value: float, of: str) -> Expectation:
    """Milliseconds that 99 of 100 requests may take, as ``expected``. The 99th percentile is MLPerf Inference's for servers of
    language models (https://github.com/mlcommons/inference_policies/blob/master/inference_rules.adoc)."""
    return Expectation(
        unit="ms", expected=value, basis="declared",
        derivation=[f"the spec's goal of {value:g} ms {of}, of 99 requests in 100, as MLPerf Inference counts its servers"],
    )  # fmt: skip


@define(
    id="inference.ttft", subject=Subject.CLUSTER, roles=CLUSTER, by=INFERENCE, explained=ANYTHING, hardware=True,
    holds="99 of 100 requests to the reference service (small, random weights; lab: on processors) have their first token within "
    "the spec's goal; they arrive at random at the spec's rate, whatever was answered, and count from when they were due",
    accuses="service", runbook="inference-latency",
)  # fmt: skip
@where_asked
def ttft(service: Service, _: Facts) -> Instances:
    if service.ttft_ms is None:
        yield Out(NO_GOAL.format("ttft_ms"))
    else:
        yield In("first tokens come within the goal", _goal(service.ttft_ms, "to the first token"))


@define(
    id="inference.tpot", subject=Subject.CLUSTER, roles=CLUSTER, by=INFERENCE, explained=ANYTHING, hardware=True,
    holds="of 99 of 100 requests to the reference service the time from token to token is, on average, within the spec's goal; "
    "measured with `inference.ttft`",
    accuses="service", runbook="inference-latency",
)  # fmt: skip
@where_asked
def tpot(service: Service, _: Facts) -> Instances:
    if service.tpot_ms is None:
        yield Out(NO_GOAL.format("tpot_ms"))
    else:
        yield In("tokens follow each other within the goal", _goal(service.tpot_ms, "from token to token"))


@define(
    id="inference.goodput", subject=Subject.CLUSTER, roles=CLUSTER, by=INFERENCE, explained=ANYTHING, hardware=True,
    holds="of all requests to the reference service at the spec's rate the share that the spec asks for is answered whole and "
    "within both goals; one that is not answered is within none",
    accuses="service", runbook="inference-latency",
)  # fmt: skip
@where_asked
def goodput(service: Service, _: Facts) -> Instances:
    if service.goodput_share is None:
        yield Out(NO_GOAL.format("goodput_share"))
        return
    reach = Expectation(
        unit="of requests", bound=1.0, expected=1.0, floor=service.goodput_share, basis="declared",
        derivation=[f"the spec asks for {service.goodput_share:g} of all requests within both goals"],
    )  # fmt: skip
    yield In(f"{service.goodput_share:.2%} of requests are within both goals", reach)


@define(
    id="inference.failover", subject=Subject.CLUSTER, roles=CLUSTER, by=INFERENCE, explained=ANYTHING, hardware=True,
    holds="under load the replicas of one node are told to end (SIGTERM), finish what they have and come back, then those of "
    "another are killed (SIGKILL) with requests in flight; another replica answers what they did not: no request fails",
    accuses="service", runbook="inference-failover",
)  # fmt: skip
@where_asked
def failover(service: Service, _: Facts) -> Instances:
    if not service.lost_nodes:
        yield Out("the spec's service need not survive a lost node (`serving.lost_nodes` is 0)")
    else:
        yield In("no request fails while a node of the service is drained or lost")
