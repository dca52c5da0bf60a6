"""Another software release on nodes that run jobs, wave by wave; the way back to the one before is the same way.

Guards: controllers first, as an older one does not know newer nodes; a wave is drained and its jobs end by themselves; a
node that a person drained stays drained; evidence is saved first; each wave is held until its validation passed; the first
node that does not pass stops the whole, and the nodes that were not reached keep their release.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from railbed import configure, validate
from railbed.claims import WORKERS, FrozenModel, Verdict
from railbed.contract import Contract
from railbed.defaults import ACCEPTANCE_RESERVATION, DRAIN_POLL_S, UPGRADE_PREFIX
from railbed.effects import acceptance, places
from railbed.effects.journal import Journal
from railbed.effects.remote import Remote
from railbed.effects.scheduler import Scheduler
from railbed.effects.workspace import Workspace
from railbed.judge.rails import PARTNERS_NEEDED
from railbed.operate import drain, evidence, guards, limits, picture
from railbed.operate.guards import Action
from railbed.operate.waves import waves
from railbed.parse.slurm import NodeState

PLAYBOOK = "upgrade.yml"


class Planned(FrozenModel):
    """What an upgrade would do."""

    release: str
    controllers: list[str]
    """Converged first, without a drain: jobs go on while a controller is away."""
    waves: list[list[str]]
    jobs: dict[str, list[str]]
    """Node → the jobs that its wave would wait for."""
    drained: dict[str, str]
    """Node → reason of a person's drain, which would stay."""


class Upgraded(FrozenModel):
    """How it ended."""

    release: str
    verdict: Verdict
    moved: list[str]
    """Nodes that have the release and passed their validation."""
    kept_drained: dict[str, str]
    """Node → reason of the person who drained it; it has the release, and passed only where ``moved`` names it too."""
    waiting: dict[str, list[str]]
    """Node → jobs that did not end in time; it is draining."""
    failed: dict[str, str]
    """Node → why it was not given back."""
    left: list[str]
    """Nodes that were not reached."""
    limited: str
    """Why a wave was not drained: automatic drains held too many nodes, or one is set aside for somebody's run."""
    boot_wanted: list[str]
    """Controllers that want a boot at a moment that their operator chooses."""
    report: str
    """Folder of the last validation."""
    open_claims: list[str]
    """What the validation of the whole cluster did not pass, failures first, each with its node, verdict and reason."""
    certificate: str
    seconds: float


def plan(contract: Contract, work: Workspace, release: str, scheduler: Scheduler) -> Planned:
    """Who has another release, or was left half-done, in waves; changes nothing."""
    states = scheduler.nodes()
    acceptance = scheduler.reservation(ACCEPTANCE_RESERVATION)
    half_done = set(acceptance.nodes) - places.standby(contract, work) if acceptance else set()
    half_done |= {
        name for name, one in states.items() if one.drained and one.reason.startswith(UPGRADE_PREFIX)
    }
    known = work.releases.read()
    pending = [n for n in contract.nodes if known.get(n.name) != release or n.name in half_done]
    names = {n.name for n in pending if n.role != "controller"}
    jobs = drain.busy(scheduler, names)
    return Planned(
        release=release,
        controllers=[n.name for n in pending if n.role == "controller"],
        waves=waves(
            contract,
            names,
            jobs,
            out=limits.taken_out(contract, states),
            spares=places.spares(contract, work),
        ),
        jobs=jobs,
        drained=drain.owners(states, (n.name for n in pending if n.name in names)),
    )


@dataclass
class _Run:
    """One upgrade as it goes."""

    contract: Contract
    work: Workspace
    say: drain.Say
    wait_s: float
    on_converge: configure.OnEvent | None
    scheduler: Scheduler = field(init=False)
    owners: dict[str, str] = field(default_factory=dict)
    """Node → reason of the person who drained it, before or while this goes on."""
    moved: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, list[str]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    limited: str = ""
    verdict: Verdict = Verdict.PASS
    report: str = ""

    def __post_init__(self) -> None:
        self.remote = Remote(self.work, self.contract)
        self.scheduler = Scheduler(self.remote)
        self.journal = Journal(self.work.journal_file)

    def step(self, name: str) -> drain.Step:
        def tell(event: str, text: str, **fields: object) -> None:
            self.journal.write(f"upgrade-{event}", node=name, **fields)
            self.say(f"{name}: {text}")

        return tell

    def wave(self, names: Sequence[str]) -> None:
        """Drains the wave, takes each node as soon as it is idle; returns when all are done or one failed.

        Nodes that were still busy when their time was over stay draining: the next try finds them idle.
        """
        seen = picture.take(self.contract, self.work, self.scheduler)
        states = seen.states
        if refusals := guards.refusals(seen, names, Action.UPGRADE):
            self.limited = "; ".join(f"{', '.join(one.nodes)}: {one.why}" for one in refusals)
            self.say(f"not drained: {self.limited}")
            return
        for name in names:
            owner = drain.drain(self.scheduler, name, states, UPGRADE_PREFIX, self.step(name))
            if owner:
                self.owners[name] = owner
        # A drain from before, of the health check say, has a cause that another node's failure does not end.
        before = {name: states[name].reason if states[name].drained else "" for name in names}
        pending, start = list(names), time.monotonic()
        reported: dict[str, list[str]] = {}
        while pending and not self.failed:
            busy = drain.busy(self.scheduler, pending)
            ready = [name for name in pending if name not in busy]
            if ready:
                self.move(ready)
                pending = [name for name in pending if name in busy]
                continue
            for name in [n for n in pending if busy[n] != reported.get(n)]:
                self.step(name)(
                    "wait", f"waiting for job {', '.join(busy[name])} to end by itself", jobs=busy[name]
                )
            reported = busy
            if time.monotonic() - start > self.wait_s:
                self.waiting = busy
                return
            time.sleep(DRAIN_POLL_S)
        self._undrain({name: before[name] for name in pending})

    def _read_states(self, names: Sequence[str]) -> dict[str, NodeState]:
        """Asks who drained ``names``: a person may do so at any moment, and that drain is neither ended nor written over."""
        states = self.scheduler.nodes()
        self.owners |= drain.owners(states, names)
        return states

    def _undrain(self, before: dict[str, str]) -> None:
        """Ends the drains that this wave set on nodes that it did not reach; every other drain stays.

        ``before``: node → reason for which it was drained then, empty where it was not.
        """
        states = self._read_states(list(before)) if before else {}
        for name, reason in before.items():
            ours = name in states and states[name].reason.startswith(UPGRADE_PREFIX)
            if owner := self.owners.get(name):
                self._keep(name, owner)
            elif reason and ours and states[name].reason != reason:
                self.scheduler.drain(name, reason)
            elif ours and not reason:
                self.scheduler.resume(name)
                self.step(name)("untouched", "given back as it was: another node of its wave failed")

    def _keep(self, name: str, owner: str) -> None:
        self.step(name)("kept", f"left drained, as a person drained it: {owner}")

    def move(self, names: Sequence[str]) -> None:
        """Brings idle, drained nodes to the release, validates them and gives back those that pass."""
        silent = evidence.save(self.remote, self.work, {name: self.step(name) for name in names})
        if silent:
            self._read_states(list(silent))
        for name, why in silent.items():
            self._fail(name, why.message, Verdict.UNPROVEN)
        names = [name for name in names if name not in silent]
        if not names:
            return
        acceptance.hold(self.scheduler, names)
        done = configure.converge(
            self.contract,
            self.work,
            limit=",".join(names),
            playbook=PLAYBOOK,
            moving=True,
            on_event=self.on_converge,
        )
        self._read_states(names)
        for name in done.broken:
            result = done.nodes[name]
            self._fail(
                name, f"{result.failed_task}: {result.message}".strip(": ") or str(result.state), Verdict.FAIL
            )
        whole = [name for name in names if name not in done.broken]
        for name in whole:
            self.step(name)("converged", "roles ran", changed=done.nodes[name].changed)
            if owner := self.owners.get(name):
                self.kept[name] = owner
                self._keep(name, owner)
            else:
                self.scheduler.resume(name)
        self.prove([name for name in whole if name not in self.owners])

    def prove(self, names: Sequence[str]) -> None:
        """Validates nodes that are held; those of which every claim passes go back to users."""
        if not names:
            return
        self._await_partners(names)
        accepted = validate.exceptions(self.contract, self.work)
        report = validate.run(self.contract, self.work, only=list(names), accept=accepted, progress=self.say)
        self.report = report.report_dir
        self._read_states(names)
        for name in names:
            wrong = [c for c in report.open_claims if c.node in (name, "")]
            if wrong:
                worst = min(wrong, key=lambda c: c.verdict is not Verdict.FAIL)
                why = f"{worst.claim} {worst.verdict}: {worst.reason}"
                self._fail(name, why, worst.verdict, report=report.report_dir)
                continue
            standby = places.standby(self.contract, self.work)
            validate.accept(self.work, [self.contract.node(name)], self.scheduler, report, standby)
            self.moved.append(name)
            owner, text = self.owners.get(name), "passed, back in service"
            if owner:
                self.kept[name], text = owner, f"passed; still drained by its owner: {owner}"
            self.step(name)("moved", text, release=self.contract.software.release, report=report.report_dir)

    def _await_partners(self, names: Sequence[str]) -> None:
        """Waits until the rails of ``names`` have whom to be measured with; a node with a job is left alone."""
        with_rails = [node.name for node in self.contract.with_role(*WORKERS) if node.rails]
        others = [name for name in with_rails if name not in names]
        lacking = PARTNERS_NEEDED + 1 - len(set(with_rails) & set(names))
        start, reported = time.monotonic(), False
        while 0 < lacking <= len(others) and time.monotonic() - start < self.wait_s:
            busy, states = drain.busy(self.scheduler, others), self.scheduler.nodes()
            idle = [
                name for name in others if name not in busy and name in states and states[name].responding
            ]
            if len(idle) >= lacking:
                return
            if not reported:
                self.step(names[0])(
                    "partners", f"waiting for {lacking} idle nodes to measure its rails with", jobs=busy
                )
            reported = True
            time.sleep(DRAIN_POLL_S)

    def _fail(self, name: str, why: str, verdict: Verdict, report: str = "") -> None:
        self.failed[name] = why
        if self.verdict is not Verdict.FAIL:
            self.verdict = verdict
        if name not in self.owners:
            self.scheduler.drain(name, f"{UPGRADE_PREFIX} {why}"[: drain.REASON_LENGTH])
        self.step(name)("failed", f"not given back: {why}", verdict=str(verdict), report=report)


def run(
    contract: Contract, work: Workspace, planned: Planned, say: drain.Say, *, wait_s: float,
    on_converge: configure.OnEvent | None = None,
) -> Upgraded:  # fmt: skip
    """Does it; ``contract`` is that of the new release. Waits at most ``wait_s`` seconds for the jobs of one wave.

    Raises RailbedError where a controller does not take the release: no node was touched then.
    """
    start, going = time.monotonic(), _Run(contract, work, say, wait_s, on_converge)
    going.journal.write("upgrade", release=planned.release, waves=planned.waves)
    if planned.controllers:
        say(f"controllers first: {', '.join(planned.controllers)}")
        done = configure.converge(
            contract,
            work,
            limit=",".join(planned.controllers),
            playbook=PLAYBOOK,
            moving=True,
            on_event=on_converge,
        )
        if done.broken:
            raise configure.broken(done)
    for number, names in enumerate(planned.waves, 1):
        if going.failed or going.waiting or going.limited:
            break
        what = "the canary" if number == 1 else f"wave {number} of {len(planned.waves)}"
        say(f"{what}: {', '.join(names)}")
        going.wave(names)
    handled = {*going.moved, *going.kept, *going.waiting, *going.failed}
    left = [name for wave in planned.waves for name in wave if name not in handled]
    certificate, not_passed = "", list[str]()
    if not (going.failed or going.waiting or left):
        whole = validate.run(contract, work, accept=validate.exceptions(contract, work), progress=say)
        going.verdict, going.report, certificate = whole.verdict, whole.report_dir, whole.certificate
        not_passed = _not_passed(whole)
    elif going.verdict is Verdict.PASS:
        going.verdict = Verdict.UNPROVEN
    boot = [name for name in planned.controllers if _wants_boot(going.remote, name)]
    result = Upgraded(
        release=planned.release, verdict=going.verdict, moved=going.moved, kept_drained=going.kept,
        waiting=going.waiting, failed=going.failed, left=left, limited=going.limited, boot_wanted=boot, report=going.report,
        open_claims=not_passed, certificate=certificate, seconds=round(time.monotonic() - start, 1),
    )  # fmt: skip
    going.journal.write("upgrade-done", **result.model_dump(mode="json"))
    return result


def _not_passed(report: validate.Report) -> list[str]:
    """Lines of the claims that withhold the certificate, failures first."""
    claims = sorted(report.open_claims, key=lambda one: one.verdict is not Verdict.FAIL)
    return [f"{one.claim} of {one.node or 'the cluster'} {one.verdict}: {one.reason}" for one in claims]


def _wants_boot(remote: Remote, name: str) -> bool:
    """Debian and Ubuntu keep this file while a package waits for a boot."""
    return remote.run(name, ["test", "-e", "/run/reboot-required"], check=False).ok
