"""Flows that turn around at a spine: two tiers, or a single pod with nodes."""

from __future__ import annotations

from railbed.fault_search.shape import Entry, Flow, Shape, Stage, Sweep, most_of_one, turned


class TwoTier:
    """Loads every leaf–spine cable, stage by stage."""

    def __init__(self, shape: Shape, variant: int, sweep: Sweep) -> None:
        self.shape, self.variant, self.sweep = shape, variant, sweep
        self.left = {leaf: list(range(shape.up)) for leaf in shape.peopled}
        """Leaf → uplinks without a flow yet."""
        self.loaded_leaf_spine = self.loaded_spine_core = 0
        self.near = _near(shape, variant)

    def run(self) -> None:
        """All stages."""
        while self.left:
            if self._stage(list(self.left)):
                continue
            # Leaves that offer at once can stand in each other's way; one alone has all the others to help.
            first = next(iter(self.left))
            if not self._stage([first]):
                del self.left[first]

    def _stage(self, offering: list[int]) -> bool:
        stage = Stage(self.shape)
        at_spine: dict[int, list[Entry]] = {}
        for leaf in offering:
            for uplink in self.left[leaf][: stage.room(leaf)]:
                stage.take(leaf, uplink)
                at_spine.setdefault(self.shape.spine(leaf, uplink), []).append((leaf, uplink))
        pairs: list[tuple[Entry, Entry]] = []
        for spine, entries in at_spine.items():
            fit = self._balanced(spine, entries, stage)
            pairs += [(fit[a], fit[b]) for a, b in turned(fit, self.near, self.variant)] if fit else []
        return self._keep(pairs, stage)

    def _balanced(self, spine: int, entries: list[Entry], stage: Stage) -> list[Entry]:
        """The entries of one spine, so that no leaf has more than half: with others' help, else with fewer."""
        leaf, most = most_of_one(entries)
        lacking = 2 * most - len(entries)
        if lacking <= 0:
            return entries
        leaves = self.shape.peopled
        start = leaves.index(leaf) + self.near
        for step in range(len(leaves)):
            helper = leaves[(start + step) % len(leaves)]
            if helper == leaf:
                continue
            for uplink in self.shape.uplinks(spine):
                if lacking and stage.free(helper, uplink):
                    stage.take(helper, uplink)
                    entries.append((helper, uplink))
                    lacking -= 1
            if not lacking:
                break
        entries.sort()
        others = [entry for entry in entries if entry[0] != leaf]
        own = [entry for entry in entries if entry[0] == leaf]
        return sorted(others + own[: len(others)])

    def _keep(self, pairs: list[tuple[Entry, Entry]], stage: Stage) -> bool:
        """Adds the stage's flows where they load anything new."""
        carried: dict[int, list[int]] = {}
        for (leaf, uplink), _ in pairs:
            carried.setdefault(leaf, []).append(uplink)
        new = 0
        for leaf, uplinks in carried.items():
            if leaf in self.left:
                now = set(uplinks)
                rest = [uplink for uplink in self.left[leaf] if uplink not in now]
                new += len(self.left[leaf]) - len(rest)
                self.left[leaf] = rest
                if not rest:
                    del self.left[leaf]
        if not new:
            return False
        senders, receivers = stage.nics(carried, self.variant)
        number = self.sweep.stages
        self.sweep.flows += [Flow(number, senders[a], *a, -1, *b, receivers[b]) for a, b in pairs]
        self.sweep.stages += 1
        self.loaded_leaf_spine += new
        return True


def rail_variants(shape: Shape) -> int:
    """Variants that keep every flow on its rail, as far as units are whole: all steps over units, all turns of a bundle."""
    bundle = 1 if shape.fabric.core else shape.up // shape.fabric.spine
    return len(range(shape.rails, len(shape.peopled), shape.rails)) * bundle


def _near(shape: Shape, variant: int) -> int:
    """How many leaves on each flow goes: over whole units first, where the rail stays the same.

    In a single unit only other rails lie across a spine; so they do where the units are used up.
    """
    leaves, rails, on_rail = len(shape.peopled), shape.rails, rail_variants(shape)
    same = list(range(rails, leaves, rails))
    other = [step for step in range(1, leaves) if step % rails]
    if variant < on_rail or not other:
        return same[variant % len(same)]
    return other[(variant - on_rail) % len(other)]
