"""A long job: how often it is stopped, how many spares it needs, when it saves, and how much of the time is work."""

from __future__ import annotations

import math

from railbed.catalog import Reliability, load_reliability
from railbed.claims import FrozenModel
from railbed.errors import UsageError
from railbed.laws import failures

SECONDS_PER_DAY = 86_400
MAX_GPUS = 16 * 65_536
MAX_DAYS = 3650.0
RETURN_DAYS = (1.0, 3.0, 7.0, 14.0, 30.0)
"""Repair times for which the sensitivity is shown."""
MTBF_NODE_DAYS = 1000


class Three(FrozenModel):
    """A number at the low, the central and the high failure rate."""

    low: float
    central: float
    high: float


class ThreeCounts(FrozenModel):
    """The same for whole numbers."""

    low: int
    central: int
    high: int


class Sensitivity(FrozenModel):
    """How many spares another repair time needs."""

    return_days: float
    spare_nodes: ThreeCounts


class Lost(FrozenModel):
    """Shares of the time that are not work kept, to first order, at the central rate."""

    checkpoint: float
    rework: float
    detection: float
    restart: float


class Assumed(FrozenModel):
    """One number that a plan rests on, and where it comes from."""

    name: str
    value: float
    source: str


class LongJob(FrozenModel):
    """What a job of ``gpus`` GPUs comes to."""

    gpus: int
    nodes: int
    days: float | None
    """None: its length is not known."""
    interruptions: Three | None
    """In all ``days``."""
    interruptions_per_day: Three
    between_interruptions_s: Three
    """Mean time between two."""
    node_removals_per_day: Three
    spare_nodes: int
    """At the central rate."""
    spare_nodes_range: ThreeCounts
    spare_probability: float
    return_days: float
    checkpoint_gbytes: float
    checkpoint_write_s: float
    checkpoint_restore_s: float
    checkpoint_interval_s: float
    goodput: float
    """Share of the time that is work kept, at the central rate."""
    goodput_range: Three
    lost: Lost
    sensitivity: list[Sensitivity]
    assumptions: list[Assumed]
    storage_is_assumed: bool
    """True where no filesystem was given and the published reference stands in."""


class JobRequest(FrozenModel):
    """What is asked; None means: as published (catalogue, ``reliability/published``)."""

    gpus: int
    days: float | None = None
    gpus_per_node: int = 8
    checkpoint_gbytes: float | None = None
    spare_probability: float | None = None
    return_days: float | None = None
    detection_s: float | None = None
    restart_s: float | None = None
    write_gbytes_per_s: float | None = None
    """Of all nodes together."""
    read_gbytes_per_s: float | None = None


def plan(request: JobRequest, known: Reliability | None = None) -> LongJob:
    """The plan of a long job. Raises UsageError for numbers out of range."""
    _check(request)
    known = known or load_reliability()
    nodes = math.ceil(request.gpus / request.gpus_per_node)
    stops, removals = (
        _per_day(known, "job_stops", request.gpus),
        _per_day(known, "node_removals", request.gpus),
    )
    between = Three(**{name: SECONDS_PER_DAY / rate for name, rate in stops})
    sure = known.spare_probability if request.spare_probability is None else request.spare_probability
    away = known.return_days if request.return_days is None else request.return_days
    write, read, assumed = _storage(request, known, nodes)
    gbytes = (
        checkpoint_gbytes(known, request.gpus)
        if request.checkpoint_gbytes is None
        else request.checkpoint_gbytes
    )
    detection = known.detection_s if request.detection_s is None else request.detection_s
    start = known.restart_s if request.restart_s is None else request.restart_s
    write_s, restore_s = gbytes / write, gbytes / read
    interval = failures.checkpoint_interval_s(write_s, between.central)
    recovery = detection + start + restore_s
    worth = Three(**{name: failures.goodput(interval, write_s, recovery, m) for name, m in between})
    spares = _spares(removals, away, sure)
    return LongJob(
        gpus=request.gpus,
        nodes=nodes,
        days=request.days,
        interruptions=None
        if request.days is None
        else Three(**{name: rate * request.days for name, rate in stops}),
        interruptions_per_day=stops,
        between_interruptions_s=between,
        node_removals_per_day=removals,
        spare_nodes=spares.central,
        spare_nodes_range=spares,
        spare_probability=sure,
        return_days=away,
        checkpoint_gbytes=gbytes,
        checkpoint_write_s=write_s,
        checkpoint_restore_s=restore_s,
        checkpoint_interval_s=interval,
        goodput=worth.central,
        goodput_range=worth,
        lost=Lost(
            checkpoint=write_s / (interval + write_s),
            rework=(interval + write_s) / 2 / between.central,
            detection=detection / between.central,
            restart=(start + restore_s) / between.central,
        ),
        sensitivity=[Sensitivity(return_days=d, spare_nodes=_spares(removals, d, sure)) for d in RETURN_DAYS],
        assumptions=_assumptions(request, known, write, read),
        storage_is_assumed=assumed,
    )


def spare_nodes(nodes: int, gpus_per_node: int, known: Reliability | None = None) -> int:
    """Spares for ``nodes`` nodes at the published central rate, repair time and probability."""
    known = known or load_reliability()
    removals = _per_day(known, "node_removals", nodes * gpus_per_node)
    return failures.spares(removals.central * known.return_days, known.spare_probability)


def checkpoint_gbytes(known: Reliability, gpus: int) -> float:
    """Size of a checkpoint of the smallest published model that is trained on so many ranks, else of the largest."""
    sizes = sorted((int(ranks), size) for ranks, size in known.checkpoint_gbytes.items())
    return next((size for ranks, size in sizes if ranks >= gpus), sizes[-1][1])


def _per_day(known: Reliability, rate: str, gpus: int) -> Three:
    """Events per day of ``gpus`` GPUs: the rates are per 1000 days of a node of ``gpus_per_node``."""
    share = gpus / known.gpus_per_node / MTBF_NODE_DAYS
    return Three(**{name: known.fact(f"{rate}_{name}") * share for name in Three.model_fields})


def _spares(removals: Three, return_days: float, probability: float) -> ThreeCounts:
    return ThreeCounts(**{name: failures.spares(rate * return_days, probability) for name, rate in removals})


def _storage(request: JobRequest, known: Reliability, nodes: int) -> tuple[float, float, bool]:
    """Write and read GB/s of all nodes, and whether the published reference stands in for either."""
    units = max(1.0, nodes / known.storage_nodes)
    write = min(known.storage_write_gbytes_per_s * units, known.storage_node_write_gbytes_per_s * nodes)
    read = min(known.storage_read_gbytes_per_s * units, known.storage_node_read_gbytes_per_s * nodes)
    assumed = request.write_gbytes_per_s is None or request.read_gbytes_per_s is None
    return request.write_gbytes_per_s or write, request.read_gbytes_per_s or read, assumed


def _assumptions(request: JobRequest, known: Reliability, write: float, read: float) -> list[Assumed]:
    named = [f"{rate}_{name}" for rate in ("job_stops", "node_removals") for name in Three.model_fields]
    made = [
        Assumed(name=name, value=known.fact(name), source=known.provenance[name].source) for name in named
    ]
    for name in ("spare_probability", "return_days", "detection_s", "restart_s"):
        given = getattr(request, name)
        source = known.provenance[name].source if given is None else "given"
        made.append(Assumed(name=name, value=known.fact(name) if given is None else given, source=source))
    if request.checkpoint_gbytes is None:
        size, source = checkpoint_gbytes(known, request.gpus), known.provenance["checkpoint_gbytes"].source
        made.append(Assumed(name="checkpoint_gbytes", value=size, source=source))
    for name, value in (("write_gbytes_per_s", write), ("read_gbytes_per_s", read)):
        source = "given" if getattr(request, name) is not None else known.provenance[f"storage_{name}"].source
        made.append(Assumed(name=name, value=value, source=source))
    return made


def _check(request: JobRequest) -> None:
    limits: list[tuple[str, float | None, float, float]] = [
        ("gpus", request.gpus, 1, MAX_GPUS),
        ("gpus-per-node", request.gpus_per_node, 1, 1024),
        ("days", request.days, 0, MAX_DAYS),
        ("checkpoint-gbytes", request.checkpoint_gbytes, 0, 10_000_000),
        ("return-days", request.return_days, 0, MAX_DAYS),
        ("detection-s", request.detection_s, 0, SECONDS_PER_DAY),
        ("restart-s", request.restart_s, 0, SECONDS_PER_DAY),
        ("write-gbytes-per-s", request.write_gbytes_per_s, 0, 1_000_000),
        ("read-gbytes-per-s", request.read_gbytes_per_s, 0, 1_000_000),
    ]
    may_be_none_at_all = ("detection-s", "restart-s", "return-days")
    for name, value, least, most in limits:
        if value is None:
            continue
        too_low = value < least or (value == 0 and name not in may_be_none_at_all)
        if not math.isfinite(value) or too_low or value > most:
            raise UsageError(
                f"{name} is out of range", path=f"--{name}", found=str(value),
                allowed=f"{'0 or more' if name in may_be_none_at_all else f'more than 0, at least {least:g}'}, ≤ {most:g}",
                hint="choose a value within the range",
            )  # fmt: skip
    sure = request.spare_probability
    if sure is not None and not 0 < sure < 1:
        raise UsageError(
            "a probability lies between 0 and 1", path="--spare-probability", found=str(sure), allowed="0 < p < 1",
            hint="0.99 means: a spare is missing once in a hundred times",
        )  # fmt: skip
