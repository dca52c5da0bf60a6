"""Half an hour of faults while jobs run, in real Slurm; railbed is used as an operator uses it, and no other way.

Faults come from the lab's library, drawn with a seed (`soak_events.py`). An operator looks at `railbed node list` and runs
`railbed node repair NODE --yes`, `railbed node settle --yes`; one repair is killed with -9 and ordered again. Users run their own
jobs (`soak_jobs.py`). What became of all of it is judged at the end (`soak_judging.py`), a row for each condition.
"""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.conftest import RAILBED, ROOT, Cli
from tests.lab.test_crash import kill

from railbed.claims import WORKERS
from railbed.defaults import HEALTHCHECK_PREFIX, REPAIR_PREFIX
from railbed.effects.journal_index import read
from railbed.effects.lab import hardware
from railbed.operate import nodes
from railbed.operate.nodes import NodeView
from railbed.platforms.lab import faults
from railbed.platforms.lab.fault import FaultContext, Injected
from railbed.validate.node.faults import FAULTS

from . import jobs, soak_judging
from .page import Row
from .soak_cluster import cluster
from .soak_events import AT_ONCE, DIES, End, Event, draw
from .soak_jobs import PACE_S, STEPS_PER_MINUTE, People, result
from .soak_judging import CONDITIONS
from .soak_operator import Order, Turns
from .soak_record import Fault, Kill, Soak, Told

ABOUT = (
    "Faults of the library, drawn with a seed, while users' jobs run in real Slurm and an operator repairs what the health check "
    "reports; GPUs are simulated. One repair is killed with -9. All rows are of one run."
)
MINUTES, SEED = 30.0, 20261212
TICK_S, SMALL_EVERY_S, SMALL_MOST, SMALL_S = 5.0, 20.0, 4, (15, 60)
RAIL_PATIENCE_S = 300.0
"""A link that comes back needs no hands: the operator lets a rail's fault that long."""
END_S = 1500.0
"""After the last fault: a bound for repairs, and for jobs to end."""
KILLED_AFTER = (
    "repair-drain",
    "repair-evidence",
    "repair-hold",
    "repair-causes",
    "repair-rung",
    "repair-converged",
)
COMES_BACK = "/etc/systemd/system/gpu-comes-back.service"
START = f"ExecStart=/bin/cp {hardware.HARDWARE} {hardware.STATE}"
UNIT = f"[Service]\\nType=oneshot\\n{START}\\n[Install]\\nWantedBy=multi-user.target\\n"
"""What a boot does to a GPU that is off the bus, as in tests/lab/test_cluster_repair.py: a file says which GPUs there are."""


@dataclass
class Command:
    """A command of the operator that runs."""

    order: Order
    process: subprocess.Popen[bytes]
    kill_after: str = ""
    again: bool = False


@dataclass
class Run:
    """One soak. Everything that happens goes through `tick`, so that nothing happens at once but the operator's command."""

    cli: Cli
    people: People
    seed: int
    soak: Soak = field(default_factory=Soak)
    at_work: dict[str, tuple[Fault, Injected]] = field(default_factory=dict)
    """Node → its fault, until the node is well again."""
    command: Command | None = None
    seen: dict[str, float] = field(default_factory=dict)
    """Node → since when the operator sees a fault on it."""
    turns: Turns = field(default_factory=Turns)
    small_s: float = 0.0
    journal_from: int = 0

    def __post_init__(self) -> None:
        self.work, self.contract = self.cli.work, self.people.contract
        self.site = jobs.Site(self.cli)
        self.dice = random.Random(self.seed)
        self.workers = [node.name for node in self.contract.with_role(*WORKERS)]
        self.journal_from = self.work.journal_file.stat().st_size
        self.log = self.people.folder / "operator.log"
        """What the operator's commands print."""

    def told(self, what: str, **words: object) -> None:
        print(json.dumps({"at": time.strftime("%H:%M:%S"), "what": what, **words}), flush=True)

    def put_in(self, event: Event, views: dict[str, NodeView]) -> bool:
        """On a node that is well; False where none is, or so many are not already."""
        away = [name for name in self.workers if views[name].lifecycle != "healthy" or name in self.at_work]
        able = [name for name in self.workers if name not in away and views[name].role != "spare"]
        same = any(fault.kind.fault == event.kind.fault for fault, _ in self.at_work.values())
        lasting = [name for name in away if views[name].lifecycle != "quarantined"]
        if not able or same or len(lasting) >= AT_ONCE:
            return False
        name, kind = event.node(able), event.kind
        one = Injected(kind.fault, name, event.index, percent=50.0, side="node")
        self.told("fault", fault=kind.fault, node=name, index=event.index)
        if kind.boot_mends:
            self.cli.ssh(name, f"printf '{UNIT}' > {COMES_BACK} && systemctl enable gpu-comes-back.service")
        fault = Fault(kind, name, time.time())
        if kind.fault == DIES:
            jobs.power_off(self.site, name)
        else:
            index = [str(event.index)] if {"RAIL", "GPU"} & set(faults.FAULTS[kind.fault].arguments) else []
            self.cli("lab", "fault", "inject", kind.fault, name, *index)
        self.at_work[name] = (fault, one)
        self.soak.faults.append(fault)
        return True

    def take_back(self, views: dict[str, NodeView]) -> None:
        """What goes by itself goes; what is mended is crossed off the lab's list."""
        for name, (fault, one) in list(self.at_work.items()):
            kind, well = fault.kind, views[name].lifecycle == "healthy"
            if kind.lasts_s and fault.gone_s is None and time.time() >= fault.at_s + kind.lasts_s:
                if kind.fault == DIES and self.command:
                    continue
                if kind.fault == DIES:
                    jobs.boot(self.site, name)
                else:
                    left = [
                        other
                        for other in faults.active(self.work)
                        if other.node != name or other.name != kind.fault
                    ]
                    faults.FAULTS[kind.fault].clear(FaultContext(self.work, self.contract, left), one)
                self.changed(fault, one, time.time())
                self.told("gone", fault=kind.fault, node=name)
            elif kind.lasts_s == 0 and kind.end is End.REPAIRED and well and self.came_back(fault):
                if kind.boot_mends:
                    self.cli.ssh(
                        name, f"systemctl disable gpu-comes-back.service; rm -f {COMES_BACK}", may_fail=True
                    )
                self.end(fault, one)
            elif fault.gone_s is not None and well and time.time() > fault.gone_s + TICK_S:
                self.end(fault, one)

    def came_back(self, fault: Fault) -> bool:
        return bool(soak_judging.steps(self.soak, fault.node, fault.at_s, soak_judging.RETURNED))

    def changed(self, fault: Fault, one: Injected, gone_s: float) -> None:
        new = Fault(fault.kind, fault.node, fault.at_s, gone_s)
        self.soak.faults[self.soak.faults.index(fault)] = new
        self.at_work[fault.node] = (new, one)

    def end(self, fault: Fault, one: Injected) -> None:
        if fault.gone_s is None:
            self.changed(fault, one, time.time())
        if fault.kind.fault != DIES:
            self.cli("lab", "fault", "clear", fault.kind.fault)
        del self.at_work[fault.node]
        self.told("over", fault=fault.kind.fault, node=fault.node)

    def look(self) -> dict[str, NodeView]:
        """What `railbed node list` shows, and the journal so far."""
        written = self.work.journal_file.read_bytes()
        if written.startswith(self.soak.kept):
            self.soak.kept = written
        self.soak.journal = self.events(written)
        views = {
            one.name: one for one in nodes.overview(self.contract, self.work, self.people.scheduler).nodes
        }
        for name in self.workers:
            one = views[name]
            text = one.state if one.state == "unknown" else one.reason
            if text:
                self.soak.told.append(
                    Told(time.time(), name, text, drained=one.state in ("drained", "draining"))
                )
        return views

    def events(self, written: bytes) -> list[dict[str, object]]:
        lines = written[self.journal_from :].splitlines()
        return [event for line in lines if (event := read(line)) is not None]

    def operate(self, views: dict[str, NodeView]) -> None:
        """The operator's next command, where none runs."""
        if self.command:
            self.watch(self.command)
            return
        now, life = time.time(), {name: views[name].lifecycle for name in self.workers}
        self.turns.well(life)
        repairs = [name for name in self.workers if self.wanted(views[name])]
        stuck = [
            name
            for name in self.workers
            if life[name] == "quarantined" and not self.has_kind(name, End.QUARANTINED)
        ]
        if order := self.turns.next(repairs, stuck, now):
            self.turns.began(order, now)
            first = order.noun == "repair" and not self.soak.kills and self.has_kind(order.node, End.REPAIRED)
            self.start(order, kill_after=self.dice.choice(KILLED_AFTER) if first else "")

    def has_kind(self, name: str, end: End) -> bool:
        return name in self.at_work and self.at_work[name][0].kind.end is end

    def wanted(self, view: NodeView) -> bool:
        """Whether the operator repairs this node now: something of its own is wrong, and it lasts."""
        words = {word.strip(" ;:") for word in view.reason.replace(":", " ").split()}
        codes = sorted(word for word in words if word in FAULTS and FAULTS[word].drains)
        begun = view.lifecycle == "repairing" or (
            view.lifecycle == "draining" and "[railbed:repair]" in view.reason
        )
        if not begun and not (codes and view.lifecycle in ("draining", "suspect")):
            self.seen.pop(view.name, None)
            return False
        since = self.seen.setdefault(view.name, time.time())
        patience = RAIL_PATIENCE_S if codes and all(FAULTS[code].part == "rail" for code in codes) else 0.0
        return time.time() - since >= patience

    def start(self, order: Order, kill_after: str = "", *, again: bool = False) -> None:
        words = ["node", "repair", order.node] if order.noun == "repair" else ["node", "settle"]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [str(RAILBED), *words, "--yes", "--stack", self.work.stack], cwd=ROOT, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.command = Command(order, process, kill_after, again)
        self.told("command", words=words, kill_after=kill_after)

    def watch(self, one: Command) -> None:
        """A command that runs: it has ended, or its moment to be killed has come."""
        deadline = time.monotonic() + TICK_S
        while one.kill_after and one.process.poll() is None and time.monotonic() < deadline:
            if any(
                e.get("node") == one.order.node and e.get("event") == one.kill_after for e in self.recent(one)
            ):
                time.sleep(self.dice.uniform(0.0, 4.0))
                kill(one.process)
                size = self.work.journal_file.stat().st_size
                last = [str(e.get("event")) for e in self.recent(one) if e.get("node") == one.order.node][-1]
                self.soak.kills.append(Kill(one.order.node, last, size, None))
                self.told("killed", node=one.order.node, after=last)
                self.start(one.order, again=True)
                return
            time.sleep(0.2)
        status = one.process.poll()
        if status is None:
            return
        self.turns.ended(one.order, status, time.time())
        self.soak.commands.append((one.order.noun, one.order.node, status))
        if one.again:
            killed = self.soak.kills[-1]
            self.soak.kills[-1] = Kill(killed.node, killed.after, killed.size, status)
        self.told(
            "ended", noun=one.order.noun, node=one.order.node, status=status, said=self.log.read_text()[-400:]
        )
        self.command = None

    def recent(self, one: Command) -> list[dict[str, object]]:
        """Events since the command's fault came."""
        since = self.at_work[one.order.node][0].at_s if one.order.node in self.at_work else 0.0
        return [e for e in self.events(self.work.journal_file.read_bytes()) if soak_judging.at(e) >= since]

    def users(self, views: dict[str, NodeView], *, more: bool) -> None:
        """What users do: a short job now and then, and the long one off nodes that are drained for their hardware."""
        now, mine = time.time(), self.people.states()
        if more and now - self.small_s > SMALL_EVERY_S and len(mine) < SMALL_MOST + 1:
            self.small_s = now
            self.people.small(self.dice.randint(*SMALL_S))
        leaving = {name for name in self.workers if leaves(views[name])}
        self.people.look_after(self.soak.reference, leaving)
        self.people.hurry()
        if self.soak.reference in mine:
            self.soak.seen_s = now
        elif self.soak.ended_s is None:
            self.soak.ended_s = time.time()

    def tick(self, due: list[Event], *, more: bool) -> dict[str, NodeView]:
        began = time.monotonic()
        views = self.look()
        # The first that finds its node: one that waits holds no other up.
        if put := next((event for event in due if self.put_in(event, views)), None):
            due.remove(put)
        self.take_back(views)
        self.users(views, more=more)
        self.operate(views)
        time.sleep(max(0.0, TICK_S - (time.monotonic() - began)))
        return views

    def over(self, views: dict[str, NodeView]) -> bool:
        """Whether nothing is left to wait for."""
        waits = [name for name in self.at_work if not self.has_kind(name, End.QUARANTINED)]
        out = [name for name in self.workers if views[name].lifecycle not in ("healthy", "quarantined")]
        return not (self.command or waits or out or self.people.states())


def leaves(view: NodeView) -> bool:
    """Whether a job's owner takes it off the node: it is drained for a repair, or for something that no job outlasts."""
    repair = view.reason.startswith(REPAIR_PREFIX)
    return view.state == "draining" and (
        repair or (view.reason.startswith(HEALTHCHECK_PREFIX) and "nic-" not in view.reason)
    )


def run_soak(cli: Cli, people: People, minutes: float, seed: int) -> Soak:
    """Does it; gives what is to be judged."""
    steps = round(STEPS_PER_MINUTE * minutes)
    wanted = people.undisturbed(steps)
    run = Run(cli, people, seed)
    soak, began = run.soak, time.monotonic()
    events = draw(seed, minutes * 60)
    soak.drawn = len(events)
    run.told(
        "begin", seed=seed, minutes=minutes, faults=[[round(one.at_s), one.kind.fault] for one in events]
    )
    soak.wanted = wanted
    soak.submitted_s = time.time()
    soak.reference = people.train(steps, PACE_S, minutes * 3 + 60)
    left = list(events)
    due: list[Event] = []
    try:
        views = run.tick(due, more=True)
        while (spent := time.monotonic() - began) < minutes * 60:
            due += [one for one in left if one.at_s <= spent]
            left = [one for one in left if one.at_s > spent]
            views = run.tick(due, more=True)
        while not run.over(views) and time.monotonic() - began < minutes * 60 + END_S:
            views = run.tick([], more=False)
    finally:
        if run.command:
            kill(run.command.process)
    collect(run)
    return soak


def collect(run: Run) -> None:
    """What is asked once, at the end."""
    soak, people = run.soak, run.people
    views = run.look()
    soak.life = {name: views[name].lifecycle for name in run.workers}
    soak.requeued, soak.small = people.requeued, people.files()
    soak.got = result(people.output(soak.reference))
    soak.runs = people.runs([soak.reference, *people.started])
    soak.ledger = run.cli.json("job", "ledger", soak.reference)
    page = people.folder / "week.html"
    days = (time.time() - soak.submitted_s) / 86400
    soak.weekly = run.cli.json(
        "report", "weekly", "--days", f"{max(0.01, days):.6f}", "--job", soak.reference, "-o", str(page)
    )
    soak.written = run.work.journal_file.read_bytes()[run.journal_from :]
    soak.kept = soak.kept[run.journal_from :]
    whole = run.work.journal_file.read_bytes()
    soak.journal = run.events(whole)
    soak.older = [
        event for line in whole[: run.journal_from].splitlines() if (event := read(line)) is not None
    ]


@contextmanager
def rows_of(stack: str, minutes: float, seed: int, *, keep: bool) -> Iterator[Iterator[Row]]:
    """The rows of a soak on a cluster of its own, or on one that stands."""
    with cluster(stack, keep=keep) as (cli, folder):
        yield rows(cli, folder, minutes, seed)


def rows(cli: Cli, folder: Path, minutes: float, seed: int) -> Iterator[Row]:
    """A soak, then a row for each condition."""
    began = time.monotonic()
    soak = run_soak(cli, People(cli, folder), minutes, seed)
    seconds = time.monotonic() - began
    for name, condition in CONDITIONS.items():
        found, bad = condition(soak)
        yield Row(name, found, seconds, bad)
