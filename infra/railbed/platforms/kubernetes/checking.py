"""Where the Jobs that check nodes run: a namespace of their own, whose pods may be privileged, and who may make them."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_kubernetes as k8s

from railbed.platforms.kubernetes.system import System, meta

PRIVILEGED = "privileged"
"""Level of the Pod Security Standards that lets a pod into its node's namespaces."""
RBAC = "rbac.authorization.k8s.io"
CHECKS_NODES = [
    k8s.rbac.v1.PolicyRuleArgs(
        api_groups=["batch"], resources=["jobs"], verbs=["get", "list", "create", "delete"]
    ),
    k8s.rbac.v1.PolicyRuleArgs(
        api_groups=[""], resources=["configmaps"], verbs=["get", "create", "delete"]
    ),
    k8s.rbac.v1.PolicyRuleArgs(api_groups=[""], resources=["pods"], verbs=["get", "list"]),
    k8s.rbac.v1.PolicyRuleArgs(api_groups=[""], resources=["pods/log"], verbs=["get"]),
]  # fmt: skip
"""What `railbed validate` needs there. Whoever may make a privileged pod is root on every node: the operator's
account may not."""


class Checking(pulumi.ComponentResource):
    """One for each stack whose spec names an image for checks."""

    def __init__(
        self, namespace: str, system: System, labels: Mapping[str, str], opts: pulumi.ResourceOptions
    ) -> None:
        """``system``: what railbed keeps for itself; its rights are the account's too."""
        super().__init__("railbed:kubernetes:Checking", namespace, None, opts)
        levels = {f"pod-security.kubernetes.io/{mode}": PRIVILEGED for mode in ("enforce", "warn", "audit")}
        space = k8s.core.v1.Namespace(
            "checks", metadata=meta(namespace, {**labels, **levels}), opts=pulumi.ResourceOptions(parent=self)
        )
        inside = pulumi.ResourceOptions(parent=self, depends_on=[space])
        k8s.networking.v1.NetworkPolicy(
            "checks-closed", metadata=meta("closed", labels, namespace),
            spec=k8s.networking.v1.NetworkPolicySpecArgs(
                pod_selector=k8s.meta.v1.LabelSelectorArgs(), policy_types=["Ingress", "Egress"]
            ),
            opts=inside,
        )  # fmt: skip
        account = k8s.core.v1.ServiceAccount(
            "validator", metadata=meta("validator", labels, namespace), automount_service_account_token=False,
            opts=inside,
        )  # fmt: skip
        role = k8s.rbac.v1.Role(
            "validator-checks", metadata=meta("validator", labels, namespace), rules=CHECKS_NODES, opts=inside
        )
        bound = pulumi.ResourceOptions(parent=self, depends_on=[role, account, system])
        who = [k8s.rbac.v1.SubjectArgs(kind="ServiceAccount", name="validator", namespace=namespace)]
        for name, within, title in (
            ("validator-checks", namespace, "validator"), ("validator-leases", system.name, "operator"),
        ):  # fmt: skip
            k8s.rbac.v1.RoleBinding(
                name, metadata=meta("validator", labels, within), subjects=who,
                role_ref=k8s.rbac.v1.RoleRefArgs(api_group=RBAC, kind="Role", name=title), opts=bound,
            )  # fmt: skip
        nodes = k8s.rbac.v1.RoleRefArgs(api_group=RBAC, kind="ClusterRole", name=f"{system.name}-operator")
        k8s.rbac.v1.ClusterRoleBinding(
            "validator-nodes", metadata=meta(f"{system.name}-validator", labels), subjects=who, role_ref=nodes, opts=bound
        )  # fmt: skip
        self.register_outputs({})
