"""What a Kubernetes cluster that is there already can be asked for."""

from __future__ import annotations

from railbed.platforms.cloud.support import Lacks, Support

THERE = Lacks("the nodes are there already", "remove `capacity`")
SITE = "its owners"

NAME = "Kubernetes"
SDK = "pulumi-kubernetes"
CLIENT = "kubernetes"
SUPPORT: Support = {
    "hosts": Lacks("the nodes belong to one cluster", "use service: cluster, and `platform.tenants`"),
    "cluster": "nodes found by label, namespaces, quotas, network policies and rights of tenants, priority classes, a taint as "
    "the gate, drain by eviction, a Job on each node that checks it, queues of Kueue: tested over a real control plane with "
    "KWOK's nodes; nothing is certified",
    "metal": Lacks("the nodes belong to one cluster", "use service: cluster"),
    "on_demand": "the nodes are there",
    "reservation": THERE,
    "block": THERE,
    "spot": THERE,
    "filesystem": Lacks("no CSI driver is installed yet", "install the site's own"),
    "existing_filesystem": Lacks("no CSI driver is installed yet", "mount it by a CSI driver of the site's"),
    "data_repository": Lacks("no filesystem is railbed's there", "set it up on the filesystem itself"),
    "existing_network": Lacks("the networks are the site's", "leave it out"),
    "host_keys": Lacks(
        "nothing logs in to the nodes", "the API's certificate authority is in the kubeconfig"
    ),
    "private_login": Lacks("nothing logs in to the nodes", "log in to the API as its owners say"),
    "encrypted_disks": Lacks("the nodes are there already", "ask the cluster's owners"),
    "identities": "the ClusterRole `railbed-NAME-operator` and a Role beside it, for an operator's service account",
    "preflight": "API server, version, rights, pools by label, GPUs, taints, who owns the driver, namespaces",
}
