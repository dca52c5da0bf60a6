"""Everything that is known of one node's trouble, in one file for its vendor: `railbed node bundle`. Asks no node.

Evidence was saved off the node before anything was changed on it; after a boot there would be nothing left to gather.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from railbed import strict_json
from railbed.configure.redact import Redactor, secrets_of
from railbed.contract import Node
from railbed.defaults import DAY_S
from railbed.effects.journal_index import Entry
from railbed.effects.workspace import Workspace
from railbed.errors import RailbedError
from railbed.operate import past, rma_form
from railbed.operate.explain import explain
from railbed.operate.picture import Picture
from railbed.validate import identity, records
from railbed.validate.manifest import REPORT

MOST_BYTES = 512 * 1024**2
"""Of one file, unpacked: NVIDIA's report is some 10 MiB and may hold logs of weeks."""
_HOME = re.compile(r"(/(?:home|users|scratch|project)s?/)([A-Za-z0-9._-]{1,64})")
_MAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_JOB = re.compile(r"\b(\d{1,12}(?:_\d{1,9})?) of ([a-z_][a-z0-9_.-]{0,31})\b")
"""As railbed names a job: ``7 of ada``."""


@dataclass
class Bundle:
    """What a bundle holds: name → content; and what was left out, with the reason."""

    members: dict[str, bytes] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


class Cleaner:
    """Takes secrets, mail addresses, and who ran what out of texts: a vendor needs none of them."""

    def __init__(self, secrets: Iterable[str], users: Iterable[str]) -> None:
        self.redactor = Redactor(secrets)
        # root is everybody's, and a short name is a part of other words.
        names = sorted({one for one in users if len(one) > 1 and one != "root"}, key=len, reverse=True)
        self.users = (
            re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, names))})(?![\w.-])") if names else None
        )

    def text(self, given: str) -> str:
        """``given`` without them."""
        found = _HOME.sub(r"\1(user)", _MAIL.sub("(mail)", self.redactor.text(given)))
        return self.users.sub("(user)", found) if self.users else found

    def bytes(self, given: bytes) -> bytes:
        """The same of a file, whatever is in it."""
        return self.text(given.decode(errors="surrogateescape")).encode(errors="surrogateescape")


def gather(work: Workspace, node: Node, seen: Picture, days: float) -> Bundle:
    """Of the last ``days``. Raises nothing for what is missing or damaged: it is named in ``left_out``."""
    since = seen.now - timedelta(seconds=days * DAY_S)
    entries = list(past.recent(seen.index.of(node.name), seen.now, days * DAY_S))[::-1]
    users = {user for one in entries for _, user in _JOB.findall(strict_json.dumps(one.event))}
    users |= {job.user for jobs in seen.jobs.values() for job in jobs}
    cleaner, made = Cleaner(secrets_of(work), users), Bundle()
    for file in _evidence(work, node.name, since.timestamp()):
        _add(made, cleaner, f"evidence/{file.name}", file)
    verdicts = _verdicts(work, node.name, entries, made)
    shown = identity.accepted(work).get(node.name)
    known = {
        "node": node.model_dump(mode="json"), "standing": explain(node, seen).model_dump(mode="json"),
        "identity": shown.model_dump(mode="json") if shown else None, "claims": verdicts,
    }  # fmt: skip
    made.members["node.json"] = cleaner.text(strict_json.dumps(known, indent=1)).encode()
    lines = "".join(f"{strict_json.dumps(one.event)}\n" for one in entries)
    made.members["journal.jsonl"] = cleaner.text(lines).encode()
    form = rma_form.fill(node, seen, entries, shown, verdicts, made.members, made.left_out)
    made.members["FORM.md"] = cleaner.text(form).encode()
    return made


def _evidence(work: Workspace, name: str, since_s: float) -> list[Path]:
    """The node's files in the archive, oldest first: ``<name>-<time>…``."""
    own = re.compile(rf"{re.escape(name)}-\d{{4}}-\d\d-\d\dT.*")
    found = [one for one in (work.archive / "evidence").glob(f"{name}-*") if own.fullmatch(one.name)]
    return sorted(one for one in found if one.is_file() and one.stat().st_mtime >= since_s)


def _add(made: Bundle, cleaner: Cleaner, name: str, file: Path) -> None:
    try:
        if file.suffix != ".gz":
            made.members[name] = cleaner.bytes(file.read_bytes())
            return
        with gzip.open(file) as packed:
            content = packed.read(MOST_BYTES + 1)
    except (OSError, EOFError) as wrong:
        made.left_out[name] = f"cannot be read: {wrong}"
        return
    if len(content) > MOST_BYTES:
        made.left_out[name] = f"more than {MOST_BYTES >> 20} MiB unpacked, too much to take secrets out of it"
        return
    made.members[name] = gzip.compress(cleaner.bytes(content), mtime=0)


def _verdicts(work: Workspace, name: str, entries: Iterable[Entry], made: Bundle) -> list[dict[str, Any]]:
    """What did not pass on the node, of every report that the journal names."""
    folders = dict.fromkeys(str(one.event["report"]) for one in entries if one.event.get("report"))
    found: list[dict[str, Any]] = []
    for folder in folders:
        try:
            report = records.read_json(work.root / folder / REPORT)
        except (RailbedError, FileNotFoundError) as wrong:
            made.left_out[folder] = (
                "its report was removed" if isinstance(wrong, FileNotFoundError) else str(wrong)
            )
            continue
        found += [
            {
                "report": folder,
                "ended": report.ended,
                **one.model_dump(mode="json", include=set(records.SHOWN)),
            }
            for one in report.open_claims
            if one.node == name
        ]
    return found


def packed(members: Mapping[str, bytes], folder: str) -> bytes:
    """The archive; the same members give the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in sorted(members.items()):
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)
