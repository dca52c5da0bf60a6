"""Every command starts where no extra of the package is installed: a site installs those of its platform only."""

from __future__ import annotations

import subprocess
import sys

WITHOUT = """
import importlib, re, sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from packaging.requirements import Requirement

def name(text):
    return re.sub(r"[-_.]+", "-", text).lower()

needed, todo = set(), ["railbed"]
while todo:
    one = todo.pop()
    if one in needed:
        continue
    try:
        wanted = [Requirement(text) for text in requires(one) or ()]
    except PackageNotFoundError:
        continue
    needed.add(one)
    # An extra that a requirement itself asks for is left open: taking it as needed blocks less.
    todo += [name(r.name) for r in wanted if r.marker is None or "extra" not in str(r.marker) or one != "railbed"]
blocked = {top for top, of in packages_distributions().items() if not {name(one) for one in of} & needed}
assert {"sushy", "boto3", "kubernetes", "matplotlib", "openstack"} <= blocked, sorted(blocked)

class Blocker:
    def find_spec(self, module, path=None, target=None):
        if module.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {module!r}: of an extra", name=module)

sys.meta_path.insert(0, Blocker())
from railbed.cli import main
import typer
for word, (module, _) in main.COMMANDS.items():
    importlib.import_module(f"railbed.cli.{module}_commands").register(typer.Typer())
print("all", len(main.COMMANDS))
"""


def test_every_command_is_there_without_extras() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-1500:]
    assert done.stdout.startswith("all ") and int(done.stdout.split()[1]) > 20
