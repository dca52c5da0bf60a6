"""Programs for nodes as one compressed tar: one round trip, and nothing of it stays there."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

PACKAGE = "railbed/validate/node"
"""Where the programs lie in the tar, and below this folder's parents here."""
PROGRAMS = Path(__file__).parents[2] / PACKAGE
SUITE_ENDED = '[ "$code" -le 1 ] || [ "$code" -eq 5 ]'
"""Whether the suite came to its end with this exit status of pytest: 1 means that a check failed, 5 that none was selected, and
both are results."""
LOAD = """import sys, types
for _name, _text in {texts!r}.items():
    sys.modules[_name] = types.ModuleType(_name)
    exec(compile(_text, _name, "exec"), vars(sys.modules[_name]))
exec(compile({text!r}, {name!r}, "exec"))
"""
"""One text of a program and the modules that it imports, which are then in none of the interpreter's folders."""
EMPTY = ("railbed/__init__.py", "railbed/validate/__init__.py")


def suite_command(timeout_s: float) -> str:
    """Runs the on-node suite of the programs that were unpacked into ``$folder``."""
    return (
        f'timeout -k 2 {timeout_s:g} python3 -m pytest -q -c /dev/null --rootdir "$folder" -p no:cacheprovider '
        f"--hosts=local:// {PACKAGE}"
    )


def in_one_text(program: str, *imported: str) -> str:
    """A program for the standard input of Python, with the modules of its folder that it imports, each after those it needs."""
    texts = {f"{PACKAGE.replace('/', '.')}.{one}": (PROGRAMS / f"{one}.py").read_text() for one in imported}
    return LOAD.format(texts=texts, text=(PROGRAMS / f"{program}.py").read_text(), name=program)


def packed(beside: Mapping[str, bytes]) -> bytes:
    """The programs, and the files ``beside`` them.

    The programs are compressed once for all nodes; a gzip file may have several members (RFC 1952, 2.2), and tar reads on.
    """
    return _programs(PROGRAMS) + _member({**beside, **dict.fromkeys(EMPTY, b"")}, last=True)


@lru_cache
def _programs(folder: Path) -> bytes:
    return _member(
        {f"{PACKAGE}/{one.name}": one.read_bytes() for one in sorted(folder.glob("*.py"))}, last=False
    )


def _member(contents: Mapping[str, bytes], *, last: bool) -> bytes:
    """A member of the compressed file; the ``last`` one has the end of the archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        end = buffer.tell()
    return gzip.compress(buffer.getvalue() if last else buffer.getvalue()[:end], mtime=0)
