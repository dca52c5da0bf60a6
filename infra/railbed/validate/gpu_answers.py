"""What nodes print of their GPUs (``node/gpu_probe.py``): short lines, and the answer that all lines of one node are. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from railbed.effects import node_json

PROGRAM = "the probe of GPUs"


class Trace(node_json.Reply):
    """Extremes while a GPU computed, as nvidia-smi has them."""

    lowest_mhz: float
    highest_mhz: float
    power_w: float
    celsius: float
    reasons: node_json.Whole

    def words(self) -> str:
        return f"{self.lowest_mhz:g} to {self.highest_mhz:g} MHz, up to {self.power_w:g} W and {self.celsius:g} °C"


class Gpu(node_json.Reply):
    """One GPU's answer."""

    index: node_json.Whole
    model: node_json.Words
    rates: dict[str, float]
    digests: list[node_json.Words] = Field(max_length=64)
    errors: dict[str, node_json.Words]
    peers: list[float | None] = Field(default_factory=list, max_length=256)
    """GB/s of copies to each GPU of the node; None to itself, and where it was not measured."""
    changed: list[node_json.Whole] = Field(default_factory=list, max_length=256)
    """GPUs at which other bytes arrived than were sent."""


class GpuReply(node_json.Reply):
    """What the GPUs of one node did, and what they did it with; kept as evidence."""

    node: node_json.Words
    program: node_json.Words
    """Hash of the probe: another one's rates and digests are not comparable."""
    torch: node_json.Words
    cuda: node_json.Words
    gpus: list[Gpu] = Field(max_length=256)
    trace: dict[str, Trace]

    def has_only(self, gpus: int) -> bool:
        """Whether each GPU is there once, and is one of a node's ``gpus``."""
        numbers = [gpu.index for gpu in self.gpus]
        return len(set(numbers)) == len(numbers) and max(numbers, default=-1) < gpus


class HeadLine(node_json.Reply):
    """A node's first line: an error, or how many lines follow."""

    node: node_json.Words
    kind: Literal["head"]
    error: node_json.Words
    torch: node_json.Words = ""
    cuda: node_json.Words = ""
    gpus: node_json.Whole
    traces: node_json.Whole
    peers: node_json.Whole = 0


class GpuLine(Gpu):
    node: node_json.Words
    kind: Literal["gpu"]


class TraceLine(Trace):
    node: node_json.Words
    kind: Literal["trace"]
    index: node_json.Whole


class PeersLine(node_json.Reply):
    """What a GPU did with the others of its node."""

    node: node_json.Words
    kind: Literal["peers"]
    index: node_json.Whole
    peers: list[float | None] = Field(max_length=256)
    changed: list[node_json.Whole] = Field(max_length=256)


Line = HeadLine | GpuLine | TraceLine | PeersLine
LINE: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="kind")])
REPLY = TypeAdapter(GpuReply)


def joined(name: str, lines: Sequence[Line], gpus: int, program: str) -> GpuReply | str:
    """The answer of a node that has ``gpus``, or why its ``lines`` are none: it counts only whole."""
    times = Counter((line.kind, None if isinstance(line, HeadLine) else line.index) for line in lines)
    if (most := max(times.values(), default=0)) > 1:
        return f"{most} answers came in the name of {name}"
    head = next((line for line in lines if isinstance(line, HeadLine)), None)
    if head is None:
        return f"the first line of {name}'s answer did not come"
    if head.error:
        return f"{PROGRAM} on {name}: {head.error}"
    found = sorted((line for line in lines if isinstance(line, GpuLine)), key=lambda line: line.index)
    traces = {line.index: line for line in lines if isinstance(line, TraceLine)}
    pairs = {line.index: line for line in lines if isinstance(line, PeersLine)}
    others = [at for line in pairs.values() for at in (len(line.peers) - 1, *line.changed)]
    if max([*(gpu.index for gpu in found), *traces, *pairs, *others], default=-1) >= gpus:
        return f"{name} answers for GPUs that it does not have"
    if (len(found), len(traces), len(pairs)) != (head.gpus, head.traces, head.peers):
        return (
            f"{name}'s answer is not whole: lines of {len(found)} GPUs, {len(traces)} traces and {len(pairs)} GPUs' peers came, "
            f"its first line says {head.gpus}, {head.traces} and {head.peers}"
        )
    return GpuReply(
        node=name,
        program=program,
        torch=head.torch,
        cuda=head.cuda,
        gpus=[_whole(one, pairs.get(one.index)) for one in found],
        trace={
            str(at): Trace(**one.model_dump(include=set(Trace.model_fields))) for at, one in traces.items()
        },
    )


def _whole(line: GpuLine, pairs: PeersLine | None) -> Gpu:
    known = line.model_dump(include=set(Gpu.model_fields))
    return Gpu(**known | ({"peers": pairs.peers, "changed": pairs.changed} if pairs else {}))
