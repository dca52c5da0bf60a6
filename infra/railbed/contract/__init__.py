"""The contract: what was made, what to expect of it and how to reach it. Versioned JSON, the stack output ``contract``.

Everything after the platforms (inventory, configure, validate, operate) reads this and nothing else. It never holds a
secret value, and at most 2 KB a node.
"""

from railbed.contract.finetuning import FineTuning
from railbed.contract.kubernetes import Checks, Kubernetes
from railbed.contract.parts import (
    BmcTrust,
    Brought,
    File,
    Filesystem,
    Identity,
    Machine,
    Missing,
    Nic,
    Node,
    NodeClass,
    NodeImage,
    Rail,
    Repository,
    Software,
    Ssh,
    StorageLink,
)
from railbed.contract.proxies import Iap, Jump, Netns, OciBastion, Proxy, Ssm, Through
from railbed.contract.reading import (
    MAC,
    MacError,
    authenticated,
    hash_on_disk,
    is_authentic,
    parse,
    read_json,
    validated,
)
from railbed.contract.tenancy import Project, Tenancy, Tenant, User
from railbed.contract.whole import SCHEMA, Contract, digest_of

__all__ = [
    "MAC",
    "SCHEMA",
    "BmcTrust",
    "Brought",
    "Checks",
    "Contract",
    "File",
    "Filesystem",
    "FineTuning",
    "Iap",
    "Identity",
    "Jump",
    "Kubernetes",
    "MacError",
    "Machine",
    "Missing",
    "Netns",
    "Nic",
    "Node",
    "NodeClass",
    "NodeImage",
    "OciBastion",
    "Project",
    "Proxy",
    "Rail",
    "Repository",
    "Software",
    "Ssh",
    "Ssm",
    "StorageLink",
    "Tenancy",
    "Tenant",
    "Through",
    "User",
    "authenticated",
    "digest_of",
    "hash_on_disk",
    "is_authentic",
    "parse",
    "read_json",
    "validated",
]
