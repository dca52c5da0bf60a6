"""Files that are replaced at once, so that a kill or a full disk leaves the old one or the new one, never half of either."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from railbed.errors import ContractError


def replace(path: Path, text: str) -> None:
    """Writes beside and renames. The folder must be there."""
    building = path.with_name(f"{path.name}.new")
    building.write_text(text)
    building.replace(path)


@dataclass(frozen=True)
class Register:
    """One text about each node, by its name."""

    path: Path
    what: str
    """As errors call it, e.g. ``accepted nodes``."""
    value: str
    """What stands behind each name, e.g. ``identity``."""
    hint: str
    """What removing the file comes to."""

    def read(self) -> dict[str, str]:
        """Name → text; none where the file is absent. Raises ContractError for one that is not whole."""
        try:
            data = json.loads(self.path.read_text())
        except FileNotFoundError:
            return {}
        except (json.JSONDecodeError, UnicodeDecodeError) as broken:
            raise ContractError(
                f"the list of {self.what} is not whole JSON ({broken})", path=str(self.path), hint=self.hint
            ) from None  # fmt: skip
        if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
            raise ContractError(
                f"the list of {self.what} is not name → {self.value}", path=str(self.path), hint=self.hint
            )  # fmt: skip
        return data

    def write(self, known: Mapping[str, str]) -> None:
        """Replaces the whole list."""
        replace(self.path, json.dumps(known, indent=1, sort_keys=True) + "\n")
