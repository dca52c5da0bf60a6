"""The stages in order: setup, up (make, configure, validate), destroy. Each stage is one public function elsewhere."""

from __future__ import annotations

import datetime
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from railbed import configure, operate, platforms, spec, validate
from railbed import plan as plans
from railbed.contract import Contract, Missing
from railbed.effects import acceptance, contract_store, control_sockets, files, lock, schedulers
from railbed.effects.engine.session import Changes, Session, environment
from railbed.effects.journal import Journal
from railbed.effects.kubernetes.scheduler import KubernetesScheduler
from railbed.effects.remote import Remote
from railbed.effects.scheduler import Scheduler
from railbed.effects.secrets import ensure_stack_secrets
from railbed.effects.workspace import Workspace, stacks
from railbed.errors import CommandError, Unsupported, UsageError
from railbed.operate import pod_gate, remains, tenants
from railbed.operate.recall import recall, store
from railbed.platforms import services, tenancy
from railbed.platforms.cloud.scale_in import NodeToRemove
from railbed.platforms.findings import Finding, require
from railbed.software import compat
from railbed.spec.kubernetes import KubernetesPlatform

Say = Callable[[str], None]
DEFAULT_STACK = "lab"
DEFAULT_SPEC = "examples/lab-cluster.yaml"
ENV_FILE = "env"


@dataclass
class Timings:
    """Seconds per stage of one run, in order."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - start, 1)


@dataclass(frozen=True)
class UpResult:
    """What `railbed up` did."""

    changes: Changes
    converged: configure.ConvergeResult
    report: validate.Report
    quick: bool
    timings: dict[str, float]
    lapse: str
    """Why no certificate stood before this run; empty where one did."""
    missing: list[Missing]
    """Nodes that the platform could not give: the cluster is partial, and the same command goes on."""


def plan_of(work: Workspace) -> plans.ClusterPlan:
    """The plan of a stack's own spec file."""
    return plans.plan(spec.load(work.stack_file))


def warn(planned: plans.ClusterPlan, say: Say) -> None:
    """Says what a user should know of the plan before it is made."""
    for one in planned.warnings:
        say(f"{one.code}: {one.message} ({one.path})")


def setup(work: Workspace, say: Say) -> None:
    """Gets this checkout ready: stack file, host tools, engine, and ``.railbed/env`` for plain `pulumi`."""
    if not work.stack_file.exists():
        if work.stack != DEFAULT_STACK:
            raise UsageError(
                f"stack {work.stack} has no file", path=str(work.stack_file), allowed=stacks(work.root),
                hint=f"write it, e.g. `cp {DEFAULT_SPEC} {work.stack_file.name}`",
            )  # fmt: skip
        files.replace(work.stack_file, (work.root / DEFAULT_SPEC).read_text())
        say(f"made {work.stack_file.name} from {DEFAULT_SPEC}")
    planned = plan_of(work)
    if planned.platform != platforms.LOCAL:
        # What is missing there is a provider's plugin, and installing one takes the engine and this file.
        write_env(work, environment(work, say))
    require(platforms.examine(planned))
    prepare(planned, work, say)


def prepare(planned: plans.ClusterPlan, work: Workspace, say: Say) -> None:
    """Fills the caches side by side: building the engine is bound by the processor, the rest by the network."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        engine = pool.submit(_engine, work, say)
        platforms.prepare(planned, work, say)
        engine.result()


def _engine(work: Workspace, say: Say) -> None:
    """Engine, environment file and the stack itself, so that plain `pulumi preview` works from now on."""
    write_env(work, environment(work, say))
    recall(work, Session(work, say), say)


def preflight(
    planned: plans.ClusterPlan, root: Callable[[], Path], work: Workspace | None = None
) -> list[Finding]:
    """Checks account, zone, shapes, quota and reservations as they are today; reads only. ``root``: the checkout's.

    ``work``: of the stack whose plan it is; None where the spec is no stack's.
    """
    return platforms.preflight(planned, datetime.date.today(), root, work)


def write_env(work: Workspace, variables: dict[str, str]) -> Path:
    """A file to source, after which plain `pulumi preview|up|destroy` works in this checkout."""
    path = work.local / ENV_FILE
    lines = [f"export {name}={json.dumps(value)}" for name, value in variables.items() if name != "PATH"]
    entries, inherited = variables["PATH"].split(":"), os.environ.get("PATH", "").split(":")
    front = entries[: len(entries) - len(inherited)]
    lines.append(f'export PATH="{":".join(front)}:$PATH"')
    path.parent.mkdir(parents=True, exist_ok=True)
    files.replace(path, "# Source this: . .railbed/env\n" + "\n".join(lines) + "\n")
    return path


@contextmanager
def operating(work: Workspace, what: str) -> Iterator[None]:
    """One operator at a time on a stack; a second one gets Busy before anything is made."""
    with lock.acquire(work.dir / "lock", f"stack {work.stack} ({what})"):
        yield


def shrink(work: Workspace, planned: plans.ClusterPlan, say: Say, removed: list[str]) -> None:
    """Lets the nodes go that the plan no longer has, exactly those, once nothing runs on them; first of all, or not at all.

    A group that only gets a smaller size would pick its victims itself.
    """
    if not work.contract_file.exists():
        return
    known = contract_store.load(work)
    renamed = {pool.formerly: pool.name for pool in planned.pools if pool.formerly}
    going = operate.leaving(known, plans.names(planned), renamed)
    if not going:
        return
    scheduler = schedulers.of(work, known) if known.scheduler != "none" else None
    operate.require_idle(known, work, going, scheduler, removed)
    kept = {pool.name for pool in planned.pools}
    to_remove = [
        NodeToRemove(pool=renamed.get(node.pool, node.pool), name=node.name, id=node.identity.value)
        for node in going
        if renamed.get(node.pool, node.pool) in kept
    ]
    Journal(work.journal_file).write("shrink", nodes=[node.name for node in going])
    for line in platforms.scale_in(planned, work.stack, to_remove):
        say(line)
    if isinstance(scheduler, KubernetesScheduler):
        acceptance.release(scheduler, [node.name for node in going])
        pod_gate.let_go(scheduler, [node.name for node in going], say)
    configure.let_go(work, [node.name for node in going])


def _stands(work: Workspace, planned: plans.ClusterPlan) -> bool:
    """Whether the stack has every node of the plan, as far as its contract shows: then nothing is bought or installed."""
    if not work.contract_file.exists():
        return False
    renamed = {pool.formerly: pool.name for pool in planned.pools if pool.formerly}
    return not operate.joining(contract_store.load(work), plans.machines(planned), renamed)


def keep_state(work: Workspace, say: Say, before: str) -> Session:
    """Backs the engine's state up before a change. Raises RailbedError where that fails: nothing may be changed then."""
    session = Session(work, say)
    session.open()
    if session.backup(before) is not None:
        say(f"backed the engine's state up (`railbed state list --stack {work.stack}`)")
    return session


def make(
    work: Workspace, say: Say, on_event: Callable[[Any], None] | None = None
) -> tuple[Changes, Contract]:
    """Runs the program on the engine and stores the contract and SSH files that came out."""
    session = Session(work, say)
    for holder in session.drop_stale_locks():
        say(f"removed a stale engine lock of {holder}")
    ensure_stack_secrets(work)
    changes = session.up(on_event)
    return changes, store(work, session.output("contract"))


@contextmanager
def accepting(work: Workspace, instances: list[str]) -> Iterator[None]:
    """For one run these instances may show another host key than before: their operator reimaged them."""
    if instances:
        work.dir.mkdir(parents=True, exist_ok=True)
        files.replace(work.new_host_keys_file, "\n".join(instances) + "\n")
    try:
        yield
    finally:
        work.new_host_keys_file.unlink(missing_ok=True)


def up(work: Workspace, say: Say, *, new_host_keys: list[str] | None = None, removed: list[str] | None = None,
       on_engine: Callable[[Any], None] | None = None,
       on_converge: configure.OnEvent | None = None, on_validate: validate.Progress | None = None) -> UpResult:  # fmt: skip
    """Makes, configures and validates the stack.

    Where nothing was created or replaced and a certificate stands for this very contract, the validation is the quick
    one, and the certificate stays.
    """
    timings, journal = Timings(), Journal(work.journal_file)
    with operating(work, "up"), accepting(work, new_host_keys or []):
        journal.write("up", stack=work.stack, new_host_keys=new_host_keys or [])
        planned = plan_of(work)
        validate.require_room(work.reports, len(plans.names(planned)))
        validate.require_open_files(len(plans.names(planned)))
        warn(planned, say)
        plans.require_acknowledged(planned)
        if not _stands(work, planned):
            plans.require_sources(planned)
        configure.require_secrets(work, services.of(planned))
        if planned.platform != platforms.LOCAL:
            require(
                preflight(planned, lambda: work.root, work),
                "the platform cannot give what it needs; nothing was made",
                "PREFLIGHT",
            )
        configure.refuse_move(work, plans.names(planned), planned.software.release)
        platforms.fetch(planned, work, say)
        _keep_tenants_with_jobs(work, planned, say)
        keep_state(work, say, "up")
        shrink(work, planned, say, removed or [])
        platforms.renew(planned, work, say)
        with timings.stage("hosts"):
            changes, contract = make(work, say, on_engine)
        with timings.stage("converge"):
            converged = _configured(contract, work, on_converge)
        if converged.broken:
            raise configure.broken(converged)
        if tenants.concern(contract, work):
            with timings.stage("tenants"):
                tenants.reconcile(contract, work, say)
        lapse = validate.lapse(contract, work)
        if lapse and work.certificate_file.exists():
            say(f"{lapse}; this run measures everything")
        quick = changes.total == 0 and not lapse
        with timings.stage("acceptance"):
            accepted = validate.exceptions(contract, work) if quick else {}
            report = validate.run(contract, work, quick=quick, accept=accepted, progress=on_validate)
        journal.write(
            "up-done", changes=changes.by_kind, verdict=str(report.verdict), timings=timings.seconds
        )
    return UpResult(changes, converged, report, quick, timings.seconds, lapse, contract.missing)


def _keep_tenants_with_jobs(work: Workspace, planned: plans.ClusterPlan, say: Say) -> None:
    """Raises UsageError where a tenant or member would go who has jobs: before anything is changed; it is asked again later."""
    if not work.contract_file.exists():
        return
    known = contract_store.load(work)
    if not tenants.concern(known, work):
        return
    try:
        tenants.require_free(tenants.look(known, tenants.accounts_of(work, known), tenancy.of(planned)))
    except CommandError as silent:
        say(f"the scheduler's accounts are looked at once it answers: {silent.message}")


def _configured(
    contract: Contract, work: Workspace, on_event: configure.OnEvent | None
) -> configure.ConvergeResult:
    """Runs the roles. Nodes of a Kubernetes cluster are their owners' to install."""
    if contract.kubernetes is None:
        return configure.converge(contract, work, on_event=on_event)
    pod_gate.apply(contract, work)
    return configure.ConvergeResult(nodes={}, seconds=0.0)


def plan_upgrade(work: Workspace, release: str) -> operate.PlannedUpgrade:
    """What `upgrade` to the release would do; changes nothing.

    Raises CatalogError for an unknown release, SoftwareConflict where it does not go with the machines, and UsageError
    where the way there is closed.
    """
    known = contract_store.load(work)
    _way_to(work, known, release)
    return operate.plan_upgrade(known, work, release, Scheduler(Remote(work, known)))


def upgrade(work: Workspace, release: str, say: Say, *, wait_s: float,
            on_engine: Callable[[Any], None] | None = None,
            on_converge: configure.OnEvent | None = None) -> operate.Upgraded:  # fmt: skip
    """Brings the stack to another release, wave by wave; again, it goes on where it stopped.

    The stack file says the release first: from then on it is what is wanted, whatever happens on the way.
    """
    with operating(work, f"upgrade to {release}"):
        known = contract_store.load(work)
        planned = _way_to(work, known, release)
        # Every node is validated twice: with its wave, and with all others at the end.
        validate.require_room(work.reports, 2 * len(plans.names(planned)))
        validate.require_open_files(len(plans.names(planned)))
        warn(planned, say)
        plans.require_acknowledged(planned)
        plans.require_sources(planned, installed=True)
        here, wanted_nodes = {node.name for node in known.nodes}, plans.names(planned)
        if here - wanted_nodes or (wanted_nodes - here and not known.missing):
            raise UsageError(
                "the spec asks for other nodes than the cluster has", path=str(work.stack_file),
                hint="run `railbed up` with the present release first",
            )  # fmt: skip
        platforms.fetch(planned, work, say)
        keep_state(work, say, "upgrade")
        if spec.load(work.stack_file).software.release != release:
            text = spec.with_release(work.stack_file.read_text(), release, str(work.stack_file))
            files.replace(work.stack_file, text)
            say(f"{work.stack_file.name}: software.release is {release} now")
        _, contract = make(work, say, on_engine)
        waves = operate.plan_upgrade(contract, work, release, Scheduler(Remote(work, contract)))
        return operate.upgrade(contract, work, waves, say, wait_s=wait_s, on_converge=on_converge)


def _way_to(work: Workspace, known: Contract, release: str) -> plans.ClusterPlan:
    """The plan with the release. Slurm's controller cannot read the state that a newer one wrote."""
    wanted = spec.load(work.stack_file)
    software = wanted.software.model_copy(update={"release": release})
    planned = plans.plan(wanted.model_copy(update={"software": software}))
    configure.require_roles(known)
    if known.scheduler != "slurm":
        raise Unsupported(
            f"scheduler {known.scheduler}", "an upgrade in waves",
            "without a scheduler nobody knows who uses a host: bring up new hosts with the release and move over",
        )  # fmt: skip
    before, after = known.software.versions.get("slurm", ""), planned.software.versions.get("slurm", "")
    if before and after and compat.order(after.rpartition(".")[0], before.rpartition(".")[0]) < 0:
        raise UsageError(
            f"release {release} has Slurm {after}, older than the {before} that keeps the cluster's state",
            code="RELEASE_OLDER_SLURM", path="--to", found=release,
            allowed=f"a release with Slurm {before.rpartition('.')[0]} or newer",
            hint="slurmctld does not read the state of a newer one; no job would survive",
        )  # fmt: skip
    return planned


def losses(work: Workspace) -> operate.losses.Losses:
    """What a destroy would take away, as far as anybody answers."""
    planned = plan_of(work)
    kept = [one.name for one in planned.filesystems if one.keep_on_destroy or one.existing]
    tenants = planned.place.tenants if isinstance(planned.place, KubernetesPlatform) else ()
    return operate.losses.find(work, kept, tenants)


def destroy(work: Workspace, say: Say, on_event: Callable[[Any], None] | None = None, *,
            end_jobs: bool = False) -> list[str]:  # fmt: skip
    """Destroys the stack and everything that carries its id; returns leftovers that the engine did not know of.

    On Kubernetes these are railbed's own objects: nodes, jobs and the namespaces of tenants stay.

    ``archive/`` stays, with the journal and the last reports. Says first what goes. Raises UsageError ``JOBS_RUNNING`` while
    jobs run, unless ``end_jobs``.
    """
    with operating(work, "destroy"):
        found = losses(work)
        for line in found.lines():
            say(line)
        if not end_jobs:
            operate.losses.refuse_jobs(found, work.stack)
        Journal(work.journal_file).write("destroy", stack=work.stack, jobs=found.jobs)
        session = keep_state(work, say, "destroy")
        control_sockets.close(work)
        if work.contract_file.exists() and (known := contract_store.load(work)).kubernetes:
            scheduler = KubernetesScheduler(known)
            pod_gate.lift(scheduler)
            pod_gate.let_go(scheduler, [node.name for node in known.nodes], say)
        session.drop_stale_locks()
        try:
            _, kept = session.destroy(on_event)
        finally:
            left = platforms.sweep(plan_of(work).platform, work)
        # First of all: a contract without a state means a state that was lost.
        work.contract_file.unlink(missing_ok=True)
        if not kept:
            session.remove()
        for name in kept:
            say(
                f"kept {name}: it holds data, and the spec does not give it up; the stack's state stays for it"
            )
        remains.archive(work)
    return left
