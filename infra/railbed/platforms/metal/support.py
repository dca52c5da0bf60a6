"""What bare metal can be asked for."""

from __future__ import annotations

from railbed.platforms.cloud.support import Lacks, Support

OWNED = Lacks("the machines are the buyer's own", "remove `capacity`")

NAME = "Bare metal"
SDK = "sushy"
"""Its resources come from railbed's own provider (plugins/pulumi/railbed)."""
SUPPORT: Support = {
    "hosts": "machines by themselves, installed from an ISO or by Ironic, both by Redfish virtual media",
    "cluster": "machines, rails from the fabric planner, switch configurations by `railbed fabric switches`",
    "metal": "machines by themselves",
    "on_demand": "the machines are there",
    "reservation": OWNED,
    "block": OWNED,
    "spot": OWNED,
    "filesystem": Lacks("no servers of one are made yet", "name one that is there: `existing`"),
    "existing_filesystem": "mounted by its address",
    "data_repository": Lacks("the filesystem is not railbed's", "set it up on the filesystem itself"),
    "existing_network": Lacks("the networks are the site's", "give their addresses in the spec"),
    "host_keys": "made here, and put into each machine's own seed or config drive; or given in the spec",
    "private_login": "by the site's own management network",
    "encrypted_disks": Lacks("the installer's own layout decides", "ask for it in the installer image"),
    "identities": Lacks("BMCs have users, not policies", "give railbed a BMC user of role Operator"),
    "preflight": "Redfish: each BMC answers, serial and firmware are the expected ones",
}
