"""Who shares the cluster: a namespace each, with a quota of GPUs, closed to the others, and rights to run jobs in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as k8s

from railbed.effects.kubernetes.objects import GPU, quantity
from railbed.platforms.kubernetes.system import BASELINE, meta, security
from railbed.spec.kubernetes import Tenant as Wanted

RBAC = "rbac.authorization.k8s.io"
RUNS_JOBS = [
    k8s.rbac.v1.PolicyRuleArgs(
        api_groups=[""], resources=["pods", "services", "configmaps", "persistentvolumeclaims"],
        verbs=["get", "list", "watch", "create", "update", "patch", "delete"],
    ),
    k8s.rbac.v1.PolicyRuleArgs(
        api_groups=[""], resources=["pods/log", "events", "resourcequotas"], verbs=["get", "list", "watch"]
    ),
    k8s.rbac.v1.PolicyRuleArgs(api_groups=[""], resources=["pods/exec"], verbs=["create"]),
    k8s.rbac.v1.PolicyRuleArgs(
        api_groups=["batch"], resources=["jobs"],
        verbs=["get", "list", "watch", "create", "update", "patch", "delete"],
    ),
]  # fmt: skip
"""Of the people of a tenant: their own jobs, and what jobs need. No secrets, quotas, roles or policies."""


class Tenant(pulumi.ComponentResource):
    """One tenant. Its namespace stays when the stack is destroyed: what people keep in it is not railbed's."""

    def __init__(
        self, name: str, wanted: Wanted, labels: Mapping[str, str], opts: pulumi.ResourceOptions,
        spaces: k8s.Provider, beside: Sequence[k8s.rbac.v1.PolicyRuleArgs] = (),
    ) -> None:  # fmt: skip
        """``spaces``: the provider of the namespace, which takes one over that is there. ``beside``: rights beside RUNS_JOBS."""
        super().__init__("railbed:kubernetes:Tenant", name, None, opts)
        space = k8s.core.v1.Namespace(
            name, metadata=meta(name, {**labels, **security(BASELINE)}),
            opts=pulumi.ResourceOptions(parent=self, provider=spaces, retain_on_delete=True),
        )  # fmt: skip
        inside = pulumi.ResourceOptions(parent=self, depends_on=[space])
        k8s.core.v1.ResourceQuota(
            f"{name}-gpus", metadata=meta("gpus", labels, name),
            spec=k8s.core.v1.ResourceQuotaSpecArgs(hard={f"requests.{GPU}": quantity(wanted.gpus)}), opts=inside,
        )  # fmt: skip
        own = k8s.networking.v1.NetworkPolicyPeerArgs(pod_selector=k8s.meta.v1.LabelSelectorArgs())
        k8s.networking.v1.NetworkPolicy(
            f"{name}-own", metadata=meta("own-namespace", labels, name),
            spec=k8s.networking.v1.NetworkPolicySpecArgs(
                pod_selector=k8s.meta.v1.LabelSelectorArgs(), policy_types=["Ingress"],
                ingress=[k8s.networking.v1.NetworkPolicyIngressRuleArgs(from_=[own])],
            ),
            opts=inside,
        )  # fmt: skip
        role = k8s.rbac.v1.Role(
            f"{name}-jobs", metadata=meta("jobs", labels, name), rules=[*RUNS_JOBS, *beside], opts=inside
        )
        if wanted.group:
            k8s.rbac.v1.RoleBinding(
                f"{name}-jobs", metadata=meta("jobs", labels, name),
                subjects=[k8s.rbac.v1.SubjectArgs(api_group=RBAC, kind="Group", name=wanted.group)],
                role_ref=k8s.rbac.v1.RoleRefArgs(api_group=RBAC, kind="Role", name="jobs"),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[role]),
            )  # fmt: skip
        self.register_outputs({})
