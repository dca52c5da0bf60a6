"""What `gpu_probe.py` prints on the nodes of a replayed cluster: built in the form of the program, with rates of `healthy.yaml`.

A rule is ``{node, gpu, slow: {way: share}, digests, errors, peers, changed}``, one GPU of a node, or ``{node, out}``, what the
node prints instead. ``{code, err}`` beside it is how srun ends.
"""

from __future__ import annotations

import hashlib
from typing import Any

from tests.support.replay.facts import GPUS, HEALTHY

from railbed.validate.node import gpu_lines

MODEL = "NVIDIA H100 80GB HBM3"
RESULT = hashlib.sha256(b"what healthy GPUs compute").hexdigest()
REPEATS = 4
NOISE = 0.01
"""GPUs of one model differ so much, each by an amount of its own."""
COLD = {"lowest_mhz": 1395.0, "highest_mhz": 1980.0, "power_w": 699.1, "celsius": 61.0, "reasons": 4}


def step(cluster: str, rules: list[dict[str, Any]], words: list[str]) -> tuple[int, str, str]:
    """Exit status, standard output and error of srun."""
    nodes = next(word for word in words if word.startswith("--nodelist=")).partition("=")[2].split(",")
    asked = words[words.index("--measure") + 1].split(",")
    assert words[words.index("--device") + 1] == "cuda" and f"--gpus-per-node={GPUS}" in words
    printed = []
    for node in nodes:
        mine = [rule for rule in rules if rule.get("node") in (node, "all")]
        other = next((rule["out"] for rule in mine if "out" in rule), None)
        printed.append(_part(cluster, node, mine, asked) if other is None else f"{other}\n")
    ending = next((rule for rule in rules if rule.get("code")), {})
    return ending.get("code", 0), "".join(printed), ending.get("err", "")


def _part(cluster: str, node: str, rules: list[dict[str, Any]], asked: list[str]) -> str:
    gpus = [
        _gpu(cluster, node, index, [r for r in rules if r.get("gpu") in (index, "all")], asked)
        for index in range(GPUS)
    ]
    said = {
        "node": node, "torch": "2.10.0+cu128", "cuda": "12.8", "gpus": gpus, "error": "",
        "trace": dict.fromkeys(range(GPUS), COLD),
    }  # fmt: skip
    return "".join(f"{line}\n" for line in gpu_lines.lines(said))


def _gpu(
    cluster: str, node: str, index: int, rules: list[dict[str, Any]], asked: list[str]
) -> dict[str, Any]:
    slow = {way: share for rule in rules for way, share in rule.get("slow", {}).items()}
    errors = {what: why for rule in rules for what, why in rule.get("errors", {}).items()}
    results = next((rule["digests"] for rule in rules if "digests" in rule), [RESULT] * REPEATS)
    several = {"copies": ("h2d", "d2h"), "digest": (), "p2p": ()}
    measured = [way for what in asked for way in several.get(what, (what,))]
    rates = {
        rate: HEALTHY[cluster]["gpu_rates"][rate] * slow.get(rate, 1.0) * (1 + _noise(node, index, rate))
        for rate in measured if rate not in errors and not ("copies" in errors and rate in ("h2d", "d2h"))
    }  # fmt: skip
    done = "digest" in asked and "digest" not in errors
    return {
        "index": index, "model": HEALTHY[cluster].get("gpu", {}).get("model", MODEL),
        "rates": rates, "digests": results if done else [], "errors": errors,
        **_pairs(cluster, node, index, rules, "p2p" in asked and "p2p" not in errors),
    }  # fmt: skip


def _pairs(cluster: str, node: str, index: int, rules: list[dict[str, Any]], done: bool) -> dict[str, Any]:
    """Copies to the others of the node; ``peers`` of a rule: GPU, or ``all`` → share of the healthy rate."""
    if not done:
        return {"peers": [], "changed": []}
    share = {other: part for rule in rules for other, part in rule.get("peers", {}).items()}
    found = [
        None if other == index
        else HEALTHY[cluster]["gpu_rates"]["p2p"] * share.get(other, share.get("all", 1.0))
        * (1 + _noise(node, index * GPUS + other, "p2p"))
        for other in range(GPUS)
    ]  # fmt: skip
    return {"peers": found, "changed": [other for rule in rules for other in rule.get("changed", [])]}


def _noise(node: str, index: int, way: str) -> float:
    """The same in every run."""
    first = hashlib.sha256(f"{node} {index} {way}".encode()).digest()[0]
    return NOISE * (first / 127.5 - 1)
