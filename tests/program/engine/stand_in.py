"""A stand-in for any cloud's Pulumi provider: it stores what it is given and asks no cloud. It is not the real provider.

What it shows is the engine's part: order, diffs, replacement, aliases, protection, state. It accepts what a cloud would
refuse. Outputs beyond the inputs come from that cloud's view (tests/program/clouds), and which inputs cannot be changed
in place from ``forces_new.yaml``. It serves as a program of its own, installed under the provider's name by ``plugins:`` of
Pulumi.yaml, with its cloud in a JSON file; or from a thread of the test's own process (``serving``), which is faster.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import yaml
from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import main as serve

from railbed.platforms.values import UNKNOWN, map_from_plain, map_to_plain

STORE, KIND = "RAILBED_STAND_IN_STORE", "RAILBED_STAND_IN_KIND"
VERSION = "0.0.0"
FORCES_NEW: dict[str, list[str]] = yaml.safe_load(Path(__file__).with_name("forces_new.yaml").read_text())
IDENTITY = ("arn", "selfLink", "uniqueId", "timeCreated", "createTime")
"""Outputs by which one provider or another tells a resource from one that was made in its place."""
Data = dict[str, Any]


def named(urn: str) -> tuple[str, str]:
    """Type token and name of a resource (``urn:pulumi:stack::project::parent$type::name``)."""
    path, name = urn.split("::", 2)[2].split("::", 1)
    return path.rsplit("$", 1)[-1], name


class StandIn(sdk.Provider):
    """Create, read, update, delete over the store."""

    def __init__(self, kind: str, store: Path | None = None) -> None:
        self.view: Any = importlib.import_module(f"tests.program.clouds.{kind}_view").VIEW
        self.store = store
        self.held: dict[str, Data] = json.loads(store.read_text()) if store and store.exists() else {}
        """The cloud: id → type, inputs, outputs. A test may change it behind the engine's back."""

    async def check_config(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        return sdk.CheckResponse(request.new_inputs)

    async def diff_config(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        return sdk.DiffResponse(changes=False, detailed_diff={})

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        return sdk.CheckResponse(request.new_inputs)

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        new = map_to_plain(request.new_inputs)
        old = self._inputs(request.resource_id, map_to_plain(request.old_state))
        changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        forced = [key for key in changed if key in FORCES_NEW.get(named(request.urn)[0], [])]
        kinds = {
            key: sdk.PropertyDiffKind.UPDATE_REPLACE if key in forced else sdk.PropertyDiffKind.UPDATE
            for key in changed
        }
        return sdk.DiffResponse(
            changes=bool(changed), diffs=changed, replaces=forced,
            detailed_diff={key: sdk.PropertyDiff(kind, True) for key, kind in kinds.items()},
        )  # fmt: skip

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        inputs = map_to_plain(request.properties)
        typ, name = named(request.urn)
        outputs = self.view.answers(typ, name, inputs)
        if request.preview:
            unknown = {key: PropertyValue(UNKNOWN) for key in (*outputs, *IDENTITY)}
            return sdk.CreateResponse(None, {**request.properties, **unknown})
        taken = sum(key.rsplit("#", 1)[0] == f"{name}-id" for key in self.held)
        identity = f"{name}-id#{taken}" if taken else f"{name}-id"
        self.held[identity] = {
            "type": typ,
            "inputs": inputs,
            "outputs": {**dict.fromkeys(IDENTITY, identity), **outputs},
        }
        self._write()
        return sdk.CreateResponse(identity, map_from_plain(self._state(identity)))

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        typ, name = named(request.urn)
        identity = request.resource_id
        if identity not in self.held:
            if request.properties:
                return sdk.ReadResponse("", {}, {})
            # What nobody made here is somebody else's, looked up by its id: it is there.
            there = map_to_plain(request.inputs)
            state = {**there, **self.view.answers(typ, name, there)}
            return sdk.ReadResponse(identity, map_from_plain(state), map_from_plain(there))
        return sdk.ReadResponse(
            identity, map_from_plain(self._state(identity)), map_from_plain(self.held[identity]["inputs"])
        )

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        inputs, one = map_to_plain(request.news), self.held[request.resource_id]
        if not request.preview:
            one["inputs"] = inputs
            self._write()
        # Outputs stay those of the creation, as an address or a name does.
        return sdk.UpdateResponse(map_from_plain({**inputs, **one["outputs"]}))

    async def delete(self, request: sdk.DeleteRequest) -> None:
        self.held.pop(request.resource_id, None)
        self._write()

    async def invoke(self, request: sdk.InvokeRequest) -> sdk.InvokeResponse:
        answer = self.view.call(request.tok, map_to_plain(request.args))
        return sdk.InvokeResponse(map_from_plain(answer))

    def _inputs(self, identity: str, otherwise: Data) -> Data:
        """What the cloud holds, which may differ from what the engine remembers."""
        held: Data = self.held[identity]["inputs"] if identity in self.held else otherwise
        return held

    def _state(self, identity: str) -> Data:
        one = self.held[identity]
        return {**one["inputs"], **one["outputs"]}

    def _write(self) -> None:
        if self.store is not None:
            building = self.store.with_suffix(".new")
            building.write_text(json.dumps(self.held, indent=1))
            building.rename(self.store)


if __name__ == "__main__":
    serve(sys.argv[1:], VERSION, StandIn(os.environ[KIND], Path(os.environ[STORE])))
