"""Which collective a table of nccl-tests is of, where the log does not say (versions before 2.17 do not name themselves).

Each program has its own mixture of columns (NVIDIA/nccl-tests src/*.cu: ``…GetCollByteCount``, ``…GetBw``, ``…RunTest``):

=================================== ======== ==== =============== =================
collective                          redop    root busbw / algbw   count × element
=================================== ======== ==== =============== =================
all_reduce                          yes      no   2(n-1)/n        size
reduce_scatter                      yes      no   (n-1)/n         size / n
sendrecv                            yes      no   1               size
reduce                              yes      yes  1               size
broadcast                           no       yes  1               size
gather, scatter                     no       yes  (n-1)/n         size / n
all_gather, alltoall(v), hypercube  no       no   (n-1)/n or 1    size / n
=================================== ======== ==== =============== =================

What two of them may have printed is not inferred. Labels of ranks are not used: published ones are sometimes wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from railbed.laws import ranks
from railbed.parse.nccl_tests import Log, Row, Table

ELEMENT_BYTES = {
    "int8": 1, "uint8": 1, "char": 1, "fp8_e4m3": 1, "fp8_e5m2": 1, "f8e4m3": 1, "f8e5m2": 1, "half": 2, "float16": 2,
    "bfloat16": 2, "int32": 4, "uint32": 4, "int": 4, "float": 4, "int64": 8, "uint64": 8, "double": 8,
}  # fmt: skip
"""Bytes of the types that nccl-tests name (src/common.cu, ``test_typenames``, and the names of older versions)."""
NO_OPERATION = ("", "none")
CLEARLY_DATA = 0.25
"""busbw / algbw of one rank is 0 in some programs; of two or more it is a third or more in all."""


@dataclass(frozen=True)
class Named:
    """The collective of a table; None where nobody can say."""

    name: str | None
    reason: str = ""
    """Why, where the log itself does not name it."""


@dataclass(frozen=True)
class _Columns:
    """What the rows of a table have in common."""

    reduces: bool
    rooted: bool
    low: float
    high: float
    """busbw / algbw lies between these in every row, print rounding included."""
    shares: int
    """How many counts make one size: 1, or the number of ranks."""

    def allows(self, factor: float) -> bool:
        return self.low * (1 - ranks.ROUNDING) <= factor <= self.high * (1 + ranks.ROUNDING)


def named(table: Table) -> Named:
    """The collective that the log names, else the only one that can have printed the rows."""
    if table.collective is not None:
        return Named(table.collective)
    columns = _columns(table)
    if columns is None:
        return Named(
            None,
            "the log names none, and its rows lack a size, type, count or factor, or contradict each other",
        )
    name = _reducing(columns) if columns.reduces else _moving(columns)
    reason = (
        f"the log names none; its rows have {'a' if columns.reduces else 'no'} reduction, "
        f"{'a' if columns.rooted else 'no'} root, busbw/algbw of {columns.low:.4g} to {columns.high:.4g}, "
        f"and counts of {'the whole size' if columns.shares == 1 else f'1/{columns.shares} of the size'}: "
    )
    return Named(
        name, reason + (f"only {name} prints that" if name else "more than one collective may print that")
    )


def with_names(log: Log) -> Log:
    """The log with the collective of each table filled in, where it can be inferred."""
    return replace(log, tables=[replace(table, collective=named(table).name) for table in log.tables])


def _reducing(columns: _Columns) -> str | None:
    if columns.rooted:
        return "reduce" if columns.shares == 1 and columns.allows(1.0) else None
    if columns.shares > 1:
        return "reduce_scatter" if columns.allows(1 - 1 / columns.shares) else None
    return "all_reduce" if columns.low > 1 + ranks.ROUNDING and columns.low < 2 else None


def _moving(columns: _Columns) -> str | None:
    return "broadcast" if columns.rooted and columns.shares == 1 and columns.allows(1.0) else None


def _columns(table: Table) -> _Columns | None:
    """None where rows are of different kinds, or too coarse to tell anything."""
    rows = [row for row in table.rows if row.count and row.size_bytes and row.measurements()]
    reduces = {row.redop not in NO_OPERATION for row in rows}
    rooted = {row.root is not None and row.root >= 0 for row in rows}
    shares = {_shares(row) for row in rows}
    known = [f for row in rows for m in row.measurements() if (f := ranks.factor_range(m)) is not None]
    if not (len(reduces) == len(rooted) == len(shares) == 1) or not known:
        return None
    low, high = max(f[0] for f in known), min(f[1] for f in known)
    (share,) = shares
    if share is None or low > high or low < CLEARLY_DATA:
        return None
    return _Columns(reduces.pop(), rooted.pop(), low, high, share)


def _shares(row: Row) -> int | None:
    element = ELEMENT_BYTES.get(row.type)
    part = None if element is None or not row.count else element * row.count
    return row.size_bytes // part if part and row.size_bytes % part == 0 else None
