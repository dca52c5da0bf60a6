"""The stage that reads error counters of NVLinks around what loads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from railbed.claims import Claim, Judged, Verdict
from railbed.contract import Contract
from railbed.run import Result
from railbed.validate import nvlink_errors
from railbed.validate.answers import Answers, judged
from railbed.validate.scope import select
from railbed.validate.validation_run import ValidationRun

ROLES = ["compute", "spare"]


class Links:
    """Nodes with two GPUs; ``replays``: node → rise of one link's counter at the second reading."""

    def __init__(self, contract: Contract, fake_remote: Any, folder: Path) -> None:
        self.contract, self.fake_remote, self.folder = contract, fake_remote, folder
        self.replays: dict[str, int] = {}
        self.code: dict[str, int] = {}
        self.asked: dict[str, int] = {}

    def _answer(self, node: str, line: str) -> Result:
        assert line == "nvidia-smi nvlink --errorcounters"
        self.asked[node] = self.asked.get(node, 0) + 1
        if self.code.get(node):
            return Result((), self.code[node], "", "nvidia-smi: command not found\n")
        rise = self.replays.get(node, 0) if self.asked[node] > 1 else 0
        said = ""
        for gpu in range(2):
            said += f"GPU {gpu}: NVIDIA H100 (UUID: GPU-{gpu})\n"
            said += "".join(
                f"\t Link {at}: Replay Errors: {rise * (gpu == 1 and at == 3)}\n" for at in range(18)
            )
        return Result((), 0, said, "")

    def run(self, *, load: bool = True) -> dict[str, Judged]:
        claims = [
            Claim(id=name, statement="", roles=ROLES) for name in (nvlink_errors.CLAIM, "gpu.all_reduce")
        ]
        nodes = [n.model_copy(update={"gpus": 2}) if n.rails else n for n in self.contract.nodes]
        machines = [one.model_copy(update={"nvlink_links": 18}) for one in self.contract.machines]
        made = self.contract.model_copy(
            update={"claims": claims, "nodes": nodes, "machines": machines, "scheduler": "none"}
        )
        scope = select(made)
        validation = ValidationRun(
            made, self.fake_remote(self._answer), scope, Answers(scope), self.folder, lambda _: None
        )
        nvlink_errors.NVLINKS.begin(validation)
        for question in validation.scope.get("gpu.all_reduce") if load else ():
            validation.answers.add(judged(question, Verdict.PASS, "", measured=479.0))
        nvlink_errors.NVLINKS.run(validation)
        return {one.node: one for one in validation.answers.complete() if one.claim == nvlink_errors.CLAIM}


@pytest.fixture
def links(contract: Contract, fake_remote: Any, tmp_path: Path) -> Links:
    return Links(contract, fake_remote, tmp_path)


def test_links_that_count_nothing_pass(links: Links) -> None:
    found = links.run()
    assert found and {one.verdict for one in found.values()} == {Verdict.PASS}
    assert set(links.asked.values()) == {2}
    assert (links.folder / next(iter(found.values())).evidence).read_text().count("counters") == 2 * len(
        found
    )


@pytest.mark.refutes("gpu.nvlink_errors")
def test_a_replay_under_load_fails_and_names_the_gpu(links: Links) -> None:
    links.replays["h100-1"] = 1
    found = links.run()
    assert [name for name, one in found.items() if one.verdict is Verdict.FAIL] == ["h100-1"]
    assert found["h100-1"].detail["parts"] == ["gpu 1"] and "link 3 replay +1" in found["h100-1"].reason


def test_links_that_nothing_loaded_prove_nothing(links: Links) -> None:
    found = links.run(load=False)
    assert {one.verdict for one in found.values()} == {Verdict.UNPROVEN}
    assert "nothing loaded" in found["h100-0"].reason


def test_a_node_without_nvidia_smi_is_its_own(links: Links) -> None:
    links.code["h100-2"] = 127
    found = links.run()
    assert found["h100-2"].verdict is Verdict.UNPROVEN and found["h100-0"].verdict is Verdict.PASS
