"""Every claim of the contract, measured and judged: ``run`` is the stage, a ``Report`` is what it finds.

Imports the contract, effects, the judge and what is below; never a spec, a plan or a platform. ``node/`` runs on the nodes, with
Python's standard library only.
"""

from railbed.validate.acceptance import accept, exceptions, lapse
from railbed.validate.comparison import Drifted, drift
from railbed.validate.history import path as history_file
from railbed.validate.open_files import require as require_open_files
from railbed.validate.records import Report
from railbed.validate.records import json_schema as report_schema
from railbed.validate.retention import Pruned, prune
from railbed.validate.room import require as require_room
from railbed.validate.stage import latest, run
from railbed.validate.validation_run import Progress

__all__ = [
    "Drifted",
    "Progress",
    "Pruned",
    "Report",
    "accept",
    "drift",
    "exceptions",
    "history_file",
    "lapse",
    "latest",
    "prune",
    "report_schema",
    "require_open_files",
    "require_room",
    "run",
]
