"""What Google Cloud can be asked for, and how; what it lacks, and the way round."""

from __future__ import annotations

from railbed.platforms.cloud.support import Lacks, Support

NAME = "Google Cloud"
SDK = "pulumi-gcp"
SUPPORT: Support = {
    "hosts": "compute.InstanceGroupManager; a network tag for each tenant, and a firewall rule that lets in only that tag",
    "cluster": (
        "compute.Network of a RoCE profile (A3 Mega: a network for each rail), compute.InstanceGroupManager with a "
        "high-throughput workload policy"
    ),
    "metal": Lacks("its GPU shapes are rented as members of a cluster", "use service: cluster or hosts"),
    "on_demand": "provisioning model STANDARD; A4X and A4X Max only come out of a reservation",
    "reservation": "reservation affinity SPECIFIC_RESERVATION",
    "block": "a future reservation in calendar mode: RESERVATION_BOUND, deleted when it ends",
    "spot": "provisioning model SPOT",
    "filesystem": "lustre.Instance over private services access",
    "existing_filesystem": "lustre.get_instance by its name; mounted, never changed",
    "data_repository": Lacks(
        "Managed Lustre keeps no link to a bucket: it imports once, by a call",
        "remove data_repository, and run `gcloud lustre instances import-data` after `railbed up`",
    ),
    "existing_network": "compute.get_network: the first front end; its own routes and private services access hold",
    "host_keys": "guest attributes, namespace hostkeys, written by cloud-init on the node",
    "private_login": "Identity-Aware Proxy: gcloud compute start-iap-tunnel",
    "encrypted_disks": "disks and Lustre are always encrypted at rest, with keys that Google holds",
    "identities": "custom roles that an administrator binds; `apply` has no rights over roles, policies and service accounts",
    "preflight": "Compute and Resource Manager APIs: project, zone, shape, profile, reservation, image, network",
}
