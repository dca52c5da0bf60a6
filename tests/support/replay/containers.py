"""Containers under Slurm on a replayed cluster: what `sha256sum` of the image and `srun --container-image` print.

The line of JSON is `container_probe.sh`'s own. srun's lines about exit statuses have the form of Slurm 22.05, in the lab;
pyxis' words are those of its source (github.com/NVIDIA/pyxis, pyxis_slurmstepd.c).
"""

from __future__ import annotations

import json
from typing import Any

from tests.support.replay.jobs import RANKS, Said

from railbed.fabric.slurm import hostlist
from railbed.validate.containers import STATUS, UID

IMAGE = {"path": "/scratch/images/pytorch-25.10.sqsh", "sha256": "5e" * 32}
NOT_STARTED = (
    "slurmstepd: error: pyxis: container start failed with error code: 1\n"
    "slurmstepd: error: pyxis: printing enroot log file:\n"
    "slurmstepd: error: pyxis:     enroot-nsenter: failed to create user namespace: Operation not permitted\n"
    "slurmstepd: error: pyxis: couldn't start container\n"
)


def answer(table: dict[str, Any], words: list[str]) -> Said:
    """``container`` of a table: node → keys of the line that differ, ``code`` of its task, ``silent``, ``not_started``; ``image``
    of a table: ``other`` or ``unreadable``."""
    assert words[:2] == ["env", "-i"] and f"--reuid={UID}" in words, words
    if "sha256sum" in words:
        path = words[-1]
        if table.get("image") == "unreadable":
            return 1, "", f"sha256sum: {path}: Permission denied\n"
        return 0, f"{'0' * 64 if table.get('image') == 'other' else IMAGE['sha256']}  {path}\n", ""
    assert {f"--container-image={IMAGE['path']}", f"--gpus-per-node={RANKS}", "--ntasks-per-node=1"} <= set(
        words
    ), words
    assert words[-3:] == ["sh", "-s", str(STATUS)], words
    nodes = next(word for word in words if word.startswith("--nodelist=")).partition("=")[2].split(",")
    rules, out, codes, err = table.get("container", {}), "", dict[int, list[str]](), ""
    for name in nodes:
        rule = rules.get(name, {})
        code = 1 if rule.get("not_started") else rule.get("code", STATUS)
        if not rule.get("silent"):
            codes.setdefault(code, []).append(name)
        if rule.get("not_started"):
            err += NOT_STARTED
        elif not rule.get("silent"):
            line = {"node": name, "gpus": RANKS, "outside": UID, "torch": "2.9.0", "torch_gpus": RANKS}
            out += json.dumps(line | {key: rule[key] for key in line.keys() & rule.keys()}) + "\n"
    for code, names in sorted(codes.items()):
        if code:
            tasks = ",".join(str(nodes.index(name)) for name in names)
            one = "task" if len(names) == 1 else "tasks"
            err += f"srun: error: {hostlist(names)}: {one} {tasks}: Exited with exit code {code}\n"
    return max(codes, default=0), out, err
