"""Settings that a search found: into the machines whose nodes get them, and warned of where versions are others by now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from railbed import catalog
from railbed.errors import SpecError, Unsupported
from railbed.plan.parts import PlannedPool, Warned
from railbed.spec import ClusterSpec


def applied(spec: ClusterSpec, pools: Sequence[PlannedPool], where: str) -> list[PlannedPool]:
    """The pools, their machines with the settings; these win over the provider's own, beside which they were measured.

    Raises SpecError for a machine of no pool, a setting or value of no search's space, and one that is said twice.
    """
    own: dict[str, dict[str, str]] = {}
    machines = {pool.machine.key: pool.machine for pool in pools}
    if spec.tuning and (spec.platform.kind == "kubernetes" or spec.fabric is None):
        raise Unsupported(
            spec.platform.kind,
            "settings of NCCL without nodes and a fabric of railbed's own",
            path=f"{where}.tuning",
        )
    for at, one in enumerate(spec.tuning):
        path = f"{where}.tuning[{at}]"
        if one.machine not in machines:
            raise SpecError(
                "no pool has this machine",
                path=f"{path}.machine",
                found=one.machine,
                allowed=sorted(machines),
            )
        knobs = catalog.load_tuning(machines[one.machine].transport).knobs
        given = own.setdefault(one.machine, {})
        for name, value in one.settings.items():
            known = [*knobs[name].values, knobs[name].default] if name in knobs else []
            if value not in known or name in given:
                raise SpecError(
                    f"{name} is set twice" if name in given else f"no search finds {name}={value} here",
                    path=f"{path}.settings.{name}", found=value,
                    allowed=known or sorted(knobs), hint="take over what `railbed tune collectives` prints",
                )  # fmt: skip
            given[name] = value
    return [
        pool.model_copy(update={"machine": _with(pool.machine, own.get(pool.machine.key, {}))})
        for pool in pools
    ]


def _with(machine: catalog.Machine, settings: Mapping[str, str]) -> catalog.Machine:
    if not settings:
        return machine
    return machine.model_copy(update={"nccl_environment": {**machine.nccl_environment, **settings}})


def warnings(spec: ClusterSpec, versions: Mapping[str, str], where: str) -> Iterator[Warned]:
    """A warning for each result that was measured with other versions than ``versions``; what is not installed is another too."""
    for at, one in enumerate(spec.tuning):
        others = [
            f"{name} {version} (now {versions.get(name, 'none')})"
            for name, version in one.versions.items()
            if versions.get(name) != version
        ]
        if others:
            message = (
                f"{', '.join(one.settings)} of {one.machine} was measured with {', '.join(others)}: what it gains now is not "
                "known. Take the entry out, `railbed up`, and search again: `railbed tune collectives`"
            )
            yield Warned(code="TUNING_EXPIRED", path=f"{where}.tuning[{at}]", message=message)
