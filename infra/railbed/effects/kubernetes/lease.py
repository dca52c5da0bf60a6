"""The lock on one node: a Lease of the API, so that two operators in two checkouts do not change it at the same time."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from railbed.defaults import KUBERNETES_LEASE_S, KUBERNETES_TRIES
from railbed.effects.kubernetes.api import CONFLICT, GONE, Api, ApiError, Object, name
from railbed.errors import Busy, CommandError, RailbedError

KIND = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
MICRO = "%Y-%m-%dT%H:%M:%S.%fZ"


def holder() -> str:
    """Who this process is, for people and for other processes."""
    return f"{getpass.getuser()}@{socket.gethostname()}/{os.getpid()}"


def path(namespace: str, lease: str = "") -> str:
    """Of one lease, or of all of a namespace."""
    base = f"/apis/coordination.k8s.io/v1/namespaces/{name(namespace)}/leases"
    return f"{base}/{name(lease)}" if lease else base


def free(lease: Object, me: str, now: datetime) -> bool:
    """Whether ``me`` may take it: it is nobody's, ``me``'s, or its holder has not renewed it in time. Pure."""
    spec = lease.get("spec") or {}
    whose = spec.get("holderIdentity") or ""
    if whose in ("", me):
        return True
    try:
        renewed = datetime.strptime(str(spec.get("renewTime")), MICRO).replace(tzinfo=UTC)
    except ValueError:
        return False
    return now > renewed + timedelta(seconds=int(spec.get("leaseDurationSeconds") or KUBERNETES_LEASE_S))


@dataclass
class Held:
    """A lease while it is held. ``lease``: as the API gave it last."""

    api: Api
    path: str
    lease: Object

    def renew(self) -> None:
        """Before each step that may take long. Raises Busy ``NODE_LOCKED`` where it ran out and another took it."""
        spec = {**self.lease["spec"], "renewTime": datetime.now(UTC).strftime(MICRO)}
        try:
            self.lease = self.api.request("PUT", self.path, body={**self.lease, "spec": spec})
        except ApiError as lost:
            if lost.status not in (CONFLICT, GONE):
                raise
            raise Busy(
                "another operator took the lock meanwhile: it was not renewed in time", code="NODE_LOCKED", path=self.path,
                hint="wait until that one has ended, then run the same command again",
            ) from None  # fmt: skip


@contextmanager
def acquired(api: Api, namespace: str, node: str, me: str | None = None) -> Iterator[Held]:
    """Holds the node's lease. Raises Busy ``NODE_LOCKED`` with its holder."""
    lease = f"node-{node}"
    held = Held(api, path(namespace, lease), _take(api, namespace, lease, me or holder()))
    try:
        yield held
    finally:
        version = str((held.lease.get("metadata") or {}).get("resourceVersion", ""))
        # Where it cannot be given back, it runs out by itself; one that was taken over is another's.
        with suppress(RailbedError):
            api.request(
                "DELETE", path(namespace, lease), body={"preconditions": {"resourceVersion": version}}
            )


def _take(api: Api, namespace: str, lease: str, me: str) -> Object:
    for _ in range(KUBERNETES_TRIES):
        now = datetime.now(UTC)
        found = api.get(path(namespace, lease))
        if found is not None and not free(found, me, now):
            theirs = found.get("spec") or {}
            raise Busy(
                f"another operator is at work on {lease.removeprefix('node-')}", code="NODE_LOCKED",
                path=path(namespace, lease), found=f"{theirs.get('holderIdentity')} since {theirs.get('acquireTime')}",
                hint=f"wait until it has ended; a lock that nobody renews ends after {KUBERNETES_LEASE_S} s",
            )  # fmt: skip
        spec: dict[str, Any] = {
            "holderIdentity": me, "leaseDurationSeconds": KUBERNETES_LEASE_S, "acquireTime": now.strftime(MICRO),
            "renewTime": now.strftime(MICRO), "leaseTransitions": 0,
        }  # fmt: skip
        try:
            if found is None:
                return api.request(
                    "POST", path(namespace), body={**KIND, "metadata": {"name": lease}, "spec": spec}
                )
            before = found.get("spec") or {}
            spec["leaseTransitions"] = int(before.get("leaseTransitions") or 0) + (
                before.get("holderIdentity") != me
            )
            return api.request("PUT", path(namespace, lease), body={**found, "spec": spec})
        except ApiError as raced:
            if raced.status not in (CONFLICT, GONE):
                raise
            if raced.status == GONE and found is None:
                raise CommandError(
                    f"the namespace {namespace} for locks is not there", code="NO_SYSTEM_NAMESPACE", path=namespace,
                    hint="run `railbed up`, which makes it",
                ) from None  # fmt: skip
    raise Busy(
        f"{lease} changes faster than it can be taken", code="NODE_LOCKED", path=path(namespace, lease)
    )
