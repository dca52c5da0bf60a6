"""A stand-in for Pulumi's Kubernetes provider; it is not the real one. It applies what it gets by server-side apply to the API
server of its kubeconfig, reads it back, deletes it. As the real one it creates nothing that is there already unless
``upsertExistingObjects`` is set, and makes all anew for another kubeconfig unless ``clusterIdentifier`` stays the same.

usage: pulumi-resource-kubernetes ENGINE      found by the engine on PATH (``installed``)
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.server import main as serve

from railbed.effects.kubernetes import api as apis
from railbed.effects.kubernetes.api import GONE, Api, ApiError
from railbed.errors import RailbedError
from railbed.platforms.values import map_from_plain, map_to_plain

VERSION = "4.34.2"
ROOT = Path(__file__).resolve().parents[2]
PLURALS = {"NetworkPolicy": "networkpolicies", "PriorityClass": "priorityclasses", "Topology": "topologies"}
CLUSTER_WIDE = (
    "Namespace",
    "PriorityClass",
    "ClusterRole",
    "ClusterRoleBinding",
    "Topology",
    "ResourceFlavor",
    "ClusterQueue",
)
GONE_TIMEOUT_S, POLL_S = 120.0, 0.3
FORCES_NEW = ("apiVersion", "kind", "roleRef", "value", "preemptionPolicy")
"""Inputs beside the name that the API does not let change."""
Data = dict[str, Any]


def installed(folder: Path) -> Path:
    """A folder for PATH with the stand-in under the provider's name."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "pulumi-resource-kubernetes"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT}:{ROOT}/infra" exec "{sys.executable}" -m tests.support.kube_provider "$@"\n'
    )
    program.chmod(0o755)
    return folder


def path_of(inputs: Data) -> str:
    """Of the object at the API."""
    kind, version, meta = inputs["kind"], inputs["apiVersion"], inputs["metadata"]
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    spaced = "" if kind in CLUSTER_WIDE else f"/namespaces/{meta.get('namespace', 'default')}"
    return f"{base}{spaced}/{PLURALS.get(kind, kind.lower() + 's')}/{meta['name']}"


def seen(wanted: Any, there: Any) -> Any:
    """What of ``there`` stands where ``wanted`` has something: what the API adds is no drift."""
    if isinstance(wanted, dict) and isinstance(there, dict):
        return {key: seen(value, there[key]) for key, value in wanted.items() if key in there}
    if isinstance(wanted, list) and isinstance(there, list) and len(wanted) == len(there):
        return [seen(one, other) for one, other in zip(wanted, there, strict=True)]
    return there


class StandIn(sdk.Provider):
    """Create, read, update, delete over the API."""

    api: Api
    upserts: bool

    async def check_config(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        return sdk.CheckResponse(request.new_inputs)

    async def diff_config(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        new, old = map_to_plain(request.new_inputs), map_to_plain(request.old_state)
        changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        deciding = ("clusterIdentifier",) if new.get("clusterIdentifier") else ("kubeconfig", "context")
        replaces = [key for key in changed if key in deciding]
        return sdk.DiffResponse(changes=bool(changed), diffs=changed, replaces=replaces)

    async def configure(self, request: sdk.ConfigureRequest) -> sdk.ConfigureResponse:
        given = map_to_plain(request.args)
        self.api = apis.opened(given["kubeconfig"], given["context"])
        self.upserts = str(given.get("upsertExistingObjects", False)).lower() == "true"
        return sdk.ConfigureResponse()

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        return sdk.CheckResponse(request.new_inputs)

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        new, old = map_to_plain(request.new_inputs), map_to_plain(request.old_state)
        changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        forced = [key for key in changed if key in FORCES_NEW]
        if path_of(old) != path_of(new):
            forced.append("metadata")
        return sdk.DiffResponse(
            changes=bool(changed), diffs=changed, replaces=forced, delete_before_replace=True
        )

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        inputs = map_to_plain(request.properties)
        if request.preview:
            return sdk.CreateResponse(None, request.properties)
        if not self.upserts and self.api.get(path_of(inputs)) is not None:
            raise RuntimeError(f"AlreadyExists: {path_of(inputs)}")
        self._apply(inputs)
        return sdk.CreateResponse(path_of(inputs), map_from_plain(inputs))

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        if not request.preview:
            self._apply(map_to_plain(request.news))
        return sdk.UpdateResponse(request.news)

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        there = self.api.get(request.resource_id)
        if there is None:
            return sdk.ReadResponse("", {}, {})
        inputs = map_to_plain(request.inputs)
        found = map_from_plain(
            {**seen(inputs, there), "apiVersion": inputs["apiVersion"], "kind": inputs["kind"]}
        )
        return sdk.ReadResponse(request.resource_id, found, found)

    async def delete(self, request: sdk.DeleteRequest) -> None:
        try:
            self.api.request("DELETE", request.resource_id)
        except ApiError as refused:
            if refused.status != GONE:
                raise RuntimeError(refused.as_text()) from None
        deadline = time.monotonic() + GONE_TIMEOUT_S
        while self.api.get(request.resource_id) is not None:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{request.resource_id} does not end")
            time.sleep(POLL_S)

    def _apply(self, inputs: Data) -> None:
        try:
            self.api.apply(path_of(inputs), inputs, force=True)
        except RailbedError as refused:
            raise RuntimeError(refused.as_text()) from None


if __name__ == "__main__":
    serve(sys.argv[1:], VERSION, StandIn())
