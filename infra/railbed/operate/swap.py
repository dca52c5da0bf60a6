"""A spare takes a node's place: the node is drained, its jobs end by themselves, then the two change places.

The spare is one of the node's pool that is proven and idle, and of its scalable unit where there is one: the others that the job
runs on then stay as near. From the exchange on it takes users' jobs, and the node is the spare: held until a repair or a settle
has proven it, and from then on kept for the next swap. Contract and spec say how many nodes serve, and do not change.

Resumable: the exchange is one write, written down before; a run after one that was killed goes on before it with a spare of its
own choice, and after it with what was left to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from railbed import configure
from railbed.claims import WORKERS, FrozenModel
from railbed.contract import Contract, Node
from railbed.defaults import REPAIR_PREFIX
from railbed.effects import acceptance, places
from railbed.effects.journal import Journal, operator
from railbed.effects.journal_index import Entry
from railbed.effects.schedulers import NodeScheduler
from railbed.effects.workspace import Workspace
from railbed.errors import UnprovenError, UsageError
from railbed.operate import breaker, drain, guards, past, picture, standing
from railbed.operate.drain import Say
from railbed.operate.guards import Action
from railbed.operate.lifecycle import State
from railbed.operate.picture import Picture
from railbed.text import few

BEGIN, EXCHANGE, DONE, UNTOUCHED = "swap", "swap-exchange", "swap-done", "swap-untouched"
SHOWN = 8


class Swapped(FrozenModel):
    """A swap, as planned or as it ended."""

    node: str
    spare: str
    same_unit: bool
    """Whether the spare is in the node's scalable unit; else jobs reach it over the spine."""
    jobs: list[str]
    """Jobs that are, or were, waited for."""
    order: list[str]
    """The pool's nodes that serve, in the order of their places: the spare has the node's."""
    waited_s: float = 0.0
    kept_drained_by: str = ""
    """Reason of a person's drain of the node that was left in place."""


def require(contract: Contract, name: str, seen: Picture) -> Node:
    """The node. Raises UsageError for one that has no spare's place to change with, or that another swap stands in the middle of,
    Unsupported on Kubernetes."""
    configure.require_roles(contract)
    node = contract.node(name)
    if step := at_checkpoint(seen, name):
        raise UsageError(
            f"a swap of {name} at a checkpoint was begun and not ended", code="BEGUN", found=f"{step.kind} of {step.at}",
            hint=f"`railbed node swap {name} --at-checkpoint --yes` goes on from there",
        )  # fmt: skip
    if node.role not in WORKERS:
        raise UsageError(
            f"{name} is a {node.role}: no spare takes its place", found=node.role, allowed=list(WORKERS)
        )
    if node.pool not in contract.standby_pools:
        raise UsageError(
            f"pool {node.pool} keeps no spare for a swap", code="NO_SPARE", found=node.pool,
            allowed="a pool with `spares`, and without `spare_jobs: last`",
            hint=f"spares that take jobs are in service already: `railbed node drain {name}`, or `railbed node repair {name}`",
        )  # fmt: skip
    if name in seen.spares:
        raise UsageError(
            f"{name} is a spare itself", code="NO_SPARE", found=name, allowed="a node in service",
            hint=f"`railbed node repair {name}` mends it",
        )  # fmt: skip
    return node


def choose(node: Node, seen: Picture) -> Node:
    """The spare that takes its place: of its unit before others, then the nearest in the contract's order. Pure.

    Raises UnprovenError ``NO_SPARE``, saying why each cannot.
    """
    order = {one.name: at for at, one in enumerate(seen.contract.nodes)}
    why, fit = [], []
    for one in (one for one in seen.contract.nodes if one.pool == node.pool and one.name in seen.standby):
        if why_not := unfit(one, seen):
            why.append(f"{one.name}: {why_not}")
        else:
            fit.append(one)
    if not fit:
        raise UnprovenError(
            f"no spare of pool {node.pool} can take the place of {node.name}", code="NO_SPARE",
            found=few(why, SHOWN) or "none is there", allowed="a spare that is healthy, proven and idle",
            hint="`railbed node list` shows them; `railbed node repair` mends one",
        )  # fmt: skip
    return min(
        fit,
        key=lambda one: (one.scalable_unit != node.scalable_unit, abs(order[one.name] - order[node.name])),
    )


def at_checkpoint(seen: Picture, name: str) -> Entry | None:
    """The phase of a swap at a checkpoint in which a run was killed; None where none was."""
    kinds = {*past.AT_CHECKPOINT, DONE, UNTOUCHED}
    last = next((one for one in seen.index.of(name) if one.kind in kinds), None)
    return last if last and last.kind in past.AT_CHECKPOINT else None


def unfit(spare: Node, seen: Picture) -> str:
    """Why it cannot take a place now; empty where it can. Pure."""
    stands = standing.of(spare, seen)
    if stands.state is not State.HEALTHY or not stands.place.proven:
        return f"{stands.state}, {stands.why}"
    if jobs := seen.jobs.get(spare.name):
        return f"job {jobs[0].id} of {jobs[0].user} is on it"
    if others := seen.set_aside.get(spare.name):
        return f"in reservation {', '.join(others)}"
    return ""


def plan(
    contract: Contract, work: Workspace, scheduler: NodeScheduler, name: str
) -> tuple[Swapped, list[guards.Refusal]]:
    """What a swap would do, and the guards that hold it back now; changes nothing. Raises as `require` and `choose`."""
    seen = picture.take(contract, work, scheduler)
    if begun := _exchanged(contract, work, seen, name):
        node, spare = contract.node(name), contract.node(str(begun.event.get("spare")))
        return _planned(contract, work, node, spare, seen, done=True), []
    node = require(contract, name, seen)
    found = _planned(contract, work, node, choose(node, seen), seen, done=False)
    return found, guards.refusals(seen, [name], Action.SWAP)


def _planned(
    contract: Contract, work: Workspace, node: Node, spare: Node, seen: Picture, *, done: bool
) -> Swapped:
    at = places.read(contract, work)
    if not done:
        at[node.name], at[spare.name] = at[spare.name], at[node.name]
    return Swapped(
        node=node.name, spare=spare.name, same_unit=node.scalable_unit == spare.scalable_unit,
        jobs=[f"{job.id} of {job.user}" for job in seen.jobs.get(node.name, [])],
        order=order(contract, at, node.pool),
    )  # fmt: skip


def order(contract: Contract, at: Mapping[str, str], pool: str) -> list[str]:
    """The pool's nodes that serve, in the order of their places. Pure."""
    who = {place: name for name, place in at.items()}
    return [who[one.name] for one in contract.nodes if one.pool == pool and one.role == "compute"]


def _exchanged(contract: Contract, work: Workspace, seen: Picture, name: str) -> Entry | None:
    """The exchange that a run made which was killed before its end."""
    last = next((one for one in seen.index.of(name) if one.kind in (BEGIN, EXCHANGE, DONE)), None)
    if last is None or last.kind != EXCHANGE:
        return None
    at = places.read(contract, work)
    return last if at.get(str(last.event.get("spare"))) == last.event.get("place") else None


@dataclass(frozen=True)
class _Run:
    contract: Contract
    work: Workspace
    scheduler: NodeScheduler
    node: Node
    say: Say

    @property
    def journal(self) -> Journal:
        return Journal(self.work.journal_file)

    def step(self, event: str, text: str, **fields: object) -> None:
        self.journal.write(f"swap-{event}", node=self.node.name, **fields)
        self.say(f"{self.node.name}: {text}")

    def exchange(self, spare: Node) -> None:
        """The node is drained, idle and held. From here on the spare has its place, whatever becomes of this run."""
        place = places.read(self.contract, self.work)[self.node.name]
        self.step("exchange", f"{spare.name} takes its place", spare=spare.name, place=place)
        places.exchange(self.contract, self.work, self.node.name, spare.name)

    def finish(self, spare: str, seen: Picture | None = None) -> None:
        """``seen``: where the run that made the exchange was killed; the spare may have fallen since, and then stays held."""
        acceptance.hold(self.scheduler, [self.node.name])
        proven = seen is None or seen.is_accepted(self.contract.node(spare))
        if proven:
            acceptance.release(self.scheduler, [spare], places.standby(self.contract, self.work))
        self.journal.write("swapped-in", node=spare, instead_of=self.node.name)
        does = (
            "takes its jobs"
            if proven
            else f"has its place and stays held: `railbed node repair {spare}` proves it"
        )
        self.step("done", f"{spare} {does}", spare=spare)


def exchange(
    contract: Contract, work: Workspace, scheduler: NodeScheduler, node: Node, spare: Node, say: Say
) -> None:
    """The two change places at once: the node is drained, idle and held, as a repair has it."""
    run = _Run(contract, work, scheduler, node, say)
    run.exchange(spare)
    run.finish(spare.name)


def finish(contract: Contract, work: Workspace, scheduler: NodeScheduler, name: str, say: Say) -> None:
    """What is left of an exchange that a run made which was killed; nothing where there is none."""
    seen = picture.take(contract, work, scheduler)
    if begun := _exchanged(contract, work, seen, name):
        _Run(contract, work, scheduler, contract.node(name), say).finish(str(begun.event.get("spare")), seen)


def swap(
    contract: Contract, work: Workspace, scheduler: NodeScheduler, name: str, say: Say, force: str = ""
) -> Swapped:
    """Does it. Never ends a job; a person's drain of the node stays.

    Raises UnprovenError where the jobs did not end in time (the node stays draining, run it again), where no spare can take its
    place, where somebody gave the node back meanwhile (``GIVEN_BACK``), and where a guard holds it back.
    """
    seen = picture.take(contract, work, scheduler)
    if begun := _exchanged(contract, work, seen, name):
        spare = contract.node(str(begun.event.get("spare")))
        run = _Run(contract, work, scheduler, contract.node(name), say)
        run.finish(spare.name, seen)
        return _planned(contract, work, run.node, spare, seen, done=True)
    node = require(contract, name, seen)
    spare = choose(node, seen)
    run, found = _Run(contract, work, scheduler, node, say), guards.refusals(seen, [name], Action.SWAP)
    breaker.note_all(run.journal, contract, guards.opened(found))
    refusals = guards.require(found, force)
    run.journal.write(
        BEGIN, node=name, spare=spare.name, by=operator(), reason=force, guards=guards.overridden(refusals)
    )
    owner = drain.drain(scheduler, name, seen.states, f"{REPAIR_PREFIX} swapped,", run.step)
    waited = drain.wait(scheduler, name, run.step)
    acceptance.hold(scheduler, [name])
    if why := drain.lost(scheduler, name):
        if standing.of(node, seen).place.proven:
            acceptance.release(scheduler, [name])
        run.step("untouched", f"not swapped: {why}", reason=why)
        raise UnprovenError(
            f"{name} was given back while its swap went on: {why}", code="GIVEN_BACK", found=why,
            hint="nothing was changed; run the swap again where it is still wanted",
        )  # fmt: skip
    # The wait may have taken an hour: the spare is looked at again.
    spare = choose(node, picture.take(contract, work, scheduler))
    done = _planned(contract, work, node, spare, seen, done=False)
    run.exchange(spare)
    run.finish(spare.name)
    return done.model_copy(update={"waited_s": round(waited, 1), "kept_drained_by": owner})
