"""What GPUs of nodes that are not measured now did in the last whole run: a few nodes alone say little of each other.

With four GPUs nothing could be compared, and a node that is slow as a whole would pass alone. The kept answers serve as peers:
no verdict is given on them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import ValidationError

from railbed import inputs
from railbed.contract import Machine
from railbed.errors import RailbedError
from railbed.validate.acceptance import LATEST_FULL
from railbed.validate.gpu_answers import REPLY, GpuReply
from railbed.validate.validation_run import EVIDENCE, ValidationRun


def kept_as(machine: Machine) -> str:
    """Where the answers of its nodes are kept, below a report's evidence."""
    return f"gpus/{machine.key.replace('/', '-')}.json"


def last_report(validation: ValidationRun) -> str:
    """The name of the last whole run's folder."""
    return (validation.folder.parent / LATEST_FULL).resolve().name


def last(
    validation: ValidationRun, machine: Machine, parts: Mapping[str, GpuReply], asked: Collection[str]
) -> dict[str, GpuReply]:
    """Node → its answer in the last whole run, of nodes that nobody asked now, measured by the program and the libraries that
    some of ``parts`` have. Empty where that run kept none, or what it kept cannot be read."""
    path = validation.folder.parent / LATEST_FULL / EVIDENCE / kept_as(machine)
    try:
        document = inputs.read_json(path)
    except RailbedError:
        return {}
    if not isinstance(document, dict):
        return {}
    comparable = {(reply.program, reply.torch, reply.cuda) for reply in parts.values()}
    found = {}
    for node in validation.contract.nodes:
        if node.machine != machine.key or node.name in asked:
            continue
        try:
            reply = REPLY.validate_python(document.get(node.name))
        except ValidationError:
            continue
        if reply.node != node.name or not reply.has_only(node.gpus):
            continue
        if (reply.program, reply.torch, reply.cuda) in comparable:
            found[node.name] = reply
    return found
