"""The members of pools, from their stacks and one listing of servers; host keys from console logs; exports of shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from railbed.platforms.cloud import consoles
from railbed.platforms.cloud.calls import ProviderError
from railbed.platforms.cloud.cluster import Mount, PreviousContract
from railbed.platforms.cloud.members import Member, PoolStatus, share
from railbed.platforms.openstack.filesystems import Shared
from railbed.platforms.openstack.session import UNSUPPORTED, asked
from railbed.platforms.openstack.template import NODES_PER_STACK

SHOWN_REASONS = 5
GROUP, SERVER = "OS::Heat::ResourceGroup", "OS::Nova::Server"


def statuses(
    cloud: Any,
    stacks: Mapping[str, Sequence[str]],
    sizes: Mapping[str, int],
    lone: Mapping[str, Sequence[str]],
    network: str,
    known: PreviousContract,
    given: Mapping[str, str],
    *,
    preview: bool,
) -> dict[str, PoolStatus]:
    """What became of each pool, and of the hosts of their own (``lone``: name → server ids, in their order).

    ``stacks`` by pool, ``sizes``: nodes that were asked for; ``network``: name of the network whose addresses count.
    In a preview no console is read. Raises ProviderError where the cloud does not answer: a pool that cannot be listed
    is not an empty pool.
    """
    servers = {
        str(one.id): one for one in asked("the project's servers", lambda: list(cloud.compute.servers()))
    }
    ids: dict[str, list[str]] = {name: list(some) for name, some in lone.items()}
    reasons: dict[str, list[str]] = {}
    places = {one: share(place, 1) for some in lone.values() for place, one in enumerate(some)}
    for pool, names in stacks.items():
        resources = []
        for index, name in enumerate(names):
            part = _nested(cloud, name)
            resources += part
            places |= {str(one.physical_resource_id): share(index, NODES_PER_STACK) for one in part}
        ids[pool] = [str(one.physical_resource_id) for one in resources if one.physical_resource_id]
        reasons[pool] = list(dict.fromkeys(str(one.status_reason) for one in resources if _failed(one)))
    active = {
        pool: [servers[one] for one in some if one in servers and servers[one].status == "ACTIVE"]
        for pool, some in ids.items()
    }
    keys = _keys(
        cloud, [str(one.id) for some in active.values() for one in some], known, given, preview=preview
    )
    return {
        pool: PoolStatus(
            members=[
                Member(
                    id=str(one.id),
                    address=_address(one, network),
                    created=str(one.created_at or ""),
                    host_keys=keys[str(one.id)],
                    places=places.get(str(one.id)),
                )
                for one in some
                if _address(one, network)
            ],
            reasons=reasons.get(pool, [])[:SHOWN_REASONS] if len(some) < sizes.get(pool, 1) else [],
        )
        for pool, some in active.items()
    }


def _nested(cloud: Any, stack: str) -> list[Any]:
    """The servers of a pool's stack, as Heat knows them: they are in the group's own stack."""
    outer = asked(f"the stack {stack}", partial(_listed, cloud, stack))
    inner = [
        str(one.physical_resource_id)
        for one in outer
        if one.resource_type == GROUP and one.physical_resource_id
    ]
    return [
        one
        for name in inner
        for one in asked(f"the stack {name}", partial(_listed, cloud, name))
        if one.resource_type == SERVER
    ]


def places(cloud: Any, stack: str) -> dict[str, str]:
    """Name in the group of a pool's stack → server id, empty where no server was made. Raises ProviderError."""
    return {str(one.name): str(one.physical_resource_id or "") for one in _nested(cloud, stack)}


def _listed(cloud: Any, stack: str) -> list[Any]:
    return list(cloud.orchestration.resources(stack))


def _failed(one: Any) -> bool:
    return str(one.status).endswith("FAILED")


def _keys(
    cloud: Any, ids: list[str], known: PreviousContract, given: Mapping[str, str], *, preview: bool
) -> dict[str, list[str]]:
    if preview or not _shows_consoles(cloud, ids):
        return consoles.without_looking(ids, known.host_keys, given)
    return consoles.host_keys(ids, lambda one: console(cloud, one), known.host_keys, given)


def _address(server: Any, network: str) -> str:
    """The fixed IPv4 address in the cluster's network: rail ports have addresses too, in theirs."""
    return next(
        (
            str(one["addr"])
            for one in (server.addresses or {}).get(network, [])
            if one.get("version") == 4 and one.get("OS-EXT-IPS:type", "fixed") == "fixed"
        ),
        "",
    )


def _shows_consoles(cloud: Any, ids: list[str]) -> bool:
    """False where the cloud has no console logs at all, as Nova's bare-metal driver: nothing is waited for then."""
    try:
        if ids:
            asked(f"the console of {ids[0]}", lambda: cloud.compute.get_server_console_output(ids[0]))
    except ProviderError as refused:
        return bool(refused.found != UNSUPPORTED)
    return True


def console(cloud: Any, server: str) -> str:
    """The server's console log; empty where the cloud did not give it."""
    try:
        reply = asked(f"the console of {server}", lambda: cloud.compute.get_server_console_output(server))
    except ProviderError:
        return ""
    text = reply.get("output", "") if isinstance(reply, dict) else reply
    return str(text or "")


def network_name(cloud: Any, network: str) -> str:
    """Nova lists a server's addresses by the network's name, not by its id."""
    return str(asked("the network", lambda: cloud.network.get_network(network)).name)


def mount(cloud: Any, shared: Shared) -> Mount:
    """What clients mount: the preferred export of the share."""
    if shared.source:
        return Mount(source=shared.source, options=shared.options)
    found = asked(
        "the share's exports", lambda: list(cloud.shared_file_system.export_locations(shared.share))
    )
    ordered = sorted(found, key=lambda one: (not one.is_preferred, str(one.path)))
    return Mount(source=str(ordered[0].path) if ordered else "", options=shared.options)
