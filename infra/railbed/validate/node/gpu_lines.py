"""What `gpu_probe.py` prints: lines of JSON, each with the node's name and short enough for srun.

A head; of every GPU its rates and digests, its copies to the others where they were measured, and what nvidia-smi said of its
clock, power and temperature meanwhile.
"""

from __future__ import annotations

import json
from typing import Any

PAIRS = ("peers", "changed")
"""What a GPU did with the others of its node: a line of its own."""
LINE_BYTES = 1000
"""Each line is shorter. slurmstepd sends one of 1024 bytes or more in pieces (Slurm, src/common/io_hdr.h, SLURM_IO_MAX_MSG_LEN),
and srun mixes the pieces of all nodes."""
ERROR_CHARACTERS = (300, 120, 60, 20)
"""An error is cut to the first of these with which its line is short enough."""
NAME_CHARACTERS = 64


def lines(said: dict[str, Any]) -> list[str]:
    """The answer as lines of JSON, each in the node's name and shorter than LINE_BYTES."""
    node, gpus, traces = said["node"], said["gpus"], said["trace"]
    head = {"error": said["error"], "torch": name(said["torch"]), "cuda": name(said["cuda"])}
    pairs = [{"index": one["index"], **{key: one[key] for key in PAIRS}} for one in gpus if one.get("peers")]
    counts = {"gpus": len(gpus), "traces": len(traces), "peers": len(pairs)}
    return [
        line({"node": node, "kind": "head", **head, **counts}),
        *(line({"node": node, "kind": "gpu", **alone(one), "model": name(one["model"])}) for one in gpus),
        *(line({"node": node, "kind": "peers", **one}) for one in pairs),
        *(line({"node": node, "kind": "trace", "index": at, **one}) for at, one in sorted(traces.items())),
    ]


def alone(said: dict[str, Any]) -> dict[str, Any]:
    """What one GPU did by itself."""
    return {key: value for key, value in said.items() if key not in PAIRS}


def line(said: dict[str, Any]) -> str:
    """``said`` with errors cut so far that it fits."""
    text = ""
    for most in ERROR_CHARACTERS:
        short = dict(said)
        if "error" in said:
            short["error"] = ascii_only(said["error"], most)
        if "errors" in said:
            short["errors"] = {what: ascii_only(why, most) for what, why in said["errors"].items()}
        text = json.dumps(short)
        if len(text) < LINE_BYTES:
            break
    return text


def name(text: str) -> str:
    return ascii_only(text, NAME_CHARACTERS)


def ascii_only(text: str, most: int) -> str:
    """JSON has six bytes for any other character."""
    return "".join(one if one.isascii() and one.isprintable() else "?" for one in text[:most])
