"""Runs railbed's Ansible modules inside the test, as Ansible would: arguments in, one JSON document out."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible.module_utils.testing import patch_module_args

ROOT = Path(__file__).resolve().parents[3]


def _load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


UNITS = _load("ansible.module_utils.railbed_units", ROOT / "plugins/module_utils/railbed_units.py")
PROGRAM = _load("ansible.module_utils.railbed_program", ROOT / "plugins/module_utils/railbed_program.py")
DKMS = _load("ansible.module_utils.railbed_dkms", ROOT / "plugins/module_utils/railbed_dkms.py")
ARCHIVE = _load("ansible.module_utils.railbed_archive", ROOT / "plugins/module_utils/railbed_archive.py")
APT = _load("ansible.module_utils.railbed_apt", ROOT / "plugins/module_utils/railbed_apt.py")


def load(name: str) -> ModuleType:
    """The module's file as a Python module."""
    return _load(f"railbed_module_{name}", ROOT / "plugins/modules" / f"{name}.py")


def call(module: ModuleType, check: bool = False, **arguments: Any) -> dict[str, Any]:
    """What the module answers."""
    said = io.StringIO()
    given = {**arguments, "_ansible_check_mode": check, "_ansible_diff": True}
    with patch_module_args(given), contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        module.main()
    answer: dict[str, Any] = json.loads(said.getvalue())
    return answer


def program(folder: Path, name: str, body: str) -> None:
    """A stand-in program for PATH, written in Python."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{body}")
    path.chmod(0o755)
