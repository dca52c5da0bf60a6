"""nccl-tests logs and judgements as the JSON documents of `railbed bandwidth parse` and `judge`."""

from __future__ import annotations

from typing import Any

from railbed.judge.nccl_log import Judgement
from railbed.judge.recognize import named
from railbed.laws import ranks
from railbed.parse.nccl_tests import Log, Table, plain_rows


def describe(log: Log) -> dict[str, Any]:
    """The first table of a log; where there are several, ``tables`` holds all of them in the same form."""
    documents = [_describe(table) for table in log.tables]
    if not documents:
        return {**_describe(Table()), "problems": ["NO_ROWS"]}
    return {**documents[0], "tables": documents} if len(documents) > 1 else documents[0]


def _describe(table: Table) -> dict[str, Any]:
    collective = named(table)
    found = ranks.of_table(table, collective.name)
    problems = ranks.problems(table, found, None)
    halves = [m for row in table.rows for m in row.measurements()]
    seen = {
        "COLLECTIVE_UNKNOWN": collective.name is None,
        "NO_ROWS": not halves,
        "NOT_A_NUMBER": any(m.broken for m in halves),
        "WRONG_DATA": any(m.wrong for m in halves) or bool(table.out_of_bounds),
        "TRUNCATED": table.lacks_rows,
    }
    return {
        "collective": collective.name,
        "collective_reason": collective.reason or None,
        "labelled_ranks": table.labelled_ranks,
        "inferred_ranks": found.nearest,
        "inferred_ranks_range": [found.low, found.high],
        "problems": problems + [name for name, holds in seen.items() if holds],
        "rows": plain_rows(table),
        "average_busbw_gbytes_per_s": table.average_busbw_gbytes_per_s,
    }


def plain(judgement: Judgement) -> dict[str, Any]:
    """A judgement as JSON data."""
    shown = ("claim", "verdict", "measured", "unit", "expected", "floor", "reason")
    return {
        "verdict": judgement.verdict.value,
        "claims": [
            {k: v for k, v in c.model_dump(mode="json").items() if k in shown} for c in judgement.claims
        ],
        "rails_proven": judgement.rails_proven,
        "causes": judgement.causes,
        "problems": judgement.problems,
    }
