"""Simulated GPUs: each with an identity of its own, the same for as long as its host lives."""

from __future__ import annotations

import re
import uuid

from hypothesis import given
from hypothesis import strategies as st

from railbed.effects.lab import hardware

MACHINES = st.uuids().map(lambda one: one.hex)


@given(st.sets(MACHINES, min_size=2, max_size=20))
def test_no_two_gpus_are_the_same_one(machines: set[str]) -> None:
    gpus = [gpu for machine in machines for gpu in hardware.gpus(8, machine)]
    assert len({gpu.uuid for gpu in gpus}) == len({gpu.serial for gpu in gpus}) == 8 * len(machines)
    assert all(re.fullmatch(r"\d{13}", gpu.serial) for gpu in gpus)
    assert all(uuid.UUID(gpu.uuid.removeprefix("GPU-")) for gpu in gpus)


@given(MACHINES, st.integers(0, 15))
def test_identity_lasts(machine: str, count: int) -> None:
    assert hardware.gpus(count, machine) == hardware.gpus(count, machine)
    assert len({gpu.bus_id for gpu in hardware.gpus(count, machine)}) == count


NAMES = st.text("abcdefghij0123456789_", min_size=1, max_size=10)
VALUES = st.text("abcdef0123456789 :-.=", max_size=20).map(str.strip)


@given(st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, max_size=4), max_size=4))
def test_what_is_written_is_read(found: dict[str, dict[str, str]]) -> None:
    assert hardware.sections(hardware.state(found)) == found
