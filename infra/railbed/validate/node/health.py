"""Health check of a node: checks that are cheap enough to run every few seconds on a node in service, and their findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from railbed.validate.node.clock import clock_now
from railbed.validate.node.faults import drains
from railbed.validate.node.gpus import driver, healthy
from railbed.validate.node.mounts import mounts
from railbed.validate.node.nics import nics
from railbed.validate.node.probe import NOT_EXECUTABLE, NOT_FOUND, Check, Finding, Probe, Symptom

NAMES_TIMEOUT_S = 6
"""resolv.conf(5): a server is asked twice, for 5 s each by default; who waits longer than this for a name has lost."""
PING_TIMEOUT_S = 5
SMI = "nvidia-smi"


@dataclass(frozen=True)
class HealthResult:
    """What the checks saw: faults for which the node may be drained, and what is only reported."""

    faults: tuple[Symptom, ...] = ()
    reports: tuple[Symptom, ...] = ()

    @property
    def clean(self) -> bool:
        """Every check passed: nothing is broken, and nothing is unknown."""
        return not (self.faults or self.reports)


def names(probe: Probe, want: dict[str, Any]) -> Finding:
    """The controllers' names resolve."""
    asked = want["names"]
    answers = probe.together([["getent", "hosts", name] for name in asked], NAMES_TIMEOUT_S)
    lost = [name for name, answer in zip(asked, answers) if answer.code != 0]  # noqa: B905 - Python 3.9
    if lost:
        reason = f"no address for {', '.join(lost)}"
        return Finding("fail", reason, parts=("names",), symptoms=(Symptom("names-silent", lost[0], reason),))
    return Finding("pass", "the controllers' names resolve")


def hung(probe: Probe, want: dict[str, Any]) -> Finding:
    """No program that asked the driver waits in the kernel, where no signal ends it, for longer than the cluster bears.

    One that is slow is ended at its deadline and says nothing of the driver; one that no signal ends is the driver's (state D of
    proc_pid_stat(5)).
    """
    limit_s = float(want["health"]["hung_s"])
    if probe.hung_s(SMI) >= limit_s:
        reason = (
            f"a process of {SMI} has waited in the driver for more than {limit_s:g} s and cannot be ended"
        )
        return Finding("fail", reason, symptoms=(Symptom("driver-hung", "driver", reason),))
    return Finding("pass", "the driver lets its callers go")


def scheduler(probe: Probe, _: dict[str, Any]) -> Finding:
    """A controller of the scheduler answers; only by hand: otherwise the scheduler itself starts the check."""
    answer = probe.run(["scontrol", "ping"], PING_TIMEOUT_S)
    if answer.code in (NOT_FOUND, NOT_EXECUTABLE):
        return Finding("unproven", answer.first_line)
    if " is UP" not in answer.out:
        reason = f"no controller of the scheduler answers: {answer.first_line}"
        return Finding("fail", reason, symptoms=(Symptom("scheduler-silent", "slurmctld", reason),))
    return Finding("pass", "the scheduler answers")


def fast_checks(want: dict[str, Any], *, by_hand: bool) -> dict[str, Check]:
    """The checks of a node that should be so; bounded ones first, as a GPU that hangs may use up the rest of the time."""
    checks: dict[str, Check] = {}
    if want.get("mounts"):
        checks["mounts"] = mounts
    if want.get("rails"):
        checks["nics"] = nics
    if want.get("time_offset_s"):
        checks["time"] = clock_now
    if want.get("names"):
        checks["names"] = names
    if by_hand:
        checks["scheduler"] = scheduler
    if want.get("gpus"):
        checks.update(hung=hung, gpus=healthy, driver=driver)
    return checks


def run_checks(probe: Probe, want: dict[str, Any], *, by_hand: bool = False) -> HealthResult:
    """Runs the checks, and sorts what they saw by the table of faults."""
    faults: list[Symptom] = []
    reports: list[Symptom] = []
    for name, check in fast_checks(want, by_hand=by_hand).items():
        finding = check(probe, want)
        if finding.verdict == "pass":
            continue
        for symptom in finding.symptoms or (Symptom("unknown", name, finding.reason),):
            (faults if drains(symptom.code) else reports).append(symptom)
    return HealthResult(tuple(faults), tuple(reports))
