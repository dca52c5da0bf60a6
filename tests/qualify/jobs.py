"""What a job survives: a data server that dies after its checkpoint, and nodes that die under it.

The programs are those of a validation: `storage_probe.py`, and the reference job with its batch script and its judge. Only who
dies is other: here a whole host, its cables first, as where its power fails. Every compute node of the lab is a data server
too, so a job that goes on on the spare reads its checkpoint from the copies that are left.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.lab.conftest import Cli, scheduled, wait_for
from tests.lab.test_crash import finish

from railbed.contract import Contract
from railbed.defaults import ACCEPTANCE_RESERVATION, STORAGE_PROBE_BYTES, STORAGE_TIMEOUT_S
from railbed.effects import contract_store, node_json
from railbed.effects.lab import hosts, names
from railbed.effects.remote import Remote
from railbed.effects.scheduler import Scheduler
from railbed.parse import moosefs
from railbed.platforms.lab import cable_faults
from railbed.platforms.lab.fault import FaultContext, Injected
from railbed.text import shown
from railbed.validate import job, job_program, transfers
from railbed.validate.job_log import Course, JobLog, Work, resume

from . import steps
from .page import Row
from .steps import Found

PARTS = 8
"""Files of the checkpoint: with two copies of each on four servers, a server has some with near certainty."""
COURSE = Course(steps=300, every=20, dies_at=0, room_bytes=8_000_000)
"""Half a minute on an idle machine of two cores: a node dies in the middle of it, right after the first checkpoint."""
LIMIT_S, BOOT_S = 900.0, 300.0
"""Bounds, not expectations."""


@dataclass
class Site:
    """A cluster that stands, and what acts on it."""

    cli: Cli
    contract: Contract = field(init=False)
    remote: Remote = field(init=False)
    scheduler: Scheduler = field(init=False)

    def __post_init__(self) -> None:
        self.contract = contract_store.load(self.cli.work)
        self.remote = Remote(self.cli.work, self.contract)
        self.scheduler = Scheduler(self.remote)

    @property
    def computes(self) -> list[str]:
        return [node.name for node in self.contract.with_role("compute")]

    @property
    def spares(self) -> list[str]:
        return [node.name for node in self.contract.with_role("spare")]


def data_servers(cli: Cli) -> Found:
    """As many data servers die as copies allow; what was written before reads back the same on a client that never read it."""
    site = Site(cli)
    filesystem, writer, probe = site.contract.filesystems[0], site.computes[0], transfers.PROBE.read_text()
    folder = f"{filesystem.mount}/.railbed-qualify-{secrets.token_hex(4)}"
    files = [f"{folder}/part-{at}" for at in range(PARTS)]

    def ask(node: str, *words: str) -> transfers.Transfer:
        said = site.remote.run(node, ["python3", "-", *words], stdin=probe, timeout_s=STORAGE_TIMEOUT_S)
        return node_json.read(said.stdout, transfers.TRANSFER, node)

    site.remote.run(writer, ["mkdir", folder])
    dead: list[str] = []
    try:
        written = {
            file: ask(writer, "write", file, str(STORAGE_PROBE_BYTES), str(at)).sha256
            for at, file in enumerate(files)
        }
        listed = site.remote.run(writer, ["mfsfileinfo", *files]).stdout
        holders = {site.contract.node(name).address: name for name in filesystem.data_servers}
        held = copies_on(listed, holders)
        dead = sorted(held, key=lambda name: (name == writer, -held[name]))[: filesystem.copies - 1]
        reader = next(name for name in reversed(site.computes) if name not in (writer, *dead))
        for name in dead:
            cli("lab", "fault", "inject", "fs-server-down", name)
        read = {file: ask(reader, "read", file).sha256 for file in files}
    finally:
        if dead:
            cli("lab", "fault", "clear")
        site.remote.run(writer, ["rm", "-rf", folder], check=False)
    lost, size = sum(held[name] for name in dead), f"{STORAGE_PROBE_BYTES >> 20} MiB"
    found = (
        f"{len(read)} files of {size} in {moosefs.fewest_copies(listed)} copies, written on {writer}, read on {reader} while "
        f"{', '.join(dead)} served none of its {lost}"
    )
    return found, read_back(written, read, moosefs.fewest_copies(listed), filesystem.copies)


def copies_on(listed: str, holders: Mapping[str, str]) -> dict[str, int]:
    """Data server → how many of the files' copies it has, from `mfsfileinfo`. Pure; ``holders``: address → name."""
    found = dict.fromkeys(holders.values(), 0)
    for line in listed.splitlines():
        if (copy := moosefs.COPY.match(line)) and copy["address"] in holders:
            found[holders[copy["address"]]] += 1
    return found


def read_back(
    written: Mapping[str, str], read: Mapping[str, str], copies: int | None, wanted: int
) -> list[str]:
    """What is otherwise than it must be, of digests by file. Pure."""
    bad = [f"a chunk had {copies} copies of {wanted} before"] if copies != wanted else []
    return bad + [
        f"{file} reads otherwise than it was written" for file in written if read.get(file) != written[file]
    ]


def first_node_dies(cli: Cli) -> Found:
    """With the batch script on it: only the scheduler is left to queue the job again."""
    return _node_dies(cli, 0)


def last_node_dies(cli: Cli) -> Found:
    """The batch script lives, and the ranks beside it wait for the dead one."""
    return _node_dies(cli, -1)


def _node_dies(cli: Cli, which: int) -> Found:
    site, died = Site(cli), list[str]()

    def kill(log: JobLog) -> None:
        start = log.starts.get(0)
        if not died and start and log.checkpoints.get(0):
            died.append(sorted(start.hosts)[which])
            power_off(site, died[0])

    undisturbed, _ = _train(site, lambda log: None)
    try:
        disturbed, state = _train(site, kill)
    finally:
        for name in died:
            power_on(site, name)
    if not died:
        return "no node died", [f"the job wrote no checkpoint: {state}"]
    again = disturbed.starts.get(1)
    went_on = f"on {', '.join(sorted(again.hosts))} at step {again.first_step}" if again else "nowhere"
    found = f"{died[0]} died at step {max(disturbed.losses[0])} of {COURSE.steps}; went on {went_on}; state {state}"
    return found, unlike(_work(site), undisturbed, disturbed, died[0], site.spares)


def unlike(work: Work, undisturbed: JobLog, disturbed: JobLog, died: str, spares: list[str]) -> list[str]:
    """What is otherwise than it must be of a job under which a node died: the judge of ``job.resume``, and beyond it losses that
    are those of an undisturbed run to the last bit. Pure."""
    outcome = resume(disturbed, work)
    bad = [] if outcome.verdict == "pass" else [f"job.resume would {outcome.verdict}: {outcome.reason}"]
    again = disturbed.starts.get(1)
    if again and died in again.hosts:
        bad.append(f"it went on on {died}, which is dead")
    if again and not set(again.hosts) & set(spares):
        bad.append("it went on without the spare")
    if 0 not in undisturbed.done:
        bad.append("the undisturbed run did not end")
    whole = undisturbed.losses.get(0, {})
    for attempt, losses in sorted(disturbed.losses.items()):
        other = [step for step, loss in sorted(losses.items()) if whole.get(step) != loss]
        if other:
            bad.append(
                f"attempt {attempt}: {len(other)} losses differ from the undisturbed run's, the first of step {other[0]}"
            )
    return bad


def _work(site: Site) -> Work:
    return Work(site.computes, 1, "cpu", spares=site.spares, other_course=COURSE)


def _train(site: Site, meanwhile: Callable[[JobLog], None]) -> tuple[JobLog, str]:
    """The reference job from its first step to its last; its log, and its last state with its last words."""
    # Neither the first nor the last node, which die.
    mount, reader = site.contract.filesystems[0].mount, site.computes[1]
    folder = f"{mount}/.railbed-qualify-{secrets.token_hex(4)}"
    site.remote.run(reader, f"mkdir {folder} && cat > {folder}/train.py", stdin=job.TRAIN.read_text())
    held = ACCEPTANCE_RESERVATION if site.scheduler.reservation() else ""
    batch = job_program.batch(
        _work(site), stack=site.contract.software.training_stack_path, folder=folder, log=secrets.token_hex(4),
        reservation=held, limit_s=LIMIT_S,
    )  # fmt: skip

    def log() -> JobLog:
        return JobLog.read(site.remote.run(reader, ["cat", f"{folder}/progress.jsonl"], check=False).stdout)

    number = site.scheduler.submit(batch.script, batch.options)
    try:
        state, _ = job.wait(site.scheduler, number, batch.timeout_s, lambda: meanwhile(log()))
        last = site.remote.run(reader, ["tail", "-n", "3", f"{folder}/job.out"], check=False).stdout
        return log(), f"{state.get('JobState', 'forgotten')} ({shown(last)})"
    finally:
        site.scheduler.cancel_own(number, job_program.NAME)
        site.remote.run(reader, ["rm", "-rf", folder], check=False)


def power_off(site: Site, name: str) -> None:
    """Cables first, then every process at once: nobody hears a last word of it."""
    context, cables = _cables(site, name)
    for cable in cables[1:]:
        cable_faults.down(context, cable)
    cable_faults.unreachable(context, cables[0])
    hosts.end_processes(names.namespace(site.cli.work.lab_id, name))


def power_on(site: Site, name: str) -> None:
    """Its cables, and its host as `up` makes it; the scheduler takes back by itself what it had missed."""
    boot(site, name)
    wait_for(lambda: scheduled(site.cli)[name].usable, BOOT_S)


def boot(site: Site, name: str) -> None:
    """The same, and nobody waits for the scheduler."""
    context, cables = _cables(site, name)
    for cable in cables[1:]:
        cable_faults.up(context, cable)
    cable_faults.reachable(context, cables[0])
    finish(site.cli, "make", LIMIT_S)


def _cables(site: Site, name: str) -> tuple[FaultContext, list[Injected]]:
    """That of management, then those of the rails."""
    rails = [rail.index for rail in site.contract.node(name).rails]
    cables = [Injected("", name, index, percent=0.0, side="switch") for index in (0, *rails)]
    return FaultContext(site.cli.work, site.contract, []), cables


STEPS: steps.Steps = {
    "a data server dies after a checkpoint": data_servers,
    "a node dies under a job": last_node_dies,
    "the node with the batch script dies": first_node_dies,
}


def make(cli: Cli) -> None:
    """Its hosts and its roles. Nothing is accepted: root may use the reservation of nodes that did not pass."""
    cli("setup")
    finish(cli, "make", LIMIT_S)
    cli("converge")


def rows(cli: Cli) -> Iterator[Row]:
    """Each step."""
    return steps.rows(cli, STEPS)
