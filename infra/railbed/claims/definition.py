"""How one claim is declared, and the facts of a cluster that decide its scope."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Concatenate, Literal, ParamSpec

from pydantic import Field

from railbed.catalog import FilesystemOffer, Machine
from railbed.claims.measurements import Measurement, Reach
from railbed.claims.records import WORKERS, Claim, Expectation, FrozenModel
from railbed.laws.serving import Service

RUNBOOKS = "docs/runbooks"
"""Folder of the pages that say what to do, below the root of the checkout."""
EVERY_HOST = ("controller", *WORKERS)
CLUSTER = ()
"""No node by itself: the cluster as a whole."""


class Subject(StrEnum):
    """What a claim is about."""

    NODE = "node"
    RAIL = "rail"
    CLUSTER = "cluster"
    FILESYSTEM = "filesystem"
    JOB = "job"


class Level(StrEnum):
    """The shortest run that asks a claim; longer ones ask it too."""

    FAST = "fast"
    """The health check of a node in service, every few seconds."""
    QUICK = "quick"
    """`railbed validate --quick`: seconds, and nothing that loads the rails."""
    FULL = "full"


class Having(StrEnum):
    """What a node must have for the claim to be asked of it."""

    ANY = ""
    GPUS = "gpus"
    NVSWITCHES = "nvswitches"
    RAILS = "rails"


@dataclass(frozen=True)
class Explanation:
    """Which parts at fault elsewhere can be why a claim fails."""

    only: frozenset[str] = frozenset()
    """Kinds of parts; none: every kind but ``never``."""
    never: frozenset[str] = frozenset()
    first: str = ""
    """The kind that is likelier than the others."""
    beside: str = "all nodes"
    """What else may have failed, where no node can be singled out."""


class Filesystem(FrozenModel):
    """One shared filesystem of a cluster."""

    name: str
    mount: str
    servers: int
    """Data servers that are nodes of the cluster; 0 where they are the provider's."""
    copies: int
    offer: FilesystemOffer
    write_gbytes_per_s: float | None = None
    """What was bought for all compute nodes together; None where nobody published it."""
    read_gbytes_per_s: float | None = None
    bought: tuple[str, ...] = ()
    """How both follow from the spec."""
    rdma: bool = False
    """Whether it is Lustre, and its servers may be reached over InfiniBand, RoCE or EFA."""


class Checkpoint(FrozenModel):
    """What the largest long job writes, and how fast that was planned."""

    gbytes: float
    write_s: float | None
    restore_s: float | None
    derivation: list[str]


class SmallJobs(FrozenModel):
    """Many small jobs that fine-tune one base model, as far as they are measured."""

    gpus: int
    """Of one job."""
    jobs: int
    """Submitted at once."""
    first_step_s: float
    """Goal, from the submission of a job to the end of its first step."""
    filesystem: str
    """Name of the one that has the base model."""
    base_model_gbytes: float
    reads: int
    """Nodes of all jobs that each read the base model."""
    load_s: float | None
    """In which all have, by the filesystem's planned rate; None where nobody published it."""
    derivation: list[str]
    """Of that rate."""


class Facts(FrozenModel):
    """What decides the scope."""

    machine: Machine
    """Of the first pool: all pools of a fabric have the same."""
    transports: list[str]
    """Of the rails of all pools (``Machine.spoken``)."""
    platform: str
    hosts: Literal["machine", "container"]
    """What its nodes are."""
    stands_in: bool
    """True where the platform stands in for hardware; marks the claims about it."""
    metadata_service: bool
    """True where hosts can ask their provider for credentials."""
    computes: int
    """Compute nodes."""
    rail_hosts: int
    """Hosts with rails: compute nodes and spares."""
    has_fabric: bool
    has_scheduler: bool
    reach: Reach = Reach.LOGIN
    """How this release gets at its nodes."""
    filesystems: list[Filesystem]
    """The first is the one that jobs save on."""
    checkpoint: Checkpoint | None
    """None without a long job, or without a filesystem for it."""
    long_job: bool
    release: str
    installed: dict[str, str]
    """Component of the release → version, of those that nodes get."""
    boot_line: list[str]
    """Words of the kernel's command line of the nodes with GPUs."""
    own_bridges: bool
    """Whether the PCI bridges of the nodes with GPUs are their own."""
    name_servers: list[str]
    """Of the site."""
    directory: bool
    """Whether the site has a directory of people."""
    boot_line_kept: list[str] = Field(default_factory=list)
    """Words of their images that stand in for one of these."""
    small_jobs: SmallJobs | None = None
    """Of the workload of the kind finetuning; None: the spec has none."""
    pkey: int = 0
    """InfiniBand partition that every rail is a full member of; 0: none is asked for."""
    container_image: str = ""
    """File of the image that a validation starts as a job's container; empty: the spec names none."""
    tenants: bool = False
    """Whether only members of tenants, and operators, may submit jobs."""
    scheduler_api: bool = False
    """Whether controllers have the scheduler's REST interface."""
    oversubscription: float = 1.0
    """Ports of a leaf switch down to up; 1 where the provider does not say."""
    pool_tenants: int = 1
    """Whose hosts these are: so many tenants'; the tenants of one cluster share its hosts, and count as one."""
    serving: Service | None = None
    """The inference service of most GPUs; None: the spec has none."""
    science_nodes: int = 0
    """Nodes of the largest workload of the kind scientific; 0: the spec has none."""
    hpl_image: str = ""
    """File of the image of NVIDIA's HPC Benchmarks; empty: the spec names none."""
    rail_only: bool = False
    """Whether no path leads from one rail to another."""

    @property
    def filesystem(self) -> Filesystem | None:
        """The first shared filesystem."""
        return next(iter(self.filesystems), None)


class In:
    """An instance of a claim that is in scope; ``fields`` fill the placeholders of its id."""

    beside = ""
    """Name of the filesystem that it is about, where that is not the first one."""

    def __init__(self, statement: str, reach: Expectation | None = None, **fields: str | int) -> None:
        self.statement, self.reach, self.fields = statement, reach, fields


class Out:
    """An instance that the spec or the platform leaves out, and why."""

    beside = ""
    """As of ``In``."""

    def __init__(self, reason: str, **fields: str | int) -> None:
        self.reason, self.fields = reason, fields


Instances = Iterator[In | Out]


@dataclass(frozen=True)
class Definition:
    """One claim, or a series of claims whose ids differ in their placeholders."""

    instances: Callable[[Facts], Instances]
    id: str
    """e.g. ``node.gpus`` or ``fabric.rail.{rail}.bandwidth``."""
    subject: Subject
    holds: str
    """When it holds, in the words of docs/reference/claims.md."""
    accuses: str
    """The part that is at fault where a verdict names none; may have the id's placeholders."""
    runbook: str
    """Key of the page that says what to do: its name below ``RUNBOOKS``."""
    by: Measurement
    roles: tuple[str, ...] = CLUSTER
    having: Having = Having.ANY
    level: Level = Level.FULL
    hardware: bool = False
    """True where a platform without hardware marks it as simulated."""
    essential: bool = False
    """True where a certificate without it would say less than it seems: in scope also without a measurement."""
    explained: Explanation | None = None
    """None: a failure points at a part by itself."""
    hidden: Mapping[str, str] = field(default_factory=dict)
    """Platform, or ``container`` as the kind of its hosts → why it cannot show this."""
    steady: float | None = None
    """Share by which a healthy cluster's rate may fall below the certified one; None where runs differ more, and only its
    floor counts."""
    data_servers: bool = False
    """True for a claim of the cluster to which every data server adds its own part."""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches the ids of its instances, with a group for each placeholder."""
        text = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[a-z0-9_]+)", re.escape(self.id))
        return re.compile(text + (r"(?:@[a-z0-9-]+)?" if self.subject is Subject.FILESYSTEM else ""))

    def named(self, found: In | Out) -> str:
        """The id of an instance. Of a filesystem beside the first one it has its name behind it: ``storage.write@data``."""
        return self.id.format(**found.fields) + (f"@{found.beside}" if found.beside else "")

    @property
    def glob(self) -> str:
        """The ids of its instances as a glob."""
        return re.sub(r"\{\w+\}", "*", self.id)

    @property
    def page(self) -> str:
        """The page that says what to do, from the root of the checkout."""
        return f"{RUNBOOKS}/{self.runbook}.md"

    def part_of(self, claim: str) -> str:
        """The part that an instance accuses where its verdict names none."""
        return self._filled(self.accuses, claim)

    def holds_for(self, claim: str) -> str:
        """When an instance holds."""
        return self._filled(self.holds, claim)

    def _filled(self, text: str, claim: str) -> str:
        found = self.pattern.fullmatch(claim)
        return text.format(**found.groupdict()) if found else text

    def claim(self, found: In, facts: Facts) -> Claim:
        """The instance as the plan and the contract have it."""
        return Claim(
            id=self.named(found),
            statement=found.statement,
            roles=list(self.roles),
            expectation=found.reach,
            simulated=self.hardware and facts.stands_in,
            measured_by=self.by.tool_for(facts.transports, facts.reach),
            unmeasured=self.by.lacking(facts.reach),
        )


P = ParamSpec("P")
TABLE: dict[str, Definition] = {}
"""Id → definition, in the order of declaration."""


def _declaring(
    make: Callable[Concatenate[Callable[[Facts], Instances], P], Definition],
) -> Callable[P, Callable[[Callable[[Facts], Instances]], Definition]]:
    """A decorator with the words of ``make``, which takes the decorated function before them."""

    def words(*args: P.args, **kwargs: P.kwargs) -> Callable[[Callable[[Facts], Instances]], Definition]:
        def declared(instances: Callable[[Facts], Instances]) -> Definition:
            definition = make(instances, *args, **kwargs)
            if definition.id in TABLE:
                raise ValueError(f"{definition.id} is declared twice")
            TABLE[definition.id] = definition
            return definition

        return declared

    return words


define = _declaring(Definition)
"""Declares the claim whose instances the decorated function yields. The words are Definition's fields."""
