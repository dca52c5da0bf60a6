"""From the catalogue's rules, a machine, an OS and what somebody wants to the demands that must hold together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from railbed.catalog import Machine, Rules, nearest
from railbed.errors import UsageError
from railbed.software.compat.conditions import NONE, Condition, numbers, parse

MACHINE_FACTS = (
    "gpu_architecture", "cpu_architecture", "gpus", "nodes_per_nvlink_domain", "nvlink_generation", "transport",
    "nic_kind", "vendor",
)  # fmt: skip
_WANT = re.compile(r"([\w.-]+)\s*(?:(=|>=|<=|<|>|!=)\s*(\w.*))?")


@dataclass(frozen=True)
class Demand:
    """One thing that must hold: a rule of the catalogue, or something that was asked for."""

    name: str
    when: Mapping[str, Condition]
    require: Mapping[str, Condition]
    reason: str
    source: str

    @property
    def is_wanted(self) -> bool:
        return not self.source

    @property
    def subjects(self) -> set[str]:
        """Everything that it speaks of."""
        conditions = [*self.when.items(), *self.require.items()]
        return {subject for subject, _ in conditions} | {c.same_as for _, c in conditions if c.same_as}

    def verdict(self, values: Mapping[str, str]) -> bool | None:
        """True: holds. False: broken. None: cannot be said before more has a value."""
        applies: bool | None = True
        for subject, condition in self.when.items():
            holds = _holds(condition, subject, values)
            if holds is False:
                return True
            applies = None if holds is None else applies
        results = [_holds(condition, subject, values) for subject, condition in self.require.items()]
        if all(results):
            return True
        if False in results and applies:
            return False
        return None


def _holds(condition: Condition, subject: str, values: Mapping[str, str]) -> bool | None:
    value = values.get(subject)
    return None if value is None else condition.holds(value, values)


@dataclass(frozen=True)
class Wanted:
    """A component that somebody wants, and in which versions."""

    component: str
    condition: str
    """As typed, without the name; empty: in any version."""


@dataclass(frozen=True)
class Problem:
    """What can be chosen and what must hold."""

    facts: Mapping[str, str]
    """OS and machine."""
    domains: Mapping[str, tuple[str, ...]]
    """Component → the values that it may take, the best first."""
    demands: tuple[Demand, ...]
    notes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(component, version) → where that version is known from."""


def read_wanted(texts: Iterable[str]) -> list[Wanted]:
    """``driver=570.124.06``, ``driver>=570`` or ``lustre_client``. Raises UsageError for what is neither."""
    wanted = []
    for text in texts:
        found = _WANT.fullmatch(text.strip())
        if not found:
            raise UsageError(
                "what is wanted is a component, or a component and a version", path="--with", found=text,
                allowed="component, component=version, component>=version", hint="e.g. --with 'nvidia_driver>=570'",
            )  # fmt: skip
        sign, version = found[2] or "", found[3] or ""
        wanted.append(Wanted(found[1], version if sign == "=" else sign + version))
    return wanted


def build(
    rules: Iterable[Rules], machine: Machine | None, os: str, wanted: Iterable[Wanted],
    candidates: Mapping[str, str] = MappingProxyType({}),
) -> Problem:  # fmt: skip
    """The problem. ``candidates``: component → a version that may be chosen beside the known ones.

    Raises UsageError for an unknown component and CatalogError for a rule that says nothing.
    """
    files, asked = list(rules), list(wanted)
    facts = {"os": os, **machine_facts(machine)}
    demands = [
        Demand(
            name=name,
            when={s: parse(c, f"{name}.when.{s}") for s, c in rule.when.items()},
            require={s: parse(c, f"{name}.require.{s}") for s, c in rule.require.items()},
            reason=rule.reason,
            source=f"{rule.provenance.source} ({rule.provenance.checked})",
        )
        for file in files
        for name, rule in file.rules.items()
    ]
    # Without a machine nothing is known of it, and rules about it decide nothing.
    demands = [d for d in demands if not any(s.startswith("machine.") and s not in facts for s in d.subjects)]
    components = sorted(
        {s for d in demands for s in d.subjects if s != "os" and "." not in s} | _versioned(files)
    )
    for want in asked:
        if want.component not in components:
            near = nearest(want.component, components)
            raise UsageError(
                f"the rules know no component {want.component!r}", path="--with", found=want.component,
                allowed=components, hint=f"did you mean {near}?" if near else "name one of those",
            )  # fmt: skip
    domains = _domains(files, components, demands, asked, candidates)
    return Problem(facts, domains, (*_asked(asked), *demands), _notes(files))


def machine_facts(machine: Machine | None) -> dict[str, str]:
    """``machine.<fact>`` → its value; empty without a machine."""
    if machine is None:
        return {}
    return {f"machine.{name}": str(getattr(machine, name)) for name in MACHINE_FACTS}


def _asked(wanted: Iterable[Wanted]) -> list[Demand]:
    made = []
    for want in wanted:
        condition = parse(want.condition or True, f"--with {want.component}")
        sign = "" if want.condition[:1] in "<>!" else "="
        name = f"{want.component}{sign}{want.condition}" if want.condition else want.component
        made.append(Demand(name, {}, {want.component: condition}, "asked for", ""))
    return made


def _versioned(files: Iterable[Rules]) -> set[str]:
    return {component for file in files for component in file.versions}


def _domains(
    files: list[Rules],
    components: list[str],
    demands: list[Demand],
    wanted: list[Wanted],
    candidates: Mapping[str, str],
) -> dict[str, tuple[str, ...]]:
    """Values of each component: newest first, and "not installed" where no rule asks for it everywhere."""
    versions: dict[str, list[str]] = {component: [] for component in components}
    for file in files:
        for component, known in file.versions.items():
            versions[component] += [one.version for one in known]
    for component, version in candidates.items():
        if component in versions and version not in versions[component]:
            versions[component].append(version)
    for want in wanted:
        exact = want.condition if want.condition and want.condition[0] not in "<>!" else ""
        if exact and exact != NONE and exact not in versions[want.component]:
            versions[want.component].append(exact)
    pairs = {(s, c.same_as) for d in demands for s, c in d.require.items() if c.same_as}
    for one, other in sorted(pairs | {(leader, follower) for follower, leader in pairs}):
        versions[one] += [v for v in versions[other] if v not in versions[one]]
    always = {s for d in demands if not d.when for s, c in d.require.items() if c.text == "installed"}
    return {
        component: tuple(_newest_first(found)) if component in always else (NONE, *_newest_first(found))
        for component, found in versions.items()
    }


def _newest_first(versions: list[str]) -> list[str]:
    """Newest first; names that are not numbers keep their order from the last to the first."""
    backwards = list(reversed(versions))
    return sorted(backwards, key=numbers, reverse=True)


def _notes(files: Iterable[Rules]) -> dict[tuple[str, str], str]:
    return {
        (component, known.version): f"{known.provenance.source} ({known.provenance.checked})"
        for file in files
        for component, versions in file.versions.items()
        for known in versions
    }
