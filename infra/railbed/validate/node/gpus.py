"""The GPUs of a node, their memory and their driver, as nvidia-smi reports them."""

from __future__ import annotations

import re
from typing import Any, Optional, Union

from railbed.validate.node.image import fits, whose
from railbed.validate.node.probe import NOT_FOUND, TIMED_OUT, Answer, Finding, Probe, Symptom

LIBRARY_MISMATCH = 18
"""Exit status of nvidia-smi when driver and library differ (NVML_ERROR_LIB_RM_VERSION_MISMATCH in nvml.h)."""


def _no_answer(answer: Answer, expected: Union[float, str]) -> Optional[Finding]:
    """Why nvidia-smi gave no answer, if it could not run at all."""
    if answer.code == NOT_FOUND:
        return Finding("unproven", "nvidia-smi is not installed", expected=expected)
    if answer.code == TIMED_OUT:
        return Finding("unproven", answer.err, expected=expected)
    return None


LOST = "GPU is lost"
"""What nvidia-smi says of a GPU that fell off the bus; only `-L` goes on with the next one."""


def hidden_by(answer: Answer, rows: int = 0) -> str:
    """Which claim stands in the way where nvidia-smi listed fewer GPUs than there should be: ``rows``."""
    return "node.gpus" if rows or LOST in answer.out + answer.err else "node.driver"


def _listed(text: str) -> dict[int, str]:
    """Index → model name, from `nvidia-smi -L`."""
    return {int(i): name for i, name in re.findall(r"^GPU (\d+): (.+?) \(UUID: ", text, re.M)}


def _missing(probe: Probe, listed: dict[int, str], count: int) -> list[int]:
    """Numbers of the GPUs that do not answer.

    Indices close up behind a GPU that is gone; device files and the driver's minor numbers keep their place.
    """
    files = {int(m[1]) for m in (re.fullmatch(r"nvidia(\d+)", name) for name in probe.names("/dev")) if m}
    minors = re.findall(r"<minor_number>(\d+)</minor_number>", probe.run(["nvidia-smi", "-q", "-x"]).out)
    there = {int(minor) for minor in minors} if len(minors) == len(listed) else set(listed)
    return sorted((files if len(files) >= count else set(range(count))) - there)


def gpus(probe: Probe, want: dict[str, Any]) -> Finding:
    """Every GPU is listed, of the expected model and memory. A missing one is named."""
    count, model = int(want["gpus"]), str(want["gpu_model"])
    answer = probe.run(["nvidia-smi", "-L"])
    silent = _no_answer(answer, count)
    if silent:
        return silent
    listed = _listed(answer.out)
    if not listed and answer.code != 0:
        reason = f"blocked by node.driver: nvidia-smi says {answer.first_line!r}"
        return Finding("unproven", reason, expected=count)
    wrong = sorted(i for i, name in listed.items() if model not in name)
    measured = len(listed) - len(wrong)
    if len(listed) != count:
        missing = _missing(probe, listed, count)
        lost = next((line.strip() for line in answer.out.splitlines() if LOST in line), "")
        reason = f"{len(listed)} of {count} GPUs listed"
        reason += f"; missing: {', '.join(f'gpu {i}' for i in missing)}" if missing else ""
        reason += f" ({lost})" if lost else ""
        parts = tuple(f"gpu {i}" for i in missing) or ("gpu",)
        return _broken("gpu-lost" if lost else "gpu-missing", reason, measured, count, parts)
    if wrong:
        names = ", ".join(f"gpu {i} is {listed[i]!r}" for i in wrong)
        return _broken(
            "gpu-model", f"not {model!r}: {names}", measured, count, tuple(f"gpu {i}" for i in wrong)
        )
    return _memory(probe, want)


def _broken(code: str, reason: str, measured: int, count: int, parts: tuple[str, ...]) -> Finding:
    return Finding(
        "fail", reason, measured, "GPUs", count, parts, (Symptom(code, ", ".join(parts), reason),)
    )  # fmt: skip


MEMORY_SHARE = 0.98
"""Of what nvidia-smi showed of this model, what it may show: one A100 has 40,536 MiB by a driver of 2021 and 40,960 by later ones
(public logs). Another model, or one that lacks a stack of its memory, is a fifth away or more."""


def _memory(probe: Probe, want: dict[str, Any]) -> Finding:
    count, wanted = int(want["gpus"]), want.get("gpu_memory_mib")
    answer = probe.run(["nvidia-smi", "--query-gpu=index,memory.total", "--format=csv,noheader,nounits"])
    sizes = {int(i): int(mib) for i, mib in re.findall(r"^(\d+), (\d+)\s*$", answer.out, re.M)}
    if wanted and len(sizes) != count:
        reason = f"nvidia-smi named the memory of {len(sizes)} GPUs: {answer.first_line!r}"
        return Finding("unproven", reason, None, "GPUs", count)
    less = sorted(i for i, mib in sizes.items() if wanted and mib < int(wanted) * MEMORY_SHARE)
    if less:
        reason = ", ".join(f"gpu {i} has {sizes[i]} MiB" for i in less) + f", not {wanted}"
        return _broken("gpu-memory", reason, count - len(less), count, tuple(f"gpu {i}" for i in less))
    return Finding("pass", f"{count} × {want['gpu_model']} answer", count, "GPUs", count)


def _driver_rows(probe: Probe) -> tuple[Answer, dict[str, str]]:
    """What nvidia-smi says of the driver, and index → version of the GPUs that answer."""
    query = ["nvidia-smi", "--query-gpu=index,driver_version", "--format=csv,noheader"]
    answer = probe.run(query)
    if LOST in answer.out + answer.err:
        alive = ",".join(str(index) for index in _listed(probe.run(["nvidia-smi", "-L"]).out))
        answer = probe.run([*query, f"--id={alive}"]) if alive else answer
    return answer, dict(re.findall(r"^(\d+), ([0-9][0-9.]*)\s*$", answer.out, re.M))


def driver(probe: Probe, want: dict[str, Any]) -> Finding:
    """Every GPU that answers runs the locked driver version, or one that an image may have; and its library is of it too."""
    expected = str(want["driver"])
    answer, rows = _driver_rows(probe)
    silent = _no_answer(answer, expected)
    if silent:
        return silent
    other = {index: version for index, version in rows.items() if not fits(version, expected)}
    measured = " | ".join(sorted(set(rows.values()))) or None
    if other:
        versions = " | ".join(sorted(set(other.values())))
        reason = f"driver {versions} on {len(other)} of {len(rows)} GPUs, not {expected}"
        return _wrong_driver("driver-version", reason, measured, expected)
    if answer.code == LIBRARY_MISMATCH or "version mismatch" in answer.out + answer.err:
        reason = "the loaded driver and its library are of different versions: " + answer.first_line
        return _wrong_driver("driver-library", reason, measured, expected)
    if not rows:
        if "couldn't communicate" in answer.out + answer.err:
            return _wrong_driver("driver-silent", "nvidia-smi cannot reach the driver", None, expected)
        reason = f"nvidia-smi named no driver version: {answer.first_line!r}"
        return Finding("unproven", reason, expected=expected)
    return Finding("pass", f"driver {measured} on {len(rows)} GPUs{whose(expected)}", measured, "", expected)


def _wrong_driver(code: str, reason: str, measured: Optional[str], expected: str) -> Finding:
    return Finding("fail", reason, measured, "", expected, ("driver",), (Symptom(code, "driver", reason),))


TROUBLES = (
    ("remapped_row_failure", "Yes", "gpu-row-failed", "a memory row could not be remapped: replace it"),
    ("remapped_row_pending", "Yes", "gpu-row-pending", "a memory row waits for a reset to be remapped"),
)
"""Element of `nvidia-smi -q -x`, the value that it must not have, the fault's code, and what that means.

These, and uncorrectable errors of the SRAM, are what Azure's node health check allows none of on an H100
(Azure/azurehpc-health-checks, conf/nd96isr_h100_v5.conf). NVIDIA's memory error management guide says why.
"""


def _troubles(block: str, gpu: str) -> list[Symptom]:
    """What is wrong with the memory of one GPU, from its part of the report."""
    found = [
        Symptom(code, gpu, reason)
        for name, bad, code, reason in TROUBLES
        if re.search(f"<{name}>{bad}</{name}>", block)
    ]
    volatile = re.search(r"<volatile>(.*?)</volatile>", block, re.S)
    errors = re.findall(r"<sram_uncorrectable\w*>(\d+)<", volatile[1] if volatile else "")
    count = sum(int(number) for number in errors)
    if count:
        reason = f"{count} uncorrectable errors of the SRAM since the driver was loaded"
        found.append(Symptom("gpu-ecc", gpu, reason))
    return found


def healthy(probe: Probe, want: dict[str, Any]) -> Finding:
    """Every GPU is there, as ``gpus`` sees it, and its memory is well."""
    finding = gpus(probe, want)
    if finding.verdict != "pass":
        return finding
    count = int(want["gpus"])
    report = probe.run(["nvidia-smi", "-q", "-x"])
    blocks = re.findall(r"<gpu id=.*?</gpu>", report.out, re.S)
    if len(blocks) != count:
        reason = f"nvidia-smi -q reports on {len(blocks)} of {count} GPUs: {report.first_line!r}"
        return Finding("unproven", reason, None, "GPUs", count)
    symptoms: list[Symptom] = []
    for index, block in enumerate(blocks):
        minor = re.search(r"<minor_number>(\d+)</minor_number>", block)
        symptoms += _troubles(block, f"gpu {minor[1] if minor else index}")
    if symptoms:
        bad: dict[str, list[str]] = {}
        for one in symptoms:
            bad.setdefault(one.subject, []).append(one.text)
        reason = ", ".join(f"{gpu}: {'; '.join(texts)}" for gpu, texts in bad.items())
        return Finding("fail", reason, count - len(bad), "GPUs", count, tuple(bad), tuple(symptoms))
    return finding
