"""The claim `node.dcgm`: DCGM's own tests of the GPUs, and what its watches saw during them.

The run says how deep, in NVIDIA's levels (DCGM Diagnostics, docs.nvidia.com/datacenter/dcgm, "Run Levels and Tests"): 1 takes
seconds, 2 about two minutes, 3 about half an hour. The last loads every GPU, so it runs only where no job can begin beside it.
"""

from __future__ import annotations

from railbed import ended
from railbed.claims import Judged, Verdict
from railbed.defaults import DCGM_DEADLINES_S, DCGM_PROBE_S, DCGM_SLACK_S
from railbed.judge import dcgm as law
from railbed.parse import dcgmi_diag, dcgmi_health
from railbed.run import Result
from railbed.validate.answers import judged
from railbed.validate.scope import Question
from railbed.validate.validation_run import ValidationRun

CLAIM = "node.dcgm"
NEEDS = ("node.driver", "node.gpus")
"""What must have been answered before the tests can end."""
EXPLAINING = ("node.gpus", "node.dcgm_engine")
"""Claims whose failure is why tests that began prove nothing: GPUs that are not there, or an engine that does not answer."""
MARK = "--- health"
ASK = """
timeout -k 2 {probe_s:g} dcgmi discovery -l > /dev/null || {{ echo "the host engine does not answer" >&2; exit 3; }}
dcgmi health -g 0 -s a > /dev/null
timeout -s INT -k 10 {deadline_s:g} dcgmi diag -r {level} -j
code=$?
echo; echo '{mark}'
timeout -k 2 {probe_s:g} dcgmi health -g 0 -c -j
exit $code
"""
"""A diagnosis ends by SIGINT: then dcgmi stops it in the host engine too."""


def run(validation: ValidationRun) -> None:
    """Diagnoses every node of which the claim is asked, all at once."""
    questions = {question.node: question for question in validation.scope.get(CLAIM)}
    for name in list(questions):
        if reason := validation.unreachable.get(name) or validation.busy(name) or _obstacle(validation, name):
            validation.answers.why(CLAIM, reason, [name])
            del questions[name]
    if not questions:
        return
    levels = {name: _level(validation, name) for name in questions}
    validation.say(f"DCGM's diagnostics of level {max(levels.values())} on {len(questions)} nodes")
    said = validation.remote.each(list(questions), lambda name: _ask(validation, name, levels[name]))
    for name, result in said.items():
        validation.answers.add(_answer(validation, questions[name], result, levels[name]))


def _obstacle(validation: ValidationRun, name: str) -> str:
    """Why the tests would not end, or say nothing: nobody could ask the driver."""
    for claim in NEEDS:
        known = validation.answers.of(claim, name)
        if known is None or known.verdict is Verdict.PASS:
            continue
        if known.verdict is Verdict.UNPROVEN or claim == "node.driver":
            return f"blocked by {claim} on {name}"
    return ""


def _blamed(validation: ValidationRun, name: str, reason: str) -> str:
    """Why the tests prove nothing, after what is known of the node that explains it."""
    for claim in EXPLAINING:
        known = validation.answers.of(claim, name)
        if known is not None and known.verdict is Verdict.FAIL:
            return f"blocked by {claim} on {name}: {reason}"
    return reason


def _level(validation: ValidationRun, name: str) -> int:
    if validation.scope.quick:
        return 1
    return 3 if validation.scheduler is None or name in validation.reserved else 2


def _ask(validation: ValidationRun, name: str, level: int) -> Result:
    deadline_s = DCGM_DEADLINES_S[level]
    script = ASK.format(probe_s=DCGM_PROBE_S, deadline_s=deadline_s, level=level, mark=MARK)
    return validation.remote.run(name, script, timeout_s=deadline_s + DCGM_SLACK_S, check=False)


def _answer(validation: ValidationRun, question: Question, result: Result, level: int) -> Judged:
    evidence = validation.keep(f"{question.node}/dcgmi.txt", f"{result.stdout}\n{result.stderr}")
    text, _, watched = result.stdout.partition(f"\n{MARK}\n")
    diag = dcgmi_diag.plain(text)
    # dcgmi ends with an error where a test failed: its output says more than that.
    if not diag["tests"] and not diag["error"]:
        reason = _blamed(validation, question.node, ended.why(result, "dcgmi diag", question.node))
        return judged(question, Verdict.UNPROVEN, reason, evidence=evidence)
    gpus = validation.node(question.node).gpus
    verdict, reason, parts = law.judge(diag, dcgmi_health.plain(watched), gpus)
    reason = f"level {level}: {reason}"
    if verdict is Verdict.UNPROVEN:
        reason = _blamed(validation, question.node, reason)
    detail = {"level": level} | ({"parts": parts} if parts else {})
    return judged(
        question,
        verdict,
        reason,
        measured=float(level),
        unit="level",
        evidence=evidence,
        detail=detail,
    )
