"""`make gpu`: runs on this machine's GPUs what a validation runs on a node, and keeps the outputs as fixtures with their origin.

usage: python -m tests.gpu.run [--python PYTHON] [--output FOLDER]    PYTHON: an interpreter with PyTorch for these GPUs

Exit status 0: all of it ran; 1: something that ran could not be read, or gave wrong data; 3: there is no GPU here, or a part of
it could not run, which is said. What is healthy nobody knows of a machine without a contract: the suite expects what the driver
says, and its verdicts are kept, not judged.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from railbed import ended
from railbed.defaults import NCCL_TESTS_FOLDER
from railbed.errors import CommandError, Exit
from railbed.parse import nccl_tests
from railbed.run import Result, run
from railbed.validate import gpus, on_node

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests/validation/data/gpu"
LISTED = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits")
RECORDED = (
    LISTED, ("nvidia-smi", "-L"), ("nvidia-smi", "-q", "-x"), ("nvidia-smi", "nvlink", "--status"), ("nvidia-smi", "topo", "-m"),
    ("nvidia-smi", "--query-gpu=index,pcie.link.width.current,pcie.link.width.max", "--format=csv,noheader"),
)  # fmt: skip
"""What the on-node suite asks of the driver, and people after it."""
CLAIMS = ("node.gpus", "node.driver", "node.persistence", "node.clocks", "node.pcie", "node.aer", "node.xid")
MEASURED = "bf16,fp8,fp64,hbm,copies,p2p,digest"
COLLECTIVES = ("all_reduce", "all_gather", "reduce_scatter", "alltoall")
SIZES = ("-b", "1M", "-e", "1G", "-f", "4", "-n", "20", "-w", "5", "-a", "3", "-c", "1")
COLLECTIVE_S = 300.0
UUID = re.compile(r"GPU-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SERIAL = re.compile(r"(<serial>|<board_serial>)[^<]+")


@dataclass
class Outputs:
    """What was kept, and what could not be run or read."""

    folder: Path
    lacking: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def keep(self, name: str, text: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(anonymous(text))
        self.names.append(name)


def asked(argv: Sequence[str | Path], **how: Any) -> Result:
    """How a program ended; one that is not there as a shell has it."""
    try:
        return run(argv, check=False, **how)
    except CommandError as missing:
        return Result(tuple(map(str, argv)), ended.NOT_FOUND, "", missing.message)


def anonymous(text: str) -> str:
    """The text with other UUIDs and serial numbers: the same one stays the same."""
    known: dict[str, str] = {}
    text = UUID.sub(
        lambda one: known.setdefault(one[0], f"GPU-00000000-0000-4000-8000-{len(known):012d}"), text
    )
    return SERIAL.sub(lambda one: f"{one[1]}0", text)


def expectations(listed: str) -> dict[str, Any]:
    """What the suite expects of the machine, from `LISTED`. Raises ValueError for another form."""
    rows = [[word.strip() for word in line.split(",")] for line in listed.splitlines() if line.strip()]
    if not rows or any(len(row) != 3 or not row[1].isdigit() for row in rows):
        raise ValueError(f"nvidia-smi listed no GPUs: {listed.strip()[:200]!r}")
    return {
        "gpus": len(rows), "gpu_model": rows[0][0], "gpu_memory_mib": int(rows[0][1]), "driver": rows[0][2], "rails": [],
        "claims": list(CLAIMS),
    }  # fmt: skip


def suite(wanted: dict[str, Any], kept: Outputs) -> None:
    """The on-node suite, as its bundle runs on nodes."""
    script = on_node.script(on_node.NODE_CHECK_TIMEOUT_S)
    result = run(
        ["sh", "-c", script],
        stdin=on_node.bundle(wanted),
        timeout_s=on_node.NODE_CHECK_TIMEOUT_S + 10,
        check=False,
    )
    try:
        records = on_node.RECORDS.validate_json(result.stdout)
    except ValueError:
        kept.wrong.append(f"the on-node suite gave no result: {result.tail()}")
        return
    kept.keep("suite.json", json.dumps([one.model_dump(mode="json") for one in records], indent=1) + "\n")
    for one in records:
        print(f"{one.claim}: {one.verdict}: {one.reason}")
        if one.reason.startswith(on_node.CRASHED):
            kept.wrong.append(f"{one.claim}: {one.reason}")
    kept.wrong += [
        f"{claim} has no answer" for claim in CLAIMS if claim not in {one.claim for one in records}
    ]


def performance(python: str, count: int, kept: Outputs) -> None:
    """The probe of GPUs: rates, pairs, equal results."""
    argv = [python, "-", "--device", "cuda", "--gpus", str(count), "--measure", MEASURED]
    result = asked(argv, stdin=gpus.PROBE.encode(), timeout_s=gpus.GPU_PROBE_S["cuda"])
    if not result.ok or not result.stdout.strip():
        kept.lacking.append(f"GPU performance: {ended.why(result, 'the probe of GPUs', 'this machine')}")
        return
    kept.keep("gpu_probe.txt", result.stdout)
    errors = [one for line in result.stdout.splitlines() if (one := json.loads(line).get("error"))]
    if errors:
        kept.lacking.append(f"GPU performance: {errors[0]}")


def collectives(count: int, kept: Outputs) -> None:
    """nccl-tests over the GPUs of this machine, one process."""
    for op in COLLECTIVES:
        program = Path(NCCL_TESTS_FOLDER) / f"{op}_perf"
        if not program.exists():
            kept.lacking.append(f"collectives: {program} is not there (role nccl_tests builds it)")
            return
        result = asked([program, *SIZES, "-g", str(count)], timeout_s=COLLECTIVE_S)
        kept.keep(f"{op}.txt", result.stdout + result.stderr)
        kept.wrong += _wrong(op, result)


def _wrong(op: str, result: Result) -> list[str]:
    if not result.ok:
        return [ended.why(result, f"{op}_perf", "this machine")]
    read = nccl_tests.plain(result.stdout)
    rows = [row for table in read["tables"] for row in table["rows"]]
    return [] if rows and "FAILED" not in result.stdout else [f"{op}_perf gave wrong data or no table"]


def origin(wanted: dict[str, Any], kept: Outputs, of: str) -> str:
    """The page beside the outputs."""
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    left = "".join(f"- not there: {one}\n" for one in kept.lacking)
    return (
        f"# {wanted['gpus']} × {wanted['gpu_model']}\n\n"
        f"Kept by `make gpu` of commit {of} on {day}, driver {wanted['driver']}; UUIDs and serial numbers are others.\n"
        f"Files: {', '.join(f'`{one}`' for one in kept.names)}.\n\n{left}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", default="python3", help="interpreter with PyTorch for these GPUs")
    parser.add_argument("--output", type=Path, default=FIXTURES, help="folder of the fixtures")
    given = parser.parse_args(argv)
    listed = asked(LISTED)
    try:
        wanted = expectations(listed.stdout if listed.ok else "")
    except ValueError:
        print(
            f"no GPU here: {ended.why(listed, 'nvidia-smi', 'this machine') if not listed.ok else 'it lists none'}"
        )
        return Exit.UNPROVEN
    name = re.sub(r"[^a-z0-9]+", "-", f"{wanted['gpus']} {wanted['gpu_model']}".lower())
    kept = Outputs(given.output / name)
    for command in RECORDED:
        result = asked(command)
        kept.keep(re.sub(r"[^a-zA-Z0-9]", "_", " ".join(command[1:])) + ".out", result.stdout)
    suite(wanted, kept)
    performance(given.python, wanted["gpus"], kept)
    collectives(wanted["gpus"], kept)
    commit = asked(["git", "-C", ROOT, "rev-parse", "--short=8", "HEAD"]).stdout.strip() or "unknown"
    kept.keep("README.md", origin(wanted, kept, commit))
    for one in kept.wrong:
        print(f"wrong: {one}")
    for one in kept.lacking:
        print(f"not run: {one}")
    print(f"outputs in {kept.folder}")
    return Exit.FAIL if kept.wrong else Exit.UNPROVEN if kept.lacking else Exit.PASS


if __name__ == "__main__":
    sys.exit(main())
