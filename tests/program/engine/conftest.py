"""The policy pack's folder on the path: its tables know which types hold nodes and data."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "policy"))
