"""What a spec may ask of a Kubernetes cluster that is there already, and what this release leaves to the site."""

from __future__ import annotations

from collections.abc import Iterator

from railbed.plan.parts import Warned
from railbed.spec import ClusterSpec
from railbed.spec.kubernetes import KubernetesPlatform
from railbed.spec.site import Site

Refusal = tuple[str, str, str]
"""Feature, key path, what to do."""


def refused(spec: ClusterSpec) -> Iterator[Refusal]:
    """What is refused by name. Elsewhere than on such a cluster that is the scheduler itself."""
    if not isinstance(spec.platform, KubernetesPlatform):
        if spec.scheduler == "kubernetes":
            yield (
                "scheduler kubernetes",
                "scheduler",
                "use scheduler: slurm, or `platform: {kind: kubernetes}` for a cluster that is there already",
            )
        return
    if spec.platform.checks is not None and spec.platform.driver == "gpu_operator":
        hint = "remove it: the operator's driver and its programs are in a container, where this release does not look"
        yield "checks of nodes whose driver is the GPU Operator's", "platform.checks", hint
    if spec.platform.kueue is not None and spec.platform.kueue.installed_by == "railbed":
        hint = "install Kueue 0.17 as its documentation says, and say `installed_by: site`: no digest of its chart is known here"
        yield "a chart of Kueue", "platform.kueue.installed_by", hint
    if spec.platform.kueue is not None and not spec.platform.tenants:
        hint = "name `platform.tenants`: each gets a queue"
        yield "queues without tenants", "platform.kueue", hint
    if spec.scheduler != "kubernetes":
        yield f"scheduler {spec.scheduler}", "scheduler", "use scheduler: kubernetes"
    for index, pool in enumerate(spec.pools):
        at = f"pools[{index}]"
        if pool.spares:
            yield "spares", f"{at}.spares", "count them among `nodes`: Kubernetes keeps none apart"
        if pool.image is not None:
            yield "an image of a pool", f"{at}.image", "remove it: the nodes are installed already"
        if pool.huge_pages_gib:
            yield "huge pages", f"{at}.huge_pages_gib", "remove it, and set them up with the nodes"
    asked = {
        "filesystems": (spec.filesystems, "shared filesystems", "mount them by a CSI driver of the site's"),
        "access.admins": (spec.access.admins, "logins", "log in to the cluster's API as its owners say"),
        "access.user_ca": (spec.access.user_ca, "logins", "log in to the cluster's API as its owners say"),
        "access.ssh_from": (spec.access.ssh_from, "SSH", "remove it: nothing logs in to the nodes"),
        "site": (spec.site != Site(), "services of the site", "set them up with the nodes"),
        "software.mirror": (spec.software.mirror, "a mirror", "remove it: nothing is installed on the nodes"),
        "software.os": (spec.software.os, "an operating system", "remove it: nothing is installed on the nodes"),
        "software.container_image": (spec.software.container_image, "containers of Slurm", "remove it"),
        "software.hpc_benchmarks": (spec.software.hpc_benchmarks, "containers of Slurm", "remove it"),
        "job_topology": (spec.job_topology != "auto", "a topology of Slurm", "remove it"),
        "scheduler_api": (spec.scheduler_api != "none", "Slurm's REST interface", "remove it"),
    }  # fmt: skip
    for path, (wanted, feature, hint) in asked.items():
        if wanted:
            yield feature, path, hint
    if spec.fabric and spec.fabric.pkey:
        yield "an InfiniBand partition", "fabric.pkey", "set it up in the site's network operator"


def warnings(spec: ClusterSpec, where: str) -> Iterator[Warned]:
    """What a user should know: this release proves little there, and a gate opens by an operator's word only."""
    if not isinstance(spec.platform, KubernetesPlatform):
        return
    measured = "`scheduler.state`"
    if spec.platform.checks is not None:
        measured += " and, by a Job on each node, GPUs, driver, NVLink, PCIe and memory"
    message = (
        f"this release measures {measured} on Kubernetes and nothing else: every other essential claim stays unproven, and no "
        "certificate is issued"
    )
    yield Warned(code="NOT_MEASURED", path=f"{where}.platform.kind", message=message)
    if spec.platform.gate:
        message = (
            "nodes keep pods away until they pass, and in this release they pass only where their operator accepts each "
            "essential claim that stays unproven (`railbed validate --accept-unproven CLAIM --reason REASON`)"
        )
        yield Warned(code="GATE_BY_HAND", path=f"{where}.platform.gate", message=message)
