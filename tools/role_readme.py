"""Writes README.md of every role from its argument specs, values and tasks, and docs/reference/roles.md from all of them.

aar-doc writes the variables only (docs/adr/0013-what-stays-our-own.md).

usage: .venv/bin/python tools/role_readme.py [--check]     --check: only say whether the pages are current
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
ROLES = ROOT / "roles"
INDEX = ROOT / "docs/reference/roles.md"
MARK = "<!-- Written by tools/role_readme.py from the role itself: change that and run it again. -->"
WIDTH = 118
UNIT = re.compile(r"[\w@{][\w@.{} -]*\.(service|socket|timer|mount|target)$")
PATH = re.compile(r"/(etc|usr|opt|var|srv|root|run)/.+")
JINJA = re.compile(r"{{-?\s*(.*?)\s*-?}}")
PREFACE = """\
# Roles

One role for each thing that is installed. A role knows nothing of railbed or of a platform: it gets its values as its own
variables, which `playbooks/group_vars` maps from the contract. `playbooks/site.yml` runs them in this order, on the hosts
of the named groups, and `playbooks/bake.yml` those of them that no cluster decides, to
[make an image](../howto/bake-an-image.md). [How to add one](../howto/add-a-role.md).
"""


def load(path: Path) -> Any:
    """The YAML of a file, or nothing where there is none."""
    return yaml.safe_load(path.read_text()) if path.exists() else None


@cache
def hosts() -> dict[str, list[str]]:
    """Role → groups of hosts that get it, in the order of the plays; those that only make images come last."""
    found: dict[str, list[str]] = {}
    site = load(ROOT / "playbooks/site.yml")
    of_nodes = {name for play in site for name in roles_of(play)}
    for play in [*site, *load(ROOT / "playbooks/bake.yml")]:
        for name in roles_of(play):
            if play not in site and name in of_nodes:
                continue
            groups = found.setdefault(name, [])
            if play["hosts"] not in groups:
                groups.append(play["hosts"])
    return found


def roles_of(play: dict[str, Any]) -> list[str]:
    """Names of the roles of a play."""
    key = "ansible.builtin.import_role"
    return [task[key]["name"] for task in play.get("tasks", ()) if key in task]


class Role:
    """What a role's own files say."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = ROLES / name
        self.specs: dict[str, Any] = load(self.folder / "meta/argument_specs.yml")["argument_specs"]
        self.defaults: dict[str, Any] = load(self.folder / "defaults/main.yml") or {}
        self.vars: dict[str, Any] = load(self.folder / "vars/main.yml") or {}
        self.tasks = [load(path) for path in sorted((self.folder / "tasks").glob("*.yml"))]

    @property
    def title(self) -> str:
        return str(self.specs["main"]["short_description"])

    @property
    def packages(self) -> list[str]:
        """Names, and where a name comes by a variable that variable."""
        lists = {k: v for k, v in self.vars.items() if re.search(r"_packages(_|$)", k)}
        words = [word for value in lists.values() for word in _words(value)]
        return list(dict.fromkeys(word for word in words if word not in lists))

    @property
    def files(self) -> list[str]:
        texts = [(self.folder / "templates").glob("*.json.j2")]
        rendered = [quoted for paths in texts for path in paths for quoted in _quoted(path)]
        keys = [*_keys(self.vars), *_keys(self.tasks), *rendered]
        return sorted({_plain(key) for key in keys if PATH.match(key)})

    @property
    def units(self) -> list[str]:
        named = [*_values([self.vars, self.tasks], "name"), *map(str, self.vars.values())]
        return sorted({_plain(name) for name in named if UNIT.match(name) and not name.startswith("/")})

    @property
    def tables(self) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Data whose every entry has its reason."""
        for name, value in {**self.defaults, **self.vars}.items():
            if (
                isinstance(value, list)
                and value
                and all(isinstance(v, dict) and "reason" in v for v in value)
            ):
                yield name, value


def _words(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [word for one in value.values() for word in _words(one)]
    if isinstance(value, list):
        return [word for one in value for word in _words(one)]
    inner = JINJA.findall(str(value))
    if not inner:
        return [str(value)]
    quoted = [word for text in inner for word in re.findall(r"'([a-z0-9.+-]+)'", text)]
    return quoted or [text for text in inner if re.fullmatch(r"\w+_package", text)]


def _keys(value: Any) -> Iterator[str]:
    """Every key of mappings, however deep, and what lists of paths name."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("validate", "unless_exists", "that", "absent", "purge", "argv"):
                continue
            yield str(key)
            if key == "path" and isinstance(inner, str):
                yield inner
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)


def _quoted(path: Path) -> list[str]:
    return re.findall(r'^\s*"(/[^"]+)":', path.read_text(), re.MULTILINE)


def _values(value: Any, key: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key and isinstance(inner, str):
                yield inner
            yield from _values(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner, key)


def _plain(text: str) -> str:
    """Without the blanks of Jinja: ``…-<rails_link.netdev>.network``."""
    return JINJA.sub(lambda found: f"<{found[1].split('.')[-1].split('_')[-1]}>", text)


def _text(value: Any) -> list[str]:
    """Paragraphs or points of a description."""
    return [
        " ".join(str(one).split()) for one in (value if isinstance(value, list) else [value] if value else [])
    ]


def _cell(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return " ".join(text.split()).replace("|", "\\|")


def _code(values: list[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _arguments(options: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, option in options.items():
        yield f"{prefix}{name}", option
        inner = f"{prefix}{name}{'[]' if option['type'] == 'list' else ''}."
        yield from _arguments(option.get("options") or {}, inner)


def _type(option: dict[str, Any]) -> str:
    if "choices" in option:
        return " \\| ".join(map(str, option["choices"]))
    return f"list of {option['elements']}" if option["type"] == "list" else str(option["type"])


def _default(role: Role, name: str, option: dict[str, Any]) -> str:
    if option.get("required"):
        return "needed"
    value = role.defaults.get(name, option.get("default", ""))
    if isinstance(value, str) and "{{" in value:
        return "from the data below"
    return "" if value in ("", None, []) else f"`{_cell(value)}`"


def page(role: Role) -> str:
    """README.md of a role."""
    lines = [f"# {role.name}", "", MARK, "", f"{role.title}.", ""]
    for paragraph in _text(role.specs["main"].get("description")):
        lines += [*textwrap.wrap(paragraph, WIDTH), ""]
    facts = {
        "Runs on": ", ".join(f"`{group}`" for group in hosts().get(role.name, [])),
        "Packages": _code(role.packages), "Files": _code(role.files), "Units": _code(role.units),
    }  # fmt: skip
    lines += ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items() if value), ""]
    for entry, spec in role.specs.items():
        if not spec["options"]:
            continue
        lines += [
            "## Variables" if entry == "main" else f"## Variables of `{entry}`: {spec['short_description']}",
            "",
        ]
        lines += ["| variable | type | default | meaning |", "|---|---|---|---|"]
        for name, option in _arguments(spec["options"]):
            meaning = _cell(" ".join(_text(option["description"])))
            lines.append(f"| `{name}` | {_type(option)} | {_default(role, name, option)} | {meaning} |")
        lines.append("")
    for name, entries in role.tables:
        columns = list(dict.fromkeys(key for one in entries for key in one))
        lines += [f"## {name.removeprefix(f'{role.name}_').replace('_', ' ').capitalize()}", ""]
        lines += [
            f"| {' | '.join(column.replace('_', ' ') for column in columns)} |",
            "|---" * len(columns) + "|",
        ]
        lines += [f"| {' | '.join(_cell(one.get(column, '')) for column in columns)} |" for one in entries]
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def index() -> str:
    """The page of all roles, in the order of the plays."""
    lines = [PREFACE, MARK, "", "| role | what it does | runs on | packages |", "|---|---|---|---|"]
    for name, groups in hosts().items():
        role = Role(name)
        link = f"[{name}](../../roles/{name}/README.md)"
        lines.append(f"| {link} | {role.title} | {_code(groups)} | {_code(role.packages)} |")
    return "\n".join(lines) + "\n"


def pages() -> dict[Path, str]:
    """Every page and what it should say."""
    roles = sorted(path.name for path in ROLES.iterdir() if (path / "meta").is_dir())
    return {INDEX: index(), **{ROLES / name / "README.md": page(Role(name)) for name in roles}}


def outdated() -> list[Path]:
    """Pages that do not say what they should."""
    return [path for path, text in pages().items() if not path.exists() or path.read_text() != text]


def main() -> int:
    """Exit status 0: the pages are, or now are, current; 1: ``--check`` found that some are not."""
    stale = outdated()
    if "--check" in sys.argv[1:]:
        sys.stdout.writelines(f"{path.relative_to(ROOT)}\n" for path in stale)
        return int(bool(stale))
    for path in stale:
        path.write_text(pages()[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
