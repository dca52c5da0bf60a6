"""Flows that climb to a core switch and come down in another pod: they load both upper tiers at once."""

from __future__ import annotations

from railbed.fault_search.shape import Entry, Flow, Shape, Stage, Sweep, most_of_one, turned


class _UplinkUse:
    """One stage in the making."""

    def __init__(self, shape: Shape) -> None:
        self.stage = Stage(shape)
        self.ports: dict[int, list[int]] = {}
        """Spine → leaves whose uplink to it is used."""
        self.core_uplinks: dict[int, list[int]] = {}
        """Spine → its uplinks to cores that are used."""

    def port(self, spine: int, leaf: int, uplink: int) -> None:
        """Uses a leaf's uplink to a spine."""
        self.stage.take(leaf, uplink)
        self.ports.setdefault(spine, []).append(leaf)


class ThreeTier:
    """Loads every leaf–spine and every spine–core cable of the pods with nodes, stage by stage."""

    def __init__(self, shape: Shape, variant: int, sweep: Sweep) -> None:
        self.shape, self.variant, self.sweep = shape, variant, sweep
        self.up, self.half, self.sets = shape.up, shape.fabric.half, shape.fabric.core_sets
        self.left = {leaf: list(range(self.up)) for leaf in shape.peopled}
        """Leaf → uplinks without a flow yet."""
        self.core_left = {
            pod * self.up + place: list(range(self.half)) for pod in shape.pods for place in range(self.up)
        }
        """Spine → uplinks to cores without a flow yet."""
        self.loaded_leaf_spine = self.loaded_spine_core = 0
        self.pods = list(shape.pods)
        self.place_of_pod = {pod: place for place, pod in enumerate(self.pods)}
        self.near = 1 + variant % max(1, len(self.pods) - 1)

    def run(self) -> None:
        """All stages."""
        while self.left or self.core_left:
            if self._stage(list(self.left), list(self.core_left)):
                continue
            # Those that offer at once can stand in each other's way; one alone has all the others to help.
            leaf, spine = next(iter(self.left), None), next(iter(self.core_left), None)
            if leaf is not None:
                if not self._stage([leaf], []):
                    del self.left[leaf]
            elif spine is not None and not self._stage([], [spine]):
                del self.core_left[spine]

    def _stage(self, leaves: list[int], spines: list[int]) -> bool:
        used = _UplinkUse(self.shape)
        for leaf in leaves:
            for uplink in self.left[leaf][: used.stage.room(leaf)]:
                used.port(self.shape.spine(leaf, uplink), leaf, uplink)
        for spine in spines:
            self._assign_uplinks(used, spine, len(self.core_left[spine]))
        at_core: dict[int, list[Entry]] = {}
        for spine in sorted(used.ports):
            pod, place = divmod(spine, self.up)
            used.core_uplinks[spine] = core_uplinks = self._choose(spine, len(used.ports[spine]))
            first = place % self.sets * self.half
            for core_uplink in core_uplinks:
                at_core.setdefault(first + core_uplink, []).append((pod, spine))
        pairs: list[tuple[int, int, int]] = []
        for core, entries in at_core.items():
            fit = self._balanced(core, entries, used)
            uplink = core % self.half
            turns = turned(fit, self.near, self.variant) if fit else []
            pairs += [(uplink, fit[a][1], fit[b][1]) for a, b in turns]
        return self._keep(pairs, used)

    def _assign_uplinks(self, used: _UplinkUse, spine: int, wanted: int) -> None:
        """Lets leaves that are done send too, where a spine has more uplinks to load than leaves that are not."""
        pod, uplink = divmod(spine, self.up)
        leaves = self.shape.pods[pod]
        lacking = min(wanted, len(leaves)) - len(used.ports.get(spine, ()))
        for step in range(len(leaves)):
            if lacking <= 0:
                break
            leaf = leaves[(uplink + step) % len(leaves)]
            if used.stage.free(leaf, uplink):
                used.port(spine, leaf, uplink)
                lacking -= 1

    def _choose(self, spine: int, count: int) -> list[int]:
        """So many uplinks of a spine: those without a flow first."""
        wanted = self.core_left.get(spine, [])[:count]
        if len(wanted) < count:
            there = set(wanted)
            wanted = wanted + [k for k in range(self.half) if k not in there][: count - len(wanted)]
        return wanted

    def _balanced(self, core: int, entries: list[Entry], used: _UplinkUse) -> list[Entry]:
        """The entries of one core, so that no pod has more than half: with other pods' help, else with fewer."""
        pod, most = most_of_one(entries)
        lacking = 2 * most - len(entries)
        if lacking <= 0:
            return entries
        start = self.place_of_pod[pod] + self.near
        for step in range(len(self.pods)):
            helper = self.pods[(start + step) % len(self.pods)]
            if helper != pod and lacking:
                found = self._help(core, helper, lacking, used)
                entries += [(helper, spine) for spine in found]
                lacking -= len(found)
        entries.sort()
        others = [entry for entry in entries if entry[0] != pod]
        own = [entry for entry in entries if entry[0] == pod]
        return sorted(others + own[: len(others)])

    def _help(self, core: int, pod: int, wanted: int, used: _UplinkUse) -> list[int]:
        """Spines of a pod that lend their free uplink to the core, each with a leaf that has a NIC free."""
        core_set, core_uplink = divmod(core, self.half)
        leaves = self.shape.pods[pod]
        found: list[int] = []
        for place in range(core_set, self.up, self.sets):
            spine = pod * self.up + place
            if len(found) == wanted:
                break
            if core_uplink in used.core_uplinks.get(spine, ()):
                continue
            for step in range(len(leaves)):
                leaf = leaves[(core_uplink + step) % len(leaves)]
                if used.stage.free(leaf, place):
                    used.port(spine, leaf, place)
                    used.core_uplinks.setdefault(spine, []).append(core_uplink)
                    found.append(spine)
                    break
        return found

    def _keep(self, pairs: list[tuple[int, int, int]], used: _UplinkUse) -> bool:
        """Joins leaves and climbs at every spine; adds the stage's flows where they load anything new."""
        core_uplinks: dict[int, list[int]] = {}
        for core_uplink, spine, _ in pairs:
            core_uplinks.setdefault(spine, []).append(core_uplink)
        above: dict[Entry, int] = {}
        below: dict[Entry, int] = {}
        carried: dict[int, list[int]] = {}
        for spine, uplinks in core_uplinks.items():
            uplinks.sort()
            leaves = sorted(used.ports[spine][: len(uplinks)])
            count = len(leaves)
            back = self.near * self.shape.rails - self.variant
            for place, core_uplink in enumerate(uplinks):
                above[spine, core_uplink] = leaves[(place + self.variant) % count]
                below[spine, core_uplink] = leaves[(place - back) % count]
            for leaf in leaves:
                carried.setdefault(leaf, []).append(spine % self.up)
        if not self._count(carried, core_uplinks):
            return False
        senders, receivers = used.stage.nics(carried, self.variant)
        number, up = self.sweep.stages, self.up
        for core_uplink, one, other in pairs:
            a, b = (above[one, core_uplink], one % up), (below[other, core_uplink], other % up)
            self.sweep.flows.append(Flow(number, senders[a], *a, core_uplink, *b, receivers[b]))
        self.sweep.stages += 1
        return True

    def _count(self, carried: dict[int, list[int]], core_uplinks: dict[int, list[int]]) -> bool:
        """Takes off what the stage loads; True where that is anything new."""
        leaf_new = _take_off(self.left, carried)
        core_new = _take_off(self.core_left, core_uplinks)
        self.loaded_leaf_spine += leaf_new
        self.loaded_spine_core += core_new
        return bool(leaf_new or core_new)


def _take_off(left: dict[int, list[int]], carried: dict[int, list[int]]) -> int:
    """Takes used uplinks off those without a flow; how many that were."""
    new = 0
    for switch, uplinks in carried.items():
        if switch in left:
            now = set(uplinks)
            rest = [uplink for uplink in left[switch] if uplink not in now]
            new += len(left[switch]) - len(rest)
            left[switch] = rest
            if not rest:
                del left[switch]
    return new
