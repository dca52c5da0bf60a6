"""Slurm's controller as a file of JSON ($FAKE_SLURM): what the health check asks of it, and tells it."""

import json
import os
import sys
import time
from pathlib import Path

STATE = Path(os.environ["FAKE_SLURM"])


def line(name, node):
    reason = f" Reason={node['reason']} [root@{node['at']}]" if node.get("reason") else ""
    comment = f" Comment={node['comment']}" if node.get("comment") else ""
    return (
        f"NodeName={name} Arch=x86_64 CoresPerSocket=1 AvailableFeatures={node['pool']} Gres=gpu:8 "
        f"State={node['state']} ThreadsPerCore=1 Partitions=batch  BootTime=1 ExtSensorsTemp=n/s{reason}{comment}"
    )


def main(words):
    slurm = json.loads(STATE.read_text())
    if slurm.get("silent"):
        sys.stderr.write("slurm_load_node error: Unable to contact slurm controller (connect failure)\n")
        return 1
    if words[0] == "ping":
        sys.stdout.write("Slurmctld(primary) at ctl0 is UP\n")
    elif words[:2] == ["show", "job"]:
        if words[2] not in slurm.get("jobs", {}):
            sys.stderr.write("slurm_load_jobs error: Invalid job id specified\n")
            return 1
        sys.stdout.write(slurm["jobs"][words[2]] + "\n")
    elif words[0] == "show":
        names = [word for word in words[2:] if not word.startswith("-")] or sorted(slurm["nodes"])
        for name in names:
            sys.stdout.write(line(name, slurm["nodes"][name]) + "\n")
    else:
        fields = dict(word.split("=", 1) for word in words[1:])
        node = slurm["nodes"][fields["NodeName"]]
        if fields.get("State") == "DRAIN":
            node.update(state="IDLE+DRAIN", reason=fields["Reason"], at=int(time.time()))
        elif fields.get("State") == "RESUME":
            node.update(state="IDLE", reason="")
        if "Comment" in fields:
            node["comment"] = fields["Comment"]
        slurm.setdefault("orders", []).append(words[1:])
        STATE.write_text(json.dumps(slurm))
    return 0


sys.exit(main(sys.argv[1:]))
