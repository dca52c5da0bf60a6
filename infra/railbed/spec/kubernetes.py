"""A Kubernetes cluster that exists already: the site's own, or a managed one. What railbed is told of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from railbed.spec.model import PlatformModel, SpecModel
from railbed.spec.scalars import Name

_QUALIFIED = r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
"""A qualified name (kubernetes.io, "Labels and Selectors", syntax and character set)."""
LabelKey = Annotated[str, Field(pattern=rf"^{_QUALIFIED}$")]
LabelValue = Annotated[str, Field(pattern=r"^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$")]
Context = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$")]
Group = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@ -]*$")]
Image = Annotated[
    str,
    Field(
        max_length=512,
        pattern=r"^[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9][a-z0-9._-]*)+@sha256:[0-9a-f]{64}$",
    ),
]
"""``registry/path@sha256:…`` (OCI image specification, descriptors): a tag may be another image tomorrow."""
File = Annotated[str, Field(max_length=4096, pattern=r"^(~/|/)[A-Za-z0-9._/+-]+$")]


class Tenant(SpecModel):
    """Who shares the cluster: a namespace of its own."""

    gpus: Annotated[int, Field(ge=0, le=1_048_576)]
    """GPUs that its pods may ask for at once (ResourceQuota)."""
    group: Group | None = None
    """Group of the cluster's own login whose people may run jobs there, e.g. ``oidc:team-a``; without it nobody is bound."""


class Checks(SpecModel):
    """How what a node must show by itself is asked: a privileged Job on each node."""

    image: Image
    """Image with Python ≥ 3.9, pytest, pytest-testinfra and nsenter, by its digest: what runs as root on every node is known."""


class Kueue(SpecModel):
    """Queues in which the jobs of tenants wait until all their pods have a place at once (kueue.sigs.k8s.io)."""

    installed_by: Literal["site", "railbed"] = "site"
    """Who installs Kueue itself. railbed does not yet: the digest of its chart was never published to this release."""
    topology: list[LabelKey] = Field(default=[], max_length=15)
    """Labels of nodes that say where they are, from the outermost on, e.g. block, then leaf; the node itself is added. A job may
    ask to be within one of them. Without any, jobs start as wholes, and anywhere."""
    preemption: bool = False
    """Whether a tenant's job of a higher priority class takes the place of its own of a lower one. Kueue suspends that one, which
    ends its pods, and starts it anew once there is room."""


class KubernetesPlatform(PlatformModel):
    """A Kubernetes cluster that is there already; railbed makes none, and installs nothing on its nodes."""

    kind: Literal["kubernetes"]
    kubeconfig: File
    """File that says how to reach the API, from the operator's machine. Only this reference is kept, never its content."""
    context: Context
    """Context of that file. The one that the file calls current is not taken: it may be another cluster."""
    selectors: dict[Name, Annotated[dict[LabelKey, LabelValue], Field(min_length=1, max_length=16)]]
    """Pool → labels that its nodes carry, all of them."""
    resources: dict[LabelKey, Annotated[int, Field(ge=1, le=65_536)]] = Field(default={}, max_length=16)
    """What each node offers beside its GPUs, e.g. ``{rdma/hca: 8}``."""
    taints: list[LabelKey] = Field(default=["nvidia.com/gpu"], max_length=16)
    """Keys of taints that the site's nodes carry on purpose; jobs have to tolerate them. A node with another one is not taken."""
    driver: Literal["image", "gpu_operator"] = "image"
    """Who owns the GPU driver of the nodes: their image, or NVIDIA's GPU Operator. Two owners are refused."""
    gate: bool = False
    """Whether a node that never passed carries a taint, so that no new pod comes to it."""
    checks: Checks | None = None
    """Without it nothing of railbed runs on the nodes, and what only they can show stays unproven."""
    kueue: Kueue | None = None
    """Without it the scheduler places the pods of a job one by one."""
    tenants: dict[Name, Tenant] = Field(default={}, max_length=256)
    """Namespace → who shares the cluster in it."""
