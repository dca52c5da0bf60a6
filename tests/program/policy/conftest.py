"""The policy pack is a program of its own, not part of the package: its folder is put on the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "policy"))
