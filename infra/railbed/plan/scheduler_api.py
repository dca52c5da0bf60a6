"""Whether the controllers have the scheduler's REST interface, and whether the release can. Pure."""

from __future__ import annotations

from typing import Literal

from railbed.errors import Unsupported, UsageError
from railbed.software import slurm_api
from railbed.spec import ClusterSpec
from railbed.spec.platforms import LabPlatform

SchedulerApi = Literal["none", "socket", "loopback"]


class ApiUnfit(UsageError):
    """There is no scheduler, or its REST interface is not known."""

    code = "SCHEDULER_API"


def of(spec: ClusterSpec, slurm: str, where: str) -> SchedulerApi:
    """What the spec asks for. ``slurm``: version, empty without one. Raises ApiUnfit, and Unsupported in a lab."""
    if spec.scheduler_api == "none":
        return "none"
    at = f"{where}.scheduler_api"
    if not slurm:
        raise ApiUnfit(
            "only Slurm has a REST interface", path=at, found=spec.scheduler_api, allowed=["none"],
            hint="leave it out, or take scheduler: slurm",
        )  # fmt: skip
    if isinstance(spec.platform, LabPlatform):
        raise Unsupported(
            "the lab", "a REST interface of the scheduler", "leave scheduler_api out: the lab's packages have no slurmrestd",
            path=at,
        )  # fmt: skip
    if not slurm_api.of(slurm):
        raise ApiUnfit(
            f"the REST interface of Slurm {slurm} is not known", path=at, found=slurm, allowed=sorted(slurm_api.VERSIONS),
            hint="take a release with one of these, or leave it out",
        )  # fmt: skip
    return spec.scheduler_api
