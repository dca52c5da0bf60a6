"""Writes docs/reference/images.md from the catalogue's image profiles.

usage: .venv/bin/python tools/images_reference.py [--check]     --check: only say whether the page is current
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from railbed import catalog
from railbed.catalog.images import Brought, ImageProfile

PAGE = Path(__file__).resolve().parents[1] / "docs/reference/images.md"
WIDTH = 118
HEAD = """\
# Images

<!-- Written by tools/images_reference.py from infra/railbed/catalog/images/: change those, then run it. -->

A node starts from a machine image. Its **profile** says what the image brings, and which versions of that are taken as they
are; the release fills the rest. **No image of a vendor was ever booted by railbed**: the profiles are made from what the
vendors publish, each fact with its source (`railbed catalog show images/azure-hpc`).

```yaml
platform: {kind: azure, image: {profile: azure-hpc, id: "microsoft-dsvm:ubuntu-hpc:2404:24.04.2026052601"}, …}
pools:
  - {name: h100, image: {profile: railbed, id: …}, …}     # a pool's own; without it the platform's
```

A plain `image: ID` is of profile `stock`. On bare metal there is a profile and no id: `image: {profile: …}` says what the
machines were installed from. A profile of your own is a file `images/NAME.yaml` of [your catalogue](catalog.md#your-own-files).

- **At plan time** a profile that is not for the cloud, machine or system is refused (`IMAGE_PROFILE`), and so is one with which
  the release cannot work in any version of its ranges (`SOFTWARE_CONFLICT`). No source is asked for what every image brings.
  `railbed plan` shows what comes from where.
- **The contract** has, for each class of nodes, the profile, what it brings and in which versions.
- **Before anything is installed** role [image](../../roles/image/README.md) reads the versions on the node. A part that is
  missing, or out of range, stops that node with what was found and expected.
- **Packages** that the image brings are not asked for, held, and pinned to what is installed. Package sources of the profile
  stay, others go; with `software.mirror` none stays, since the mirror is the only source.
- **Roles** compare with the version that was found: a fabric manager must have that of the driver that is there.
- **Checks** expect the range: `node.driver`, `node.fabric_manager`, `node.dcgm_engine`, `node.containers`, `node.kernel`,
  `node.packages`. Their answers name the version found, and that it is from the image; the certificate covers them.

"""


def page() -> str:
    """The whole page."""
    lines = [line for name in catalog.keys("images") for line in _profile(catalog.load_image(name))]
    return HEAD + "\n".join(_wrapped(line) if line.startswith("- ") else line for line in lines)


def _wrapped(line: str) -> str:
    return textwrap.fill(line, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _profile(one: ImageProfile) -> Iterator[str]:
    yield f"## {one.key}\n\n{one.title}.\n"
    for use in one.used_on.values():
        when = ", ".join(f"`{subject}` {value}" for subject, value in use.when.items())
        yield f"- For {when}: {use.reason}."
    if one.device_names == "image":
        yield "- A service of the image names the RDMA devices; role `rdma` leaves names alone."
    if one.stamp:
        yield f"- `{one.stamp}` must name the cluster's release, until a node was converged."
        yield "- All packages are asked for, and found installed."
    if one.scratch:
        yield f"- The image joins the local drives itself, at `{one.scratch}`; role `scratch_nvme` does not run."
    if one.mpi_home:
        yield f"- Its MPI is in `{one.mpi_home}`, and must be there."
    for unit in one.services:
        yield f"- `{unit}` must be enabled: {one.services[unit].reason}."
    for unit in one.silenced:
        yield f"- `{unit}` does nothing more, by a drop-in of role `image`: {one.silenced[unit].reason}."
    for file, kept in one.apt_sources.items():
        yield f"- `/etc/apt/sources.list.d/{file}` stays: {kept.reason}."
    for file, kept in one.apt_preferences.items():
        yield f"- `/etc/apt/preferences.d/{file}` goes: {kept.reason}."
    for word in one.boot_line.values():
        when = ", ".join(f"`{subject}` {value}" for subject, value in word.when.items())
        where = f" ({when})" if when else ""
        yield f"- `{word.parameter}` stays on the kernel's command line, in place of railbed's{where}: {word.reason}."
    for name, kept in one.not_asked.items():
        yield f"- `{name}` is never asked for: {kept.reason}."
    for name, follower in one.follows.items():
        yield f"- `{name}` is installed in the version of the image's driver: {follower.reason}."
    for name, doubt in one.doubts.items():
        yield f"- Doubt about `{name}`, of which the plan warns: {doubt.reason}."
    for when in one.names.values():
        yield f"- Its name, with which `railbed preflight` compares: {when.reason}."
    for image in one.published.values():
        name = image.name if " " in image.name else f"`{image.name}`"
        yield f"- Published: {name}; {image.how}."
    if one.brings:
        yield "\n| brings | versions | shown by | why |\n|---|---|---|---|"
    for name, part in one.brings.items():
        yield f"| `{name}` | `{part.accepts}` | {_shown(part)} | {part.reason} |"
    yield ""


def _shown(part: Brought) -> str:
    if part.kernel:
        return "running kernel"
    if part.module:
        return f"module `{part.module}`"
    return f"`{part.file}`" if part.file else "package " + ", ".join(f"`{name}`" for name in part.packages)


def main() -> int:
    """Writes the page, or says that it is not current."""
    text = page()
    if "--check" not in sys.argv:
        PAGE.write_text(text)
    return 0 if PAGE.read_text() == text else 1


if __name__ == "__main__":
    sys.exit(main())
