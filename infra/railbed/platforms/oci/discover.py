"""The members of pools, by one listing for each group, and their host keys from console history."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from railbed.defaults import CONSOLE_CAPTURE_TIMEOUT_S, LOCK_POLL_S
from railbed.platforms.cloud import consoles
from railbed.platforms.cloud.calls import ProviderError
from railbed.platforms.cloud.cluster import CONTROLLER_POOL, PreviousContract
from railbed.platforms.cloud.members import Member, PoolStatus, in_order, share
from railbed.platforms.oci import session
from railbed.platforms.oci.nodes import Group
from railbed.platforms.oci.session import Clients, asked, every

CONSOLE_BYTES = 1024 * 1024
"""The most that Oracle keeps of a console: up to a megabyte (oci 2.189.0, capture_console_history)."""
SHOWN_REASONS = 5


def statuses(
    region: str,
    compartment: str,
    subnet: str,
    groups: Mapping[str, Sequence[Group]],
    sizes: Mapping[str, int],
    controllers: Sequence[Member],
    known: PreviousContract,
    given: Mapping[str, str],
    *,
    domains: Mapping[str, int] | None = None,
    preview: bool = False,
) -> dict[str, PoolStatus]:
    """What became of each pool (and of the controllers). ``groups`` by pool, ``sizes``: nodes that were asked for.

    ``domains``: nodes of each group of a pool that has several. In a preview no console is recorded. Raises
    ProviderError where Oracle does not answer: a pool that cannot be listed is not an empty pool.
    """
    cloud = session.clients(region)
    running = {
        name: _placed(cloud, compartment, parts, (domains or {}).get(name, 0))
        for name, parts in groups.items()
    }
    addresses = _addresses(cloud, compartment, subnet)
    fresh = {
        name: [
            Member(
                id=str(one.id),
                address=addresses[str(one.id)],
                created=str(one.time_created or ""),
                places=places,
            )
            for one, places in found
            if str(one.id) in addresses
        ]
        for name, found in running.items()
    }
    if controllers:
        fresh[CONTROLLER_POOL] = in_order([PoolStatus(members=[one]) for one in controllers]).members
    ids = [member.id for found in fresh.values() for member in found]
    keys = (
        consoles.without_looking(ids, known.host_keys, given)
        if preview
        else consoles.host_keys(ids, lambda one: console(cloud, one), known.host_keys, given)
    )
    return {
        name: PoolStatus(
            members=[one.model_copy(update={"host_keys": keys[one.id]}) for one in found],
            reasons=_shortage(cloud, compartment, groups[name]) if len(found) < sizes.get(name, 0) else [],
        )
        for name, found in fresh.items()
    }


def _placed(
    cloud: Clients, compartment: str, groups: Iterable[Group], domain: int
) -> list[tuple[Any, tuple[int, int] | None]]:
    """Summaries of the groups' instances that run, each with its group's share of the pool's names."""
    parts = consoles.each(groups, lambda group: _running(cloud, compartment, [group]))
    return [
        (one, share(index, domain) if domain else None) for index, part in enumerate(parts) for one in part
    ]


def _running(cloud: Clients, compartment: str, groups: Iterable[Group]) -> list[Any]:
    """Summaries of the groups' instances that run."""
    found = [one for group in groups for one in listed(cloud, compartment, group)]
    return [one for one in found if state(one).upper() == "RUNNING"]


def state(one: Any) -> str:
    # The summary of a GPU memory cluster's instance has another word for it than that of an instance pool's.
    return str(getattr(one, "state", None) or getattr(one, "lifecycle_state", ""))


def listed(cloud: Clients, compartment: str, group: Group) -> list[Any]:
    """Summaries of a group's instances, whatever their state. Raises ProviderError."""
    with asked(f"the instances of {group.id}"):
        if group.kind == "gpu_memory_cluster":
            return every(cloud.compute.list_compute_gpu_memory_cluster_instances, group.id)
        listing = (
            cloud.management.list_cluster_network_instances
            if group.kind == "cluster_network"
            else cloud.management.list_instance_pool_instances
        )
        return every(listing, compartment, group.id)


def _addresses(cloud: Clients, compartment: str, subnet: str) -> dict[str, str]:
    """Instance id → private address, of the whole subnet: two listings, however many nodes there are."""
    with asked("the addresses of the subnet"):
        attached = every(cloud.compute.list_vnic_attachments, compartment)
        addresses = {
            str(one.vnic_id): str(one.ip_address)
            for one in every(cloud.network.list_private_ips, subnet_id=subnet)
            if one.is_primary
        }
    return {
        str(one.instance_id): addresses[str(one.vnic_id)]
        for one in attached
        if one.lifecycle_state == "ATTACHED" and str(one.vnic_id) in addresses
    }


def console(cloud: Clients, instance: str) -> str:
    """What the instance's serial console printed; empty where Oracle could not record it in time.

    A recording is a thing of its own in Oracle's books: it is deleted once it was read.
    """
    from oci.core.models import CaptureConsoleHistoryDetails

    try:
        with asked(f"the console of {instance}"):
            details = CaptureConsoleHistoryDetails(instance_id=instance, display_name="railbed host key")
            made = cloud.compute.capture_console_history(details).data
            end = time.monotonic() + CONSOLE_CAPTURE_TIMEOUT_S
            while made.lifecycle_state not in ("SUCCEEDED", "FAILED") and time.monotonic() < end:
                time.sleep(LOCK_POLL_S)
                made = cloud.compute.get_console_history(made.id).data
            text = b""
            if made.lifecycle_state == "SUCCEEDED":
                text = cloud.compute.get_console_history_content(made.id, length=CONSOLE_BYTES).data
            cloud.compute.delete_console_history(made.id)
    except ProviderError:
        return ""
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)


def _shortage(cloud: Clients, compartment: str, groups: Iterable[Group]) -> list[str]:
    """Why nodes are missing, from the errors of the groups' work requests; empty where Oracle does not say."""
    found: list[str] = []
    try:
        with asked("the work requests"):
            for group in groups:
                for request in every(cloud.work.list_work_requests, compartment, resource_id=group.id):
                    if request.status in ("FAILED", "IN_PROGRESS"):
                        found += [
                            str(e.message) for e in every(cloud.work.list_work_request_errors, request.id)
                        ]
    except ProviderError:
        return found[:SHOWN_REASONS]
    return list(dict.fromkeys(found))[:SHOWN_REASONS]
