"""Presets: how many GPUs, processors and how much memory an instance has, in Nebius's one word. Pure."""

from __future__ import annotations

from railbed.catalog import Machine
from railbed.errors import SpecError

KNOWN_PRESETS = {"nebius/gpu-b200-sxm-a": "8gpu-160vcpu-1792gb"}
"""Where the catalogue has no processors: nebius/nebius-solution-library, k8s-training, me-west1 (read 2026-11-24)."""


def preset(machine: Machine) -> str:
    """The preset with all GPUs of a host; smaller ones cannot join a GPU cluster. Raises SpecError where none is known."""
    if machine.known_cpus is not None and machine.known_memory_mib is not None:
        return f"{machine.gpus}gpu-{machine.known_cpus}vcpu-{machine.known_memory_mib // 1024}gb"
    if machine.key in KNOWN_PRESETS:
        return KNOWN_PRESETS[machine.key]
    raise SpecError(
        f"nobody published the preset of {machine.key}",
        path="railbed:cluster.pools",
        found=machine.key,
        allowed=sorted(KNOWN_PRESETS),
        hint="put cpus and memory_mib, with their source, into a file of your own catalogue (RAILBED_CATALOG)",
    )
