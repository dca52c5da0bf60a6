"""Writes docs/reference/platforms.md from the platforms' own support tables.

usage: .venv/bin/python tools/support_table.py [--check]     --check: only say whether the page is current
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from railbed.platforms import LOCAL
from railbed.platforms.cloud.support import FEATURES, Lacks, Support
from railbed.spec.platforms import KINDS
from railbed.spec.reading import CATALOGUE_ONLY

PAGE = Path(__file__).resolve().parents[1] / "docs/reference/platforms.md"
HEAD = """\
# What each platform can be asked for

<!-- Written by tools/support_table.py from infra/railbed/platforms/<kind>/support.py: change those, then run it. -->

What a platform lacks is refused when a spec asks for it (`UNSUPPORTED`), with the way round below: nothing is dropped
silently. None of these platforms was ever applied to a real account or site: their programs ran against the providers' own
API models, emulators and stand-ins. The [lab](lab.md) is not in the table: it stands in for all of them.

**Controllers.** With `scheduler: slurm` there is one, `ctl0`. From 64 nodes on, spares included, there are two: `ctl1` takes
over when `ctl0` falls silent (Slurm's own backup controller). What they share, the state of queue and jobs, is kept on the
first filesystem of the spec (`.slurm-CLUSTER` on it). Without a filesystem there is one controller, and the plan warns
(`ONE_CONTROLLER`). A cluster that grows past 64 gets the second beside the first, and one that shrinks below gives it back;
the state goes along. Logins still enter by `ctl0` where a provider forwards them, and accounting stays on it. On bare metal
each is a machine of the spec. A lab keeps one. Prices of controllers are in no sum: the plan names them.
"""
YES, NO = "yes", "–"
REFUSED = """\
The catalogue also knows machines of these vendors. A spec that names one as its platform is refused; build on a platform
above, or name the machines under platform `metal` without `installer`, with their host keys:
"""


def tables() -> dict[str, Support]:
    """Support table of every built platform that has one, by kind, in the order of their names."""
    found = {kind: _module(kind).SUPPORT for kind in KINDS if kind != LOCAL}
    for kind, table in found.items():
        if set(table) != set(FEATURES):
            raise ValueError(
                f"{kind}: its support table does not answer {sorted(set(table) ^ set(FEATURES))}"
            )
    return dict(sorted(found.items(), key=lambda item: name(item[0]).lower()))


def name(kind: str) -> str:
    """As people call the platform."""
    found: str = _module(kind).NAME
    return found


def _module(kind: str) -> Any:
    return importlib.import_module(f"railbed.platforms.{kind}.support")


def overview(found: dict[str, Support]) -> list[str]:
    """Feature × platform."""
    lines = [
        "| | " + " | ".join(f"[{name(kind)}](#{anchor(kind)})" for kind in found) + " |",
        "|---|" + "---|" * len(found),
    ]
    for feature, meaning in FEATURES.items():
        answers = [NO if isinstance(table[feature], Lacks) else YES for table in found.values()]
        lines.append(f"| {meaning} | " + " | ".join(answers) + " |")
    return lines


def anchor(kind: str) -> str:
    """Of the platform's heading."""
    return name(kind).lower().replace(" ", "-")


def section(kind: str, table: Support) -> list[str]:
    """How a platform does what it does, and what it lacks, with reason and way round."""
    guide = PAGE.parents[1] / f"platforms/{kind}.md"
    lines = [f"## {name(kind)}", ""]
    if guide.is_file():
        lines += [f"How to build on it: [{name(kind)}](../platforms/{kind}.md).", ""]
    done = {feature: answer for feature, answer in table.items() if not isinstance(answer, Lacks)}
    lacks = {feature: answer for feature, answer in table.items() if isinstance(answer, Lacks)}
    if done:
        lines += ["| | how |", "|---|---|"]
        lines += [f"| {FEATURES[feature]} | {_cell(answer)} |" for feature, answer in done.items()]
        lines.append("")
    if lacks:
        lines += ["| lacks | why | way round |", "|---|---|---|"]
        lines += [
            f"| {FEATURES[feature]} | {_cell(lack.reason)} | {_cell(lack.way_round)} |"
            for feature, lack in lacks.items()
        ]
        lines.append("")
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def page() -> str:
    """The whole page."""
    found = tables()
    refused = [f"{kind}: {reason}." for kind, reason in sorted(CATALOGUE_ONLY.items())]
    lines = [HEAD, *overview(found), "", REFUSED, *(f"- {one}" for one in refused), ""]
    for kind, table in found.items():
        lines += section(kind, table)
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Exit status 0: the page is, or now is, current; 1: ``--check`` found that it is not."""
    text = page()
    if "--check" in sys.argv[1:]:
        return int(not PAGE.is_file() or PAGE.read_text() != text)
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
