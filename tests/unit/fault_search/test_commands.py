"""`railbed blame …` as users and programs call it: the round trip, keys, exit statuses, and what is no record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from railbed.cli.main import assemble, main

APP = assemble(["blame"])


class Ran:
    """What a command printed and how it ended."""

    def __init__(self, out: str, err: str, status: int) -> None:
        self.out, self.err, self.status = out, err, status

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def railbed(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(*words: str) -> Ran:
        monkeypatch.setattr("sys.argv", ["railbed", "blame", *words])
        monkeypatch.setattr("railbed.cli.main.assemble", lambda _: APP)
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Ran(out, err, int(left.value.code or 0))

    return run


def fill(file: Path, bad: str) -> None:
    """Fills in the last round as a cluster with one dead node would."""
    record = json.loads(file.read_text())
    for test in record["rounds"][-1]["tests"]:
        test["verdict"] = "fail" if bad in test["nodes"] else "pass"
    file.write_text(json.dumps(record))


def test_a_search_from_the_first_round_to_the_culprit(railbed: Any, tmp_path: Path) -> None:
    file = tmp_path / "search.json"
    ran = railbed("plan", "--nodes", "9", "--least-failing", "1", "-o", str(file), "--json")
    assert ran.status == 0
    assert ran.json == json.loads(file.read_text())
    assert {test["verdict"] for test in ran.json["rounds"][0]["tests"]} == {None}
    fill(file, "node-4")
    undecided = railbed("decide", str(file), "--json")
    assert (undecided.status, undecided.json["verdict"], undecided.json["next_round"]) == (
        3,
        "unproven",
        True,
    )
    assert railbed("plan", str(file), "-o", str(file)).status == 0
    fill(file, "node-4")
    ran = railbed("decide", str(file), "--json")
    assert ran.status == 1
    assert set(ran.json) == {
        "verdict", "reason", "next_round", "culprits", "suspects", "rounds", "tests", "untested",
        "expected_missed", "unloadable",
    }  # fmt: skip
    (culprit,) = ran.json["culprits"]
    assert set(culprit) == {"node", "part", "confidence", "tests", "detail"}
    assert (culprit["node"], culprit["part"]) == ("node-4", "node")
    assert culprit["confidence"] >= 0.99
    assert len(culprit["tests"]) >= 2
    shown = railbed("decide", str(file))
    assert "node-4" in shown.out


def test_nothing_to_blame_is_0(railbed: Any, tmp_path: Path) -> None:
    file = tmp_path / "search.json"
    railbed("plan", "--hosts", "a,b,c,d", "--least-failing", "1", "-o", str(file))
    fill(file, "nobody")
    assert railbed("decide", str(file), "--json").json["verdict"] == "pass"
    ran = railbed("plan", str(file), "--json")
    assert (ran.status, ran.json["error"]["code"]) == (2, "BLAME_DECIDED")


def test_links_and_rails(railbed: Any) -> None:
    ran = railbed("plan", "--what", "links", "--nodes", "64", "--json")
    test = ran.json["rounds"][0]["tests"][0]
    assert set(test) == {"stage", "nodes", "path", "verdict"}
    assert len(test["path"].split()) == 8
    ran = railbed("plan", "--what", "rails", "--nodes", "4", "--rails", "2", "--json")
    assert {test["rail"] for test in ran.json["rounds"][0]["tests"]} == {0, 1}
    shown = railbed("plan", "--what", "links", "--nodes", "512")
    assert "4056 more" in shown.out


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--nodes", "0"),
        ("--nodes", "-4"),
        ("--nodes", "1000000000"),
        ("--nodes", "eight"),
        ("--nodes", "1"),
        ("--nodes", "8", "--hosts", "a,b"),
        ("--hosts", "a,a"),
        ("--hosts", "a,,b"),
        ("--hosts", "a,b; rm -rf /"),
        ("--what", "cables", "--nodes", "8"),
        ("--nodes", "8", "--radix", "64"),
        ("--what", "links", "--nodes", "8", "--radix", "6.5"),
        ("--what", "links", "--nodes", "8", "--radix", "1"),
        ("--what", "links", "--nodes", "8", "--oversubscription", "0.5"),
        ("--what", "links", "--nodes", "8", "--oversubscription", "much"),
        ("--what", "links", "--nodes", "99999"),
        ("--what", "links", "--nodes", "8", "--known-good", "stranger"),
        ("--what", "links", "--nodes", "4", "--rails", "1"),
        ("--what", "rails", "--nodes", "8", "--rails", "0"),
        ("--what", "rails", "--nodes", "8", "--unit-nodes", "0"),
        ("--nodes", "8", "--least-failing", "0"),
        ("--nodes", "8", "--least-failing", "nan"),
        ("--nodes", "8", "--confidence", "1"),
        ("--nodes", "8", "--prevalence", "inf"),
        ("--nodes", "8", "--noise", "0"),
        ("--nodes", "8", "--most-rounds", "0"),
        ("--nodes", "8", "--node-name", "all"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_looked_for(railbed: Any, words: tuple[str, ...]) -> None:
    ran = railbed("plan", *words, "--json")
    assert ran.status == 2
    assert ran.json["error"]["message"]


GOOD: dict[str, Any] = {
    "schema": "railbed/blame/v1",
    "what": "nodes",
    "nodes": ["a", "b", "c", "d"],
    "rule": {"least_failing": 1.0, "prevalence": 0.01, "noise": 1e-6, "confidence": 0.99, "most_rounds": 12},
    "rounds": [
        {"tests": [{"nodes": ["a", "b"], "verdict": "pass"}, {"nodes": ["c", "d"], "verdict": "pass"}]}
    ],
}


def broken(**changes: Any) -> str:
    return json.dumps({**GOOD, **changes})


def one_test(**test: Any) -> str:
    return broken(rounds=[{"tests": [{"nodes": ["a", "b"], "verdict": "pass", **test}]}])


def test_a_record_by_hand_is_one(railbed: Any, tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    file.write_text(json.dumps(GOOD))
    assert railbed("decide", str(file)).status == 0


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", ""),
        ("\x00\x01\xff", ""),
        ("# all_reduce_perf\n  8 2 float sum -1 1.0 1.0 1.0 0", ""),
        ("{", ""),
        ("[]", ""),
        ("[" * 100_000, ""),
        ("null", ""),
        (broken(schema="railbed/blame/v2"), "schema"),
        (broken(what="gpus"), "what"),
        (broken(nodes=[]), "nodes"),
        (broken(nodes=["a", "a"]), "nodes"),
        (broken(nodes=["a", "b", "c", 4]), "nodes"),
        (broken(nodes=["a", "b", "c", "../d"]), "nodes"),
        (broken(extra=1), "extra"),
        (broken(rule={}), "rule"),
        (broken(rule={**GOOD["rule"], "noise": -1}), "rule"),
        (broken(rounds=[{}]), "rounds[0]"),
        (broken(rounds=[{"tests": []}] * 101), "rounds"),
        (one_test(verdict="good"), "rounds[0].tests[0].verdict"),
        (one_test(verdict=True), "rounds[0].tests[0].verdict"),
        (one_test(nodes=["a", "stranger"]), "rounds[0].tests[0]"),
        (one_test(nodes=["a", "a"]), "rounds[0].tests[0]"),
        (one_test(nodes=["a"]), "rounds[0].tests[0].nodes"),
        (broken(what="rails"), "rounds[0].tests[0]"),
        (broken(what="links"), "rounds[0].tests[0]"),
        (json.dumps(GOOD).replace("0.99", "NaN"), ""),
    ],
)
def test_what_is_no_record(railbed: Any, tmp_path: Path, text: str, place: str) -> None:
    file = tmp_path / "record.json"
    file.write_bytes(text.encode(errors="surrogateescape"))
    for verb in ("decide", "plan"):
        ran = railbed(verb, str(file), "--json")
        assert ran.status == 2
        assert ran.json["error"]["code"] == "BLAME_RECORD"
        assert place in ran.json["error"]["path"]


def test_no_file_and_no_results(railbed: Any, tmp_path: Path) -> None:
    assert railbed("decide", str(tmp_path / "none.json")).status == 2
    assert railbed("decide", str(tmp_path)).status == 2
    file = tmp_path / "search.json"
    railbed("plan", "--nodes", "4", "-o", str(file))
    assert railbed("decide", str(file)).status == 3
    assert railbed("plan", str(file), "--json").json["error"]["code"] == "BLAME_NO_RESULTS"
    assert railbed("plan", str(file), "--nodes", "5").status == 2
    assert railbed("plan", "--nodes", "4", "-o", str(tmp_path / "no/where")).status == 2
