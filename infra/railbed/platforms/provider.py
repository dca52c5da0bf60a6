"""The native Pulumi provider ``railbed``: check, diff, create, read, update, delete over a table of resource types."""

from __future__ import annotations

import asyncio
import functools
import importlib
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import main as serve

from railbed import __version__
from railbed.errors import RailbedError
from railbed.platforms import SINGLE
from railbed.platforms.resource import Data, Resource
from railbed.platforms.values import UNKNOWN, map_from_plain, map_to_plain

PARENT_POLL_S = 1.0
STEP_LOG = "RAILBED_PROVIDER_STEPS"
"""Names a file that gets a line per finished effect: tests kill the engine right after one."""


def resource_type(token: str) -> Resource | None:
    """The type of that token, e.g. ``railbed:lab:Host``; only its own platform is imported for it."""
    kind = token.split(":")[1]
    return _table(kind).RESOURCES.get(token) if kind in SINGLE else None


@functools.cache
def _table(kind: str) -> Any:
    return importlib.import_module(f"railbed.platforms.{kind}.resources")


@functools.cache
def _workers(kind: str) -> Executor:
    return ThreadPoolExecutor(max_workers=_table(kind).WORKERS, thread_name_prefix=kind)


class Railbed(sdk.Provider):
    """Serves the engine; effects run in threads, so that hosts boot side by side."""

    def _resource(self, token: str) -> Resource:
        found = resource_type(token)
        if found is None:
            raise RuntimeError(f"railbed has no resource type {token}")
        return found

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        if resource_type(request.type) is None:
            failure = sdk.CheckFailure("", f"railbed has no resource type {request.type}")
            return sdk.CheckResponse(request.new_inputs, [failure])
        return sdk.CheckResponse(request.new_inputs)

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        old, new = map_to_plain(request.old_state), map_to_plain(request.new_inputs)
        changed = [key for key, value in new.items() if old.get(key) != value]
        replaces = [key for key in changed if key in self._resource(request.type).replace_on]
        return sdk.DiffResponse(
            changes=bool(changed), diffs=changed, replaces=replaces, delete_before_replace=True,
            detailed_diff={key: sdk.PropertyDiff(_kind(key in replaces), True) for key in changed},
        )  # fmt: skip

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        inputs = map_to_plain(request.properties)
        if request.preview:
            return sdk.CreateResponse(None, self._preview(request.type, request.properties))
        resource = self._resource(request.type)
        made = await self._do(request, "create", resource.create, inputs)
        return sdk.CreateResponse(resource.identity(inputs), map_from_plain({**inputs, **made}))

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        resource, olds = self._resource(request.type), map_to_plain(request.properties)
        inputs = map_to_plain(request.inputs)
        kept = {key: olds[key] for key in resource.outputs if key in olds}
        seen = await self._do(request, "read", resource.read, {**kept, **inputs})
        if seen is None:
            return sdk.ReadResponse("", {}, {})
        # Outputs that could not be seen (a host that is not mounted) stay as they were.
        state = {**olds, **inputs, **seen}
        observed = {key: state[key] for key in inputs}
        return sdk.ReadResponse(request.resource_id, map_from_plain(state), map_from_plain(observed))

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        if request.preview:
            return sdk.UpdateResponse({**request.olds, **request.news})
        resource, olds = self._resource(request.type), map_to_plain(request.olds)
        inputs = map_to_plain(request.news)
        # Outputs that the update does not renew (a host key of an installation long past) stay as they were.
        kept = {key: olds[key] for key in resource.outputs if key in olds}
        made = await self._do(request, "update", resource.update, {**kept, **inputs})
        return sdk.UpdateResponse(map_from_plain({**kept, **inputs, **made}))

    async def delete(self, request: sdk.DeleteRequest) -> None:
        inputs = map_to_plain(request.properties)
        await self._do(request, "delete", self._resource(request.type).delete, inputs)

    def _preview(self, token: str, inputs: dict[str, PropertyValue]) -> dict[str, PropertyValue]:
        return {**inputs, **{key: PropertyValue(UNKNOWN) for key in self._resource(token).outputs}}

    async def _do(self, request: Any, verb: str, effect: Callable[[Data], Any], inputs: Data) -> Any:
        workers = _workers(request.type.split(":")[1])
        try:
            result = await asyncio.get_running_loop().run_in_executor(workers, effect, inputs)
        except RailbedError as error:
            raise RuntimeError(error.as_text()) from None
        _log_step(f"{verb} {request.urn.rsplit('::', 1)[-1]}")
        return result


def _kind(replace: bool) -> sdk.PropertyDiffKind:
    return sdk.PropertyDiffKind.UPDATE_REPLACE if replace else sdk.PropertyDiffKind.UPDATE


def _log_step(text: str) -> None:
    path = os.environ.get(STEP_LOG)
    if path:
        with open(path, "a") as log:  # noqa: PTH123 - append in one write, so that steps of several threads keep whole lines
            log.write(text + "\n")


def _end_with(engine: int) -> None:
    """A provider whose engine was killed must not go on changing things behind the next one's back."""
    while os.getppid() == engine:
        time.sleep(PARENT_POLL_S)
    os._exit(1)


def main() -> None:
    """Entry point of ``pulumi-resource-railbed``."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    serve(sys.argv[1:], __version__, Railbed())
