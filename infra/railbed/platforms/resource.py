"""What a native resource type must have. Inputs and outputs are plain JSON data; the provider does the rest."""

from __future__ import annotations

from typing import Any, Protocol

Data = dict[str, Any]


class Resource(Protocol):
    """Life cycle of one type. ``read`` gives None for something that is gone, else inputs as observed plus outputs.

    Every effect is idempotent: a create that was killed is run again. ``read``, ``update`` and ``delete`` also see the outputs
    of the last run, beside the inputs.
    """

    replace_on: frozenset[str]
    """Inputs whose change cannot be brought about in place."""
    outputs: tuple[str, ...]
    """Outputs that a preview cannot know."""

    def identity(self, inputs: Data) -> str: ...
    def create(self, inputs: Data) -> Data: ...
    def read(self, inputs: Data) -> Data | None: ...
    def update(self, inputs: Data) -> Data: ...
    def delete(self, inputs: Data) -> None: ...
