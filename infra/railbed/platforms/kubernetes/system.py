"""What railbed keeps in the cluster for itself: a namespace, priority classes, and the rights of an operator's account."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_kubernetes as k8s

PRIORITIES = {
    "interactive": (1_000, "Never", "Short runs that somebody waits for."),
    "training": (500, "Never", "Long jobs on many nodes."),
    "backfill": (-100, "Never", "Whatever may wait for all others, and end for them."),
}
"""Priority class → value, preemption policy, what it is for. User classes end at 10⁹ (kubernetes.io, "Pod Priority").

None preempts: priorities hold for the whole cluster, and a pod of others, whose priority is 0 where they set none, would end
for a tenant's. They order who waits; no quota limits who may use a class.
"""
BASELINE, RESTRICTED = "baseline", "restricted"
"""Levels of the Pod Security Standards."""
OPERATOR_NODES = [
    k8s.rbac.v1.PolicyRuleArgs(api_groups=[""], resources=["nodes"], verbs=["get", "list", "patch"]),
    k8s.rbac.v1.PolicyRuleArgs(api_groups=[""], resources=["pods"], verbs=["list"]),
    k8s.rbac.v1.PolicyRuleArgs(api_groups=[""], resources=["pods/eviction"], verbs=["create"]),
    k8s.rbac.v1.PolicyRuleArgs(
        api_groups=[""], resources=["namespaces"], resource_names=["kube-system"], verbs=["get"]
    ),
]
"""What `railbed node list | drain | resume` needs of the cluster, and nothing else."""
OPERATOR_LEASES = [
    k8s.rbac.v1.PolicyRuleArgs(
        api_groups=["coordination.k8s.io"], resources=["leases"], verbs=["get", "create", "update", "delete"]
    )
]


def security(level: str) -> dict[str, str]:
    """Labels by which the API server holds the pods of a namespace to a level (kubernetes.io, "Pod Security Admission")."""
    return {
        f"pod-security.kubernetes.io/{mode}": level if mode == "enforce" else RESTRICTED
        for mode in ("enforce", "warn", "audit")
    }


def meta(name: str, labels: Mapping[str, str], namespace: str | None = None) -> k8s.meta.v1.ObjectMetaArgs:
    return k8s.meta.v1.ObjectMetaArgs(name=name, labels=dict(labels), namespace=namespace)


class System(pulumi.ComponentResource):
    """One for each stack. Objects do not grow with nodes."""

    def __init__(
        self, name: str, namespace: str, labels: Mapping[str, str], opts: pulumi.ResourceOptions
    ) -> None:
        super().__init__("railbed:kubernetes:System", name, None, opts)
        self.name = namespace
        mine = pulumi.ResourceOptions(parent=self)
        self.namespace = k8s.core.v1.Namespace(
            "system", metadata=meta(namespace, {**labels, **security(RESTRICTED)}), opts=mine
        )
        inside = pulumi.ResourceOptions(parent=self, depends_on=[self.namespace])
        k8s.networking.v1.NetworkPolicy(
            "system-closed", metadata=meta("closed", labels, namespace),
            spec=k8s.networking.v1.NetworkPolicySpecArgs(
                pod_selector=k8s.meta.v1.LabelSelectorArgs(), policy_types=["Ingress"]
            ),
            opts=inside,
        )  # fmt: skip
        for short, (value, preemption, what) in PRIORITIES.items():
            k8s.scheduling.v1.PriorityClass(
                f"priority-{short}", metadata=meta(f"{name}-{short}", labels), value=value, preemption_policy=preemption,
                description=what, opts=mine,
            )  # fmt: skip
        self._operator(namespace, labels, mine, inside)
        self.register_outputs({"namespace": namespace})

    def _operator(
        self, namespace: str, labels: Mapping[str, str], mine: pulumi.ResourceOptions,
        inside: pulumi.ResourceOptions,
    ) -> None:  # fmt: skip
        """An account that may look after nodes, and no more; its tokens are the site's to ask for."""
        name = f"{namespace}-operator"
        account = k8s.core.v1.ServiceAccount(
            "operator", metadata=meta("operator", labels, namespace), automount_service_account_token=False,
            opts=inside,
        )  # fmt: skip
        who = [k8s.rbac.v1.SubjectArgs(kind="ServiceAccount", name="operator", namespace=namespace)]
        role = k8s.rbac.v1.ClusterRole(
            "operator-nodes", metadata=meta(name, labels), rules=OPERATOR_NODES, opts=mine
        )
        k8s.rbac.v1.ClusterRoleBinding(
            "operator-nodes", metadata=meta(name, labels), subjects=who,
            role_ref=k8s.rbac.v1.RoleRefArgs(api_group="rbac.authorization.k8s.io", kind="ClusterRole", name=name),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[role, account]),
        )  # fmt: skip
        leases = k8s.rbac.v1.Role(
            "operator-leases",
            metadata=meta("operator", labels, namespace),
            rules=OPERATOR_LEASES,
            opts=inside,
        )
        k8s.rbac.v1.RoleBinding(
            "operator-leases", metadata=meta("operator", labels, namespace), subjects=who,
            role_ref=k8s.rbac.v1.RoleRefArgs(api_group="rbac.authorization.k8s.io", kind="Role", name="operator"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[leases, account]),
        )  # fmt: skip
