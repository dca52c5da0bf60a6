"""The one value that railbed ever changes in a stack file, and only because it was asked to: the software release."""

from __future__ import annotations

import yaml

from railbed.errors import SpecError
from railbed.spec.reading import CONFIG_KEY

KEYS = ("config", CONFIG_KEY, "software", "release")


def with_release(text: str, release: str, where: str) -> str:
    """The stack file's text with another release, all else as it stands, comments too.

    ``where`` is the file's name in errors. Raises SpecError where the file names no release.
    """
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    for key in KEYS:
        found = [v for k, v in node.value if k.value == key] if isinstance(node, yaml.MappingNode) else []
        if not found:
            raise SpecError(
                f"the stack file has no {'.'.join(KEYS[1:])}", path=where, allowed=f'release: "{release}"',
                code="SPEC_FILE",
            )  # fmt: skip
        node = found[0]
    assert node is not None
    return f'{text[: node.start_mark.index]}"{release}"{text[node.end_mark.index :]}'
