"""Every claim of the contract, measured and judged: ``run`` is the stage, a ``Report`` is what it finds.

Imports the contract, effects, the judge and what is below; never a spec, a plan or a platform. ``node/`` runs on the nodes, with
Python's standard library only.
"""

from railbed.validate.acceptance import accept, exceptions, lapse
from railbed.validate.bench import Progress
from railbed.validate.comparison import drift
from railbed.validate.records import Report
from railbed.validate.stage import latest, run

__all__ = ["Progress", "Report", "accept", "drift", "exceptions", "lapse", "latest", "run"]
