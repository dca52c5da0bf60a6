"""Writes docs/reference/claims.md from the table of claims.

usage: .venv/bin/python tools/claims_reference.py [--check]     --check: only say whether the page is current
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from railbed.claims import table
from railbed.claims.definition import Definition

PAGE = Path(__file__).resolve().parents[1] / "docs/reference/claims.md"
HEAD = """\
# Claims

<!-- Written by tools/claims_reference.py from infra/railbed/claims/: change those, then run it. -->

One row for each claim; where an id has a rail N, a collective C or K nodes, for the whole series. `railbed claims list
--spec FILE` prints those of a spec, with what measures each or why it is out of scope. What verdicts mean:
[verdicts](verdicts.md).

Levels: **fast** is asked by the health check of a node in service, **quick** by `railbed validate --quick`, **full** by
`railbed validate`. A longer run asks the shorter ones' claims too. **Essential** claims stay in scope where this release has no
measurement for them: unproven, so that no certificate says less than it seems. Others are then out of scope, with that reason.
**If not**: the [runbook](../runbooks/README.md) that says what to do.

Of a filesystem beside the first one, a claim has the filesystem's name behind it: `storage.write@data`.
"""


def _subject(one: Definition) -> str:
    if not one.roles:
        return str(one.subject)
    return "host" if "controller" in one.roles else "node"


def _measured(one: Definition) -> str:
    if not one.by.step:
        return f"nothing yet: {one.by.tool}"
    others: dict[str, list[str]] = {}
    for transport, tool in one.by.instead.items():
        others.setdefault(tool, []).append(transport)
    elsewhere = "".join(f"; on {', '.join(names)} {tool}" for tool, names in others.items())
    return f"{one.by.tool}{elsewhere}"


STANDS_FOR = {"rail": "N", "name": "C", "nodes": "K"}
"""Placeholder → what the page writes for it."""


def _shown(text: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: STANDS_FOR[found[1]], text)


def rows() -> Iterator[str]:
    """The table, line by line."""
    yield "| claim | it holds when | of | level | measured by | accuses | if not |"
    yield "|---|---|---|---|---|---|---|"
    for one in table.every():
        essential = ", essential" if one.essential else ""
        cells = (
            f"`{one.id}`",
            one.holds,
            _subject(one),
            f"{one.level}{essential}",
            _measured(one),
            one.accuses,
        )
        link = f"[{one.runbook}](../runbooks/{one.runbook}.md)"
        yield f"| {' | '.join([*map(_shown, cells), link])} |"


def hidden() -> Iterator[str]:
    """What a platform cannot show, line by line."""
    yield "\n## What the lab cannot show\n"
    yield "| claim | why |"
    yield "|---|---|"
    for one in table.every():
        for kind in ("lab", "container"):
            if kind in one.hidden:
                yield f"| `{one.id}` | {one.hidden[kind]} |"


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *rows(), *hidden()]) + "\n"


if __name__ == "__main__":
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page())
    elif not PAGE.exists() or PAGE.read_text() != page():
        sys.exit(f"{PAGE} is not current: run tools/claims_reference.py")
