#!/usr/bin/python
"""Removes what belongs to one machine, and says where words of it are left."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sealed
short_description: Remove paths by pattern, and find files that name something
description:
  - Removes every file, link and folder that a pattern matches; what is not there is fine.
  - A pattern that ends in V(/**) means all files below a folder; the folders stay, as services expect them.
  - Looks for V(words) in the files below V(searched), whole words only.
options:
  remove:
    description: Patterns of absolute paths.
    type: list
    elements: str
    required: true
  words:
    description: What no file may name.
    type: list
    elements: str
    default: []
  searched:
    description: Folders whose files are read for V(words). Links are not followed.
    type: list
    elements: path
    default: []
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Take away what belongs to one machine
  sealed:
    remove: [/etc/ssh/ssh_host_*, /var/log/**]
"""

RETURN = r"""
removed:
  description: What was (or, in check mode, would be) removed.
  type: list
  returned: always
found:
  description: Path of a file to the words that it has.
  type: dict
  returned: always
"""

import glob
import os
import re
import shutil
from typing import Iterator

from ansible.module_utils.basic import AnsibleModule

BELOW = "/**"
LARGEST_BYTES = 4 * 1024 * 1024
"""A configuration file is smaller; what is larger is data."""


def matches(pattern: str) -> list[str]:
    """The paths that a pattern means."""
    if pattern.endswith(BELOW):
        return sorted(files_below(pattern[: -len(BELOW)]))
    return sorted(path for path in glob.glob(pattern) if os.path.lexists(path))


def files_below(folder: str) -> Iterator[str]:
    """Every file and link below a folder; folders that are links are not followed."""
    for parent, folders, files in os.walk(folder):
        yield from (os.path.join(parent, name) for name in files)
        yield from (path for path in (os.path.join(parent, name) for name in folders) if os.path.islink(path))


def remove(path: str) -> None:
    """Removes it, whatever it is; another may have been quicker."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def named(path: str, words: dict[str, re.Pattern[bytes]]) -> list[str]:
    """The words that a file has."""
    if os.path.islink(path) or not os.path.isfile(path) or os.path.getsize(path) > LARGEST_BYTES:
        return []
    with open(path, "rb") as file:
        content = file.read()
    return [word for word, pattern in words.items() if pattern.search(content)]


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "remove": {"type": "list", "elements": "str", "required": True},
            "words": {"type": "list", "elements": "str", "default": []},
            "searched": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    relative = [pattern for pattern in module.params["remove"] if not pattern.startswith("/")]
    if relative:
        module.fail_json(msg=f"patterns are absolute paths: {', '.join(relative)}")
    removed = [path for pattern in module.params["remove"] for path in matches(pattern)]
    if not module.check_mode:
        for path in removed:
            try:
                remove(path)
            except OSError as error:
                module.fail_json(msg=f"{path} cannot be removed: {error.strerror}")
    # An address is not found inside a longer one.
    words = {
        word: re.compile(rb"(?<![\w.:])" + re.escape(word.encode()) + rb"(?![\w:]|\.\w)")
        for word in module.params["words"]
    }
    files = [path for folder in module.params["searched"] for path in files_below(folder)] if words else []
    found = {
        path: having for path, having in ((path, named(path, words)) for path in sorted(files)) if having
    }
    module.exit_json(changed=bool(removed), removed=removed, found=found)


if __name__ == "__main__":
    main()
