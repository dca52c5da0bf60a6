"""What changes between two releases, and what each change asks of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from railbed.catalog import SYSTEM, Component, Machine, Release, Rules, Trait
from railbed.claims import FrozenModel
from railbed.software.compat.locked import select

STEPS = ("drain", "restart", "reboot", "rebuild")
"""What a change may ask for, in the order in which it is done."""


class Change(FrozenModel):
    """One component that differs."""

    component: str
    before: str
    """Version, or versions of all alternatives; empty where it is new."""
    after: str
    """The same; empty where it is gone."""
    reason: str
    """Why the release has it, of the one that has it last."""
    source: str
    asks: list[str]
    rebuilds: list[str]
    """Components of the new release that were built against it."""
    why: str
    """Why a change of it asks for that."""


class Difference(FrozenModel):
    """From one release to another."""

    added: list[Change]
    removed: list[Change]
    changed: list[Change]

    @property
    def asks(self) -> list[str]:
        """Everything that the changes ask for together, in order."""
        every = {step for change in (*self.added, *self.removed, *self.changed) for step in change.asks}
        return [step for step in STEPS if step in every]


def difference(
    old: Release,
    new: Release,
    rules: Iterable[Rules],
    machine: Machine | None,
    os: str,
    filesystems: Iterable[str],
) -> Difference:
    """The difference for one machine and system; without them (None, ``""``) over all alternatives."""
    kinds = list(filesystems)
    before, after = _parts(old, machine, os, kinds), _parts(new, machine, os, kinds)
    traits = {name: trait for file in rules for name, trait in file.components.items()}

    def change(name: str) -> Change:
        return _change(name, before.get(name, []), after.get(name, []), traits.get(name), after)

    return Difference(
        added=[change(name) for name in after if name not in before],
        removed=[change(name) for name in before if name not in after],
        changed=[
            change(name) for name in after if name in before and _text(before[name]) != _text(after[name])
        ],
    )


def _parts(
    release: Release, machine: Machine | None, os: str, filesystems: list[str]
) -> dict[str, list[Component]]:
    if machine is None and not os:
        return {name: release.alternatives(name) for name in release.components if name != SYSTEM}
    return {name: [component] for name, component in select(release, machine, os, filesystems).items()}


def _text(parts: list[Component]) -> str:
    return " | ".join(dict.fromkeys(component.package_version or component.version for component in parts))


def _change(
    name: str, before: list[Component], after: list[Component], trait: Trait | None,
    kept: Mapping[str, list[Component]],
) -> Change:  # fmt: skip
    last = (after or before)[-1]
    rebuilds = [one for one in trait.rebuilds if one in kept] if trait else []
    return Change(
        component=name,
        before=_text(before),
        after=_text(after),
        reason=last.reason,
        source=f"{last.provenance.source} ({last.provenance.checked})",
        asks=[step for step in (trait.asks if trait else []) if step != "rebuild" or rebuilds],
        rebuilds=rebuilds,
        why=trait.reason if trait else "nothing is known of what a change asks for",
    )
