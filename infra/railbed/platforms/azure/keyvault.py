"""The key of the cluster's disks: a vault, a key and a disk encryption set that uses it.

Azure encrypts disks with keys of its own anyway. With a key of the cluster's, whoever owns the subscription can take it
away, and with it every disk at once, and sees in the vault's log who used it.
"""

from __future__ import annotations

import asyncio
import datetime

import pulumi
from pulumi_azure_native import authorization, compute, keyvault

from railbed.defaults import AZURE_ROLE_SPREADS_S
from railbed.platforms.azure.facts import facts
from railbed.platforms.azure.scope import Scope

KEY_BITS = 3072
"""Good beyond 2030 (NIST SP 800-57 part 1, table 2)."""


def encryption_set(scope: Scope) -> tuple[pulumi.Output[str], list[pulumi.Resource]]:
    """Id of the set, and what must be there before a disk uses it."""
    client = authorization.get_client_config_output(opts=scope.asking())
    vault = keyvault.Vault(
        "keys",
        resource_group_name=scope.group,
        location=scope.place.region,
        properties={
            "tenant_id": client.tenant_id,
            "sku": {"family": "A", "name": "standard"},
            "enable_rbac_authorization": True,
            # Azure takes no key for disks out of a vault that can be emptied by mistake.
            "enable_purge_protection": True,
            "enable_soft_delete": True,
            "network_acls": {"bypass": "AzureServices", "default_action": "Deny"},
        },
        tags=scope.tags(),
        opts=scope.options(),
    )
    key = keyvault.Key(
        "disks",
        resource_group_name=scope.group,
        vault_name=vault.name,
        properties={"kty": "RSA", "key_size": KEY_BITS, "key_ops": ["wrapKey", "unwrapKey"]},
        tags=scope.tags(),
        opts=scope.options(),
    )
    made = compute.DiskEncryptionSet(
        "disks",
        resource_group_name=scope.group,
        location=scope.place.region,
        encryption_type="EncryptionAtRestWithPlatformAndCustomerKeys",
        active_key={"key_url": key.key_uri_with_version, "source_vault": {"id": vault.id}},
        identity={"type": "SystemAssigned"},
        tags=scope.tags(),
        opts=scope.options(),
    )
    allowed = authorization.RoleAssignment(
        "disks",
        scope=vault.id,
        principal_id=made.identity.apply(lambda one: one.principal_id if one else ""),
        principal_type="ServicePrincipal",
        role_definition_id=(
            f"/subscriptions/{scope.place.account}/providers/Microsoft.Authorization/roleDefinitions/"
            f"{facts().encryption_role}"
        ),
        opts=scope.options(),
    )
    known = pulumi.Output.all(made.id, allowed.created_on)
    found: pulumi.Output[str] = known.apply(lambda one: _spread(one[0], one[1]))
    return found, [allowed]


async def _spread(found: str, created: str | None) -> str:
    """``found``, once the role that was assigned at ``created`` counts everywhere: a disk that comes earlier is refused."""
    await asyncio.sleep(left_s(created, datetime.datetime.now(datetime.UTC)))
    return found


def left_s(created: str | None, now: datetime.datetime) -> float:
    """Seconds until a role assignment of that time counts; 0 where it is old, or nobody said when it was made."""
    if not created:
        return 0.0
    since = (now - datetime.datetime.fromisoformat(created)).total_seconds()
    return min(max(AZURE_ROLE_SPREADS_S - since, 0.0), AZURE_ROLE_SPREADS_S)
