"""Writes docs/reference/report.schema.json, the published JSON Schema of report.json.

usage: .venv/bin/python tools/report_schema.py [--check]     --check: only say whether the file is current
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from railbed.validate import records

FILE = Path(__file__).resolve().parents[1] / "docs/reference/report.schema.json"


def text() -> str:
    """The whole file."""
    return json.dumps(records.json_schema(), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Exit status 0: the file is, or now is, current; 1: ``--check`` found that it is not."""
    if "--check" in sys.argv[1:]:
        return int(not FILE.is_file() or FILE.read_text() != text())
    FILE.write_text(text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
