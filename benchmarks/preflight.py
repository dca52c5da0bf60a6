"""Measures the look at every BMC (`railbed preflight`) of many enrolled machines, side by side, against the Redfish emulator.

usage: benchmarks/preflight.py [--machines 500] [--answer_s 0.1] [--processes 4]

Prints seconds from start to end, railbed's own processor seconds, requests a machine, and how many machines are as expected.
``answer_s`` is what each BMC takes for each request beside the emulator's own work: real ones take tenths of a second, and hold
the line that long. The emulator is sushy-tools in several processes on this machine, which take most of its time. Nothing is
asserted: other work on the machine decides.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import requests  # noqa: E402
import yaml  # noqa: E402
from tests.program.metal.emulator import PASSWORD, USER, emulated, machine, serial_of  # noqa: E402

from railbed import flow, spec  # noqa: E402
from railbed import plan as plans  # noqa: E402

EXAMPLE = ROOT / "examples/metal-hosts.yaml"


def planned(bmcs: list[str], authority: Path) -> plans.ClusterPlan:
    """The example's hosts, as many as there are BMCs, with an ISO installer."""
    document = yaml.safe_load(EXAMPLE.read_text())["config"]["railbed:cluster"]
    machines = [
        {"name": f"blue-{at}", "bmc": bmc, "serial": serial_of(at), "address": f"10.80.{at // 200}.{at % 200 + 1}",
         "mac": f"02:00:5e:10:{at // 256:02x}:{at % 256:02x}"} for at, bmc in enumerate(bmcs)
    ]  # fmt: skip
    document["platform"] |= {"machines": machines, "ca_file": str(authority), "firmware": {"bios": "2.1.8"}}
    document["pools"] = [{"name": "blue", "machine": "metal/hgx-h100-ib", "nodes": len(bmcs)}]
    document["acknowledge"] = [f"the system disks of {len(bmcs)} machines are overwritten"]
    return plans.plan(spec.from_config(document, "benchmark"))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--machines", type=int, default=500)
    parser.add_argument("--answer_s", type=float, default=0.1)
    parser.add_argument("--processes", type=int, default=4)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="railbed-preflight-") as folder, ExitStack() as running:
        root = Path(folder)
        shares = [range(given.machines)[at :: given.processes] for at in range(given.processes)]

        def start(at: int) -> Any:
            listed = [
                machine(index, slow_s=given.answer_s, versions={"BiosVersion": "2.1.8"})
                for index in shares[at]
            ]
            return running.enter_context(emulated(root / f"bmc-{at}", listed))

        emulators = [start(at) for at in range(given.processes)]
        # Each process has a certificate of its own; with them stand the usual authorities, as in a system's own file.
        authority = root / "authorities.pem"
        own = [one.certificate.read_text() for one in emulators]
        authority.write_text("".join([*own, Path(requests.utils.DEFAULT_CA_BUNDLE_PATH).read_text()]))
        (root / ".railbed").mkdir()
        logins = root / ".railbed/bmc.yaml"
        logins.write_text(f'user: "{USER}"\npassword: "{PASSWORD}"\n')
        logins.chmod(0o600)
        plan = planned(
            [emulators[at % given.processes].system_url(at) for at in range(given.machines)], authority
        )
        began, used = time.monotonic(), time.process_time()
        findings = flow.preflight(plan, lambda: root)
        took, cpu = time.monotonic() - began, time.process_time() - used
        asked = sum(log.count("HTTP/1.") for log in ((one.folder / "log").read_text() for one in emulators))
    good = [one for one in findings if one.ok]
    print(json.dumps({
        "machines": given.machines, "answer_s": given.answer_s, "preflight_s": round(took, 1), "railbed_cpu_s": round(cpu, 1),
        "requests_a_machine": round(asked / given.machines, 1), "as_expected": len(good), "load": round(os.getloadavg()[0], 1),
    }))  # fmt: skip
    for one in findings:
        if not one.ok:
            print(f"{one.name}: {one.found}", file=sys.stderr)
            break
    return 0 if len(good) == len(findings) else 1


if __name__ == "__main__":
    sys.exit(main())
