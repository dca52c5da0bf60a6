"""How the API of a Kubernetes cluster is reached: references only, nothing that logs in."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from railbed.claims import FrozenModel
from railbed.contract import scalars


class Checks(FrozenModel):
    """Where a Job on each node runs what it must show by itself."""

    image: Annotated[str, Field(max_length=512, pattern=r"^[a-z0-9][a-z0-9.:/_-]*@sha256:[0-9a-f]{64}$")]
    """With Python, pytest, pytest-testinfra and nsenter."""
    namespace: scalars.Name
    """Whose pods may be privileged."""
    priority_class: scalars.Name
    """Of its pods; it preempts none."""


class Kubernetes(FrozenModel):
    """The cluster that the nodes belong to."""

    kubeconfig: Annotated[str, Field(max_length=4096, pattern=r"^(~/|/)[A-Za-z0-9._/+-]+$")]
    """File on the operator's machine; each operator has one there."""
    context: Annotated[str, Field(max_length=255, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$")]
    server: scalars.Url
    """Address of the API server, for people."""
    version: scalars.Version
    """Of the API server when the contract was made, e.g. ``1.37``."""
    cluster_id: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]
    """UID of its namespace ``kube-system``: nothing is done to a cluster with another one."""
    namespace: scalars.Name
    """Namespace of railbed's own objects, such as the leases by which nodes are locked."""
    taints: list[Annotated[str, Field(max_length=317, pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")]]
    """Keys of taints that the site's nodes carry on purpose."""
    gate: bool
    """Whether nodes that never passed keep pods away."""
    checks: Checks | None = None
    """None where the spec names no image: nothing of railbed runs on the nodes."""
