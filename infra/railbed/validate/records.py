"""The report of a run: its data, `report.json` with its JSON Schema, and `junit.xml`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pydantic import Field, ValidationError

from railbed import inputs, strict_json
from railbed.certificate.identity import CLAIM, Identity
from railbed.claims import Culprit, FrozenModel, Judged, OutOfScope, Verdict, withholds
from railbed.effects import files
from railbed.errors import Exit, UsageError
from railbed.text import plain
from railbed.validate.condensed import Case, cases

SCHEMA = "railbed/report/v1"
AGAIN = "run `railbed validate` again"
SHOWN = (
    "claim",
    "node",
    "verdict",
    "measured",
    "unit",
    "expected",
    "floor",
    "reason",
    "evidence",
    "simulated",
    "measured_by",
)
"""What `railbed validate --json` prints of a claim; report.json holds everything."""


class Report(FrozenModel):
    """What one validation found."""

    stack: str
    contract_hash: str
    verdict: Verdict
    claims: list[Judged]
    culprits: list[Culprit]
    out_of_scope: list[OutOfScope]
    accepted_unproven: dict[str, str]
    """Claim → reason for which someone let it stay unproven."""
    quick: bool
    node: str
    """The nodes that the run was limited to, by commas, or empty."""
    pattern: str
    """The claims that the run was limited to, or empty."""
    simulated: bool
    started: str
    ended: str
    seconds: dict[str, float]
    """Seconds per step."""
    report_dir: str
    certificate: str
    """Path of the certificate that this run earned, or empty."""
    notes: list[str] = Field(default_factory=list)
    """What the run did or saw that is no verdict, such as folders that it removed."""

    @property
    def whole(self) -> bool:
        """True for a full validation of every claim."""
        return not (self.quick or self.node or self.pattern)

    @property
    def kind(self) -> str:
        """``full``, ``quick`` or ``partial``."""
        return "quick" if self.quick else "full" if self.whole else "partial"

    @property
    def exit_status(self) -> Exit:
        """Exit status of the command that made it."""
        return self.verdict.exit_status

    def of(self, verdict: Verdict) -> list[Judged]:
        return [c for c in self.claims if c.verdict is verdict]

    @property
    def open_claims(self) -> list[Judged]:
        """What holds the gate shut: whatever did not pass, but for claims that someone let stay unproven."""
        return [c for c in self.claims if withholds(c.claim, c.verdict, self.accepted_unproven)]

    def identity(self, node: str) -> Identity:
        """What the node showed of itself in this run."""
        found = next(
            (c.detail.get("identity") for c in self.claims if (c.claim, c.node) == (CLAIM, node)), None
        )
        if found is None:
            return Identity(absent={"machine": "this run did not measure who it is"})
        return Identity.model_validate(found)

    def as_json(self) -> dict[str, Any]:
        """What `railbed validate --json` prints."""
        claims = [c.model_dump(mode="json") for c in self.claims]
        return {
            "verdict": self.verdict.value,
            "claims": [{key: claim[key] for key in SHOWN} for claim in claims],
            "culprits": [c.model_dump(mode="json") for c in self.culprits],
            "report": self.report_dir,
            "certificate": self.certificate,
            "simulated": self.simulated,
            "notes": self.notes,
            "accepted_unproven": self.accepted_unproven,
            "out_of_scope": [o.model_dump(mode="json") for o in self.out_of_scope],
        }


def write_json(report: Report, folder: Path) -> None:
    """Writes report.json."""
    body = {"schema": SCHEMA, **report.model_dump(mode="json"), "report": report.report_dir}
    files.replace(folder / "report.json", strict_json.dumps(body, indent=1) + "\n")


def json_schema() -> dict[str, Any]:
    """JSON Schema of report.json, made from the models that write it."""
    made = Report.model_json_schema(mode="serialization")
    made["$id"], made["title"] = SCHEMA, "report.json of railbed validate"
    made["properties"] |= {
        "schema": {"const": SCHEMA, "description": "Version of this form."},
        "report": {
            "type": "string",
            "description": "The folder, as report_dir: for readers of `validate --json`.",
        },
    }
    made["required"] = ["schema", *Report.model_fields, "report"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_portable(made)}


def _portable(schema: Any) -> Any:
    r"""The schema without patterns of Unicode categories (``\p{Cc}``), which Python's validators cannot compile."""
    if isinstance(schema, list):
        return [_portable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _portable(value)
        for key, value in schema.items()
        if not (key == "pattern" and isinstance(value, str) and r"\p{" in value)
    }


def read_json(path: Path) -> Report:
    """The report in a file that ``write_json`` wrote.

    Raises FileNotFoundError where there is none, UsageError for one that is not whole.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    body = inputs.read_json(path, hint=AGAIN)
    fields = (
        {key: value for key, value in body.items() if key in Report.model_fields}
        if isinstance(body, dict)
        else {}
    )
    try:
        return Report.model_validate_json(json.dumps(fields))
    except ValidationError as wrong:
        place = ".".join(map(str, wrong.errors(include_url=False)[0]["loc"]))
        raise UsageError("this is no whole report", path=f"{path}:{place}", hint=AGAIN) from None


def junit(report: Report) -> bytes:
    """JUnit XML: a suite per kind of claim. Unproven is an error, since a skip would read as harmless.

    Claims out of scope are skipped with their reason. In a report of thousands of nodes a claim's passes are one case, whose
    class name says of how many nodes.
    """
    root = ElementTree.Element("testsuites", name=f"railbed {report.stack}", timestamp=report.started)
    groups: dict[str, list[Case]] = {}
    for one in cases(report.claims):
        groups.setdefault(one.first.claim.split(".")[0], []).append(one)
    for kind, records in groups.items():
        failed = sum(r.first.verdict is Verdict.FAIL for r in records)
        unproven = sum(r.first.verdict is Verdict.UNPROVEN for r in records)
        suite = ElementTree.SubElement(
            root, "testsuite", name=kind, tests=str(len(records)), failures=str(failed), errors=str(unproven)
        )
        for case in records:
            _case(suite, case)
    if report.out_of_scope:
        count = str(len(report.out_of_scope))
        suite = ElementTree.SubElement(root, "testsuite", name="out of scope", tests=count, skipped=count)
        for outside in report.out_of_scope:
            element = ElementTree.SubElement(suite, "testcase", classname="out of scope", name=outside.id)
            ElementTree.SubElement(element, "skipped", message=outside.reason)
    ElementTree.indent(root)
    data: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return data


def _case(suite: ElementTree.Element, case: Case) -> None:
    record = case.first
    element = ElementTree.SubElement(suite, "testcase", classname=case.place, name=record.claim)
    facts = {
        "measured": case.measured, "unit": record.unit, "expected": record.expected, "floor": record.floor,
        "basis": record.basis, "simulated": record.simulated, "measured_by": record.measured_by,
        "evidence": record.evidence,
    }  # fmt: skip
    properties = ElementTree.SubElement(element, "properties")
    for name, value in facts.items():
        if value not in (None, ""):
            ElementTree.SubElement(properties, "property", name=name, value=plain(str(value)))
    if record.verdict is Verdict.FAIL:
        ElementTree.SubElement(element, "failure", message=plain(case.reason))
    elif record.verdict is Verdict.UNPROVEN:
        ElementTree.SubElement(element, "error", type="unproven", message=plain(case.reason))
