"""Starts of one collective over pairs of nodes: the tests of a search for who is to blame."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from railbed.claims import Verdict
from railbed.defaults import SSH_FANOUT
from railbed.validate import collective_start
from railbed.validate.blame_search import Measured, Pair
from railbed.validate.collective_start import Start
from railbed.validate.conditions import Watch, watch, words
from railbed.validate.validation_run import ValidationRun

SEARCH_TRIES = 2
"""How often a pair must miss its floor in a row to count."""


class Pairs:
    """``tested`` says what one start over a pair comes to; ``name`` is that of the search in the evidence."""

    def __init__(
        self, validation: ValidationRun, op: str, sizes: Sequence[int], tested: Callable[[Start, Pair], Measured], name: str
    ) -> None:  # fmt: skip
        self.validation, self.op, self.sizes, self.tested, self.name = validation, op, sizes, tested, name
        self.machine = validation.contract.machine(validation.rail_nodes()[0].machine)
        self.stages = 0

    def measure(self, number: int, pairs: Sequence[Pair]) -> dict[Pair, Measured]:
        """All pairs at once. One that fails runs again: only what fails every time, on quiet nodes, counts as failed."""
        self.stages += 1
        found: dict[Pair, Measured] = {}
        pending = list(pairs)
        for attempt in range(1, SEARCH_TRIES + 1):
            name = f"collectives/{self.name}-{number}-{self.stages}" + (f"-{attempt}" if attempt > 1 else "")
            for pair, measured in self._once(pending, name).items():
                runs = measured.runs + (found[pair].runs if pair in found else 0)
                found[pair] = Measured(measured.verdict, runs, measured.measured, measured.reason)
            pending = [pair for pair in pending if found[pair].verdict is Verdict.FAIL]
            if not pending:
                break
        return found

    def _once(self, pairs: Sequence[Pair], name: str) -> dict[Pair, Measured]:
        validation, by_name = self.validation, {"+".join(pair): pair for pair in pairs}
        with watch(validation.remote, [node for pair in pairs for node in pair]) as seen:
            starts = validation.remote.each(
                by_name,
                lambda one: collective_start.run(
                    validation, self.machine, self.op, by_name[one], self.sizes, counted=False
                ),
                SSH_FANOUT,
            )
        validation.keep(f"{name}.txt", "\n".join(f"# {one}\n{start.stdout}" for one, start in starts.items()))
        errors = {one: start.stderr for one, start in starts.items() if start.stderr.strip()}
        if errors:
            validation.keep(
                f"{name}.stderr.txt", "\n".join(f"# {one}\n{text.strip()}" for one, text in errors.items())
            )
        validation.keep(f"{name}.conditions.json", seen.plain())
        return {pair: self._judged(starts[one], pair, seen) for one, pair in by_name.items()}

    def _judged(self, start: Start, pair: Pair, seen: Watch) -> Measured:
        found, bad = self.tested(start, pair), words(seen.problems(pair))
        if found.verdict is Verdict.FAIL and bad:
            return Measured(Verdict.UNPROVEN, 1, found.measured, bad)
        return found
