"""docs/qualification.md: one section for each part, which a run of the part replaces. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

WIDEST = 128
"""Characters of a line of the docs."""


@dataclass(frozen=True)
class Row:
    """One fault or one run, and how it went."""

    name: str
    found: str
    seconds: float
    problems: Sequence[str] = ()

    @property
    def passed(self) -> bool:
        return not self.problems


@dataclass(frozen=True)
class Section:
    """What one run of a part gave; ``machine`` and ``commit`` say where and of what."""

    part: str
    about: str
    commit: str
    date: str
    machine: str
    rows: Sequence[Row]
    planned: int
    """Rows of a whole run; fewer where it was ended, or had no time left."""

    def text(self) -> str:
        passed, missing = sum(row.passed for row in self.rows), self.planned - len(self.rows)
        rest = f", {missing} not run" if missing else ""
        lines = [
            f"## {self.part}", "",
            f"{self.about} Commit {self.commit}, {self.date}, {self.machine}: **{passed} of {len(self.rows)} hold**{rest}.", "",
            "| what | found | s | |", "|---|---|---|---|",
            *(f"| {row.name} | {row.found} | {row.seconds:.0f} | {'holds' if row.passed else 'FAILS'} |" for row in self.rows),
        ]  # fmt: skip
        broken = [(row.name, problem) for row in self.rows for problem in row.problems]
        if broken:
            lines += ["", "What failed:", "", *(f"- {name}: {problem}" for name, problem in broken)]
        return "\n".join(line if line.startswith("|") else _wrapped(line) for line in lines)


def _wrapped(line: str) -> str:
    """Lines no longer than the docs'; what goes on is indented under a list's point."""
    indent, kept, current = ("  " if line.startswith("- ") else ""), [], ""
    for word in line.split(" "):
        if current and len(current) + 1 + len(word) > WIDEST:
            kept.append(current)
            current = indent + word
        else:
            current = f"{current} {word}" if current else word
    return "\n".join([*kept, current])


def replaced(page: str, section: Section) -> str:
    """The page with this part's section in its place, or at its end."""
    parts = re.split(r"(?m)^(?=## )", page)
    title, new = f"## {section.part}\n", section.text() + "\n"
    for at, one in enumerate(parts):
        if one.startswith(title):
            parts[at] = new if at == len(parts) - 1 else new + "\n"
            return "".join(parts)
    return page.rstrip("\n") + "\n\n" + new
