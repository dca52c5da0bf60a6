"""Reads what HPL prints (xhpl, NVIDIA's hpl.sh) and the file of HPC Challenge (hpcc), which has HPL in it. Never raises.

Formats: HPL 2.0 and 2.3 (netlib.org/benchmark/hpl, testing/ptest/HPL_pdtest.c), HPL-NVIDIA 24.3 and 25.4, hpcc 1.5.0.
"""

from __future__ import annotations

import re
from typing import Any

from railbed.parse.lines import bare_lines, bounded
from railbed.parse.numbers import finite, integer, number

ROW = re.compile(
    r"^W[A-Z]\w{1,15} +(\d{1,12}) +(\d{1,9}) +(\d{1,9}) +(\d{1,9}) +(\S{1,24}) +(\S{1,24})(?: +\(.{0,40}\))?$"
)
"""T/V, N, NB, P, Q, seconds, Gflops; NVIDIA's adds those of one GPU."""
SCALED = re.compile(r"^\|\|Ax-b\|\|_oo ?/ ?\(eps ?\* ?\(.{1,80}= {0,20}(\S{1,40}) \.{2,12} (PASSED|FAILED)$")
PART = re.compile(r"^(\|\|Ax-b\|\|_oo|\|\|A\|\|_oo|\|\|x\|\|_oo|\|\|x\|\|_1) [ .]{2,80}= {0,20}(\S{1,40})$")
SUMMARY = re.compile(r"^([A-Za-z]\w{1,60})=(\S{0,60})$")
BEGIN, END = "Begin of Summary section.", "End of Summary section."
OF_SOLUTION = ("HPL_RnormI", "HPL_Xnorm1", "HPL_XnormI")
"""hpcc's norms of residual and solution."""
KNOWN = re.compile(
    r"^(?:[=\-#*]{8,}|HPLinpack|Written by|Modified by|An explanation|T/V |Finished|End of Tests|The following param|"
    r"\s*\d+ tests |-\s|\s+\|\|Ax-b|HPL_pdgesv\(\)|\|\|b\|\|_oo|Current time|Begin of|End of|HPL-NVIDIA|"
    r"(?:N|NB|P|Q|PMAP|PFACT|NBMIN|NDIV|RFACT|BCAST|DEPTH|SWAP|L1|U|EQUIL|ALIGN|Time|Gflops) +:)"
)
"""Lines that say nothing beside those that are read."""


def plain(text: str) -> dict[str, Any]:
    """``solved``: each system with its size, rate, residual and whether it passed; ``runs``: each summary of hpcc, name → number.

    ``solution`` of a system has the digits of its residual and solution as they were printed: equal computations print the same.
    """
    solved: list[dict[str, Any]] = []
    runs: list[dict[str, float | None]] = []
    unread: list[str] = []
    inside, hpcc = False, "HPC Challenge" in text or BEGIN in text
    for raw in bare_lines(text):
        line = raw.strip()
        if line == BEGIN:
            inside = True
            runs.append({})
        elif line == END:
            inside = False
            _solution_of(runs[-1] if runs else {}, solved)
        elif inside:
            if match := SUMMARY.match(line):
                _take(runs[-1], match[1], match[2])
            else:
                unread.append(line)
        elif row := _row(line):
            solved.append(row)
        elif match := SCALED.match(line):
            _residual(solved, match[1], match[2])
        elif match := PART.match(line):
            if solved:
                solved[-1]["solution"].append(match[2])
        elif not hpcc and not KNOWN.match(raw):
            unread.append(line)
    return {"solved": solved, "runs": runs, "unread": bounded(unread)}


def _row(line: str) -> dict[str, Any] | None:
    match = ROW.match(line)
    seconds, gflops = (number(match[5]), number(match[6])) if match else (None, None)
    if match is None or not finite(gflops) or not finite(seconds):
        return None
    return {
        "n": integer(match[1]),
        "nb": integer(match[2]),
        "p": integer(match[3]),
        "q": integer(match[4]),
        "seconds": seconds,
        "gflops": gflops,
        "residual": None,
        "passed": None,
        "solution": [],
    }


def _residual(solved: list[dict[str, Any]], digits: str, said: str) -> None:
    """Of the last system. A residual that is no number is none that passed, whatever is printed behind it."""
    if not solved or solved[-1]["passed"] is not None:
        return
    value = number(digits)
    sound = value is not None and finite(value)
    solved[-1].update(residual=value if sound else None, passed=said == "PASSED" and sound)
    solved[-1]["solution"].append(digits)


def _take(summary: dict[str, float | None], name: str, digits: str) -> None:
    value = number(digits)
    summary[name] = value if value is not None and finite(value) else None


def _solution_of(summary: dict[str, float | None], solved: list[dict[str, Any]]) -> None:
    """hpcc prints these norms in its summary alone, six digits each."""
    if solved and all(summary.get(name) is not None for name in OF_SOLUTION):
        solved[-1]["solution"] += [f"{summary[name]:g}" for name in OF_SOLUTION]
