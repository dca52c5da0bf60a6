"""No text keeps a parser busy: its CPU time stays below what the registry allows for the size, for texts made to be slow.

The limits are generous (a loaded machine counts CPU time all the same); what they find is time that grows with the square
of a line or of a file.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from railbed.catalog import strict_yaml
from railbed.parse import registry, slurm

DATA = Path(__file__).parent.parent / "data"
FOLDERS = {"lldp": "fabric", "iblinkinfo": "fabric", "ibnetdiscover": "fabric", "ibsim": "fabric"}
MIB = 1 << 20
LINE = MIB // 16
SHORTEST_S = 1.0
"""Limit of texts of whatever size: what a busy machine needs to warm up."""
FILLERS = (" ", "\t", "0", "a", ",", ":", "[", "(", "{", '"', "' - '", "error ", "a ", "0 ", "a: ", "\x1b[")
OPENINGS = {
    "ethtool-module": ("Module temperature : ", "Rcvr signal avg optical power(", "Laser rx power low ", "netlink error: "),
    "ethtool-statistics": ("NIC statistics:\n     rx_packets: ", "     rx_packets", "no stats "),
    "fi_rma_bw": ("{", "ft_", "bytes #sent total\n1k 1k ", "name bytes iters\n", "- { xfer_size: 1, "),
    "hpl": ("WR0 1 1 1 1 1 1 (", "||Ax-b||_oo/(eps*(", "||Ax-b||_oo . . .", "Begin of Summary section.\nHPL_N=", "    WR00 "),
    "ibdev2netdev": ("mlx5_0 port 1 ==> ", "mlx5_0 port 1 (", "0000:19:00.0 mlx5_0 (", "mlx5_0 port 1 ==> ib0 ("),
    "iblinkinfo": ("CA: ", "Switch", 'CA: a:\n 0x1 1 1[ ] ==( )==> 2 1[ ] "', "CA: a:\n 0x1 1 1[ ] ==( 4X "),
    "ibnetdiscover": ('Ca 1 "H-1" # "', 'Ca 1 "H-1" # "a"\n[1](1) "S-1"[', "SW 1 1 0x1 4x NDR - CA 1 1 0x1 ( '",
        "SW 1 1 0x1 4x NDR '",
    ),
    "ibsim": ('Ca 1 "H-1"', 'Ca 1 "H-1"\n[1] "S-1"[1]'),
    "ibstat": ("CA '", "CA 'a'\n  Port 1:\n  State: ", "CA 'a'\n  "),
    "ibv_devinfo": ("hca_id: ", "hca_id: a\n port: 1\n GID[ 0]: ", "hca_id: a\n  "),
    "lnetctl": ("- net type: o2ib\n - nid: a\n  send_count: ", "- net type: ", "- nid: "),
    "mlxlink": ("Temperature [C] : ", "Rx Power Current [dBm] : 1 [", "-E- ", "State : "),
    "nccl-debug": (
        "NCCL INFO ", "NCCL INFO Channel 00/0 : 1 -> 2 via ", "NCCL INFO NET/Plugin : Using ", "NCCL INFO Plugin load ",
        "NCCL INFO 1 Bytes -> Algo ", "NCCL INFO NCCL_A set to ", "NCCL INFO NET/IB : Using [0]",
    ),
    "nccl-tests": (
        "# nThread 1 minBytes ", "# Rank 0 Group 0 Pid 1 on ", "# counters : {", "1: 1: 1: ",
        "#  size count type redop root time algbw busbw #wrong\n 8 2 float sum -1 ", '{"results": [',
    ),
    "nvbandwidth": ("Running a.\nb bandwidth (GB/s)\n 0 1\n", "Running a.\nb bandwidth (GB/s)\n", "Process 0 (", "SUM a "),
    "nvidia-smi": ("name, index [", "name, index\n", "<?xml ", "GPU0 GPU1\nGPU0 "),
    "nvidia-smi-topo": ("GPU0 ", "GPU0 GPU1\nGPU0 X ", "NIC0: "),
    "nvidia-smi-xml": ("<nvidia_smi_log><gpu>", "<nvidia_smi_log a='"),
    "perftest": (
        "RDMA_Write", "RDMA_Write BW Test", "RDMA_Write BW Test\n", " #bytes #iterations ",
        " #bytes #iterations BW peak[Gb/sec]\n 8 1 ", "RDMA_Write BW Test\n Device : ",
    ),
    "rdma": ("link ", "link mlx5_0/1 state ", "0/1: mlx5_0/1: "),
}  # fmt: skip
"""Beginnings of lines after which a parser looks at the rest."""


def spent_s(read: Callable[[str], Any], text: str) -> float:
    begin = time.process_time()
    read(text)
    return time.process_time() - begin


def allowed_s(parser: registry.Parser, text: str) -> float:
    return max(SHORTEST_S, parser.cpu_s_per_mib * len(text) / MIB)


def long_lines(opening: str) -> str:
    """Lines of 64 KiB that begin alike, each ended by a sign that fits nowhere."""
    return "".join(f"{opening}{filler * (LINE // len(filler))}!\n" for filler in FILLERS)


def many_lines(tool: str, size: int) -> str:
    """The lines of a tool's samples over and over, with other numbers in each."""
    folder = DATA / FOLDERS.get(tool, f"parse/{tool.replace('-', '_')}")
    files = [
        file for file in sorted(folder.rglob("*")) if file.is_file() and file.suffix not in (".md", ".svg")
    ]
    printed = [file for file in files if file.suffix != ".json"] or files
    lines = [line for file in printed for line in file.read_bytes().decode(errors="replace").splitlines()]
    short = [line for line in lines if 0 < len(line) < 2000]
    made: list[str] = []
    for number, line in enumerate(itertools.cycle(short)):
        made.append(re.sub(r"\d+", str(number), line))
        size -= len(made[-1]) + 1
        if size <= 0:
            return "\n".join(made)
    raise AssertionError(tool)


def longest_list(value: Any) -> list[Any]:
    """The list in a document whose elements make up most of it."""
    below = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    found = [longest_list(item) for item in below] + ([value] if isinstance(value, list) else [])
    return max(found, key=lambda one: len(json.dumps(one)), default=[])


def grown(document: Any, size: int) -> str:
    """A document with the elements of its longest list over and over."""
    listed = longest_list(document)
    once = list(listed)
    listed += once * (size // max(len(json.dumps(once)), 1))
    return json.dumps(document)


def samples_in_json(tool: str) -> list[Any]:
    folder = DATA / FOLDERS.get(tool, f"parse/{tool.replace('-', '_')}")
    found = []
    for file in sorted(folder.glob("*.json")):
        try:
            found.append(json.loads(file.read_bytes()))
        except ValueError:
            continue
    return found


each_parser = pytest.mark.parametrize("parser", registry.PARSERS, ids=lambda p: p.tool)


@each_parser
def test_long_lines(parser: registry.Parser) -> None:
    for opening in ("", *OPENINGS.get(parser.tool, ())):
        text = long_lines(opening)
        spent = spent_s(parser.plain, text)
        assert spent < allowed_s(parser, text), f"{parser.tool}: {spent:.1f} s after {opening!r}"


@each_parser
def test_many_lines(parser: registry.Parser) -> None:
    text = many_lines(parser.tool, 2 * MIB)
    assert spent_s(parser.plain, text) < allowed_s(parser, text)


@each_parser
def test_long_documents(parser: registry.Parser) -> None:
    for document in samples_in_json(parser.tool):
        text = grown(document, MIB)
        assert spent_s(parser.plain, text) < allowed_s(parser, text)


@each_parser
@pytest.mark.parametrize("unit", ["{\n", "{}", "[1]\n", '{"a":', "["])
def test_many_documents(parser: registry.Parser, unit: str) -> None:
    text = unit * (MIB // 4 // len(unit))
    assert spent_s(parser.plain, text) < allowed_s(parser, text)


XML = {
    "deep": "<gpu>" + "<a>" * (MIB // 4) + "</a>" * (MIB // 4) + "</gpu>",
    "a long name around many": f"<gpu><{'a' * MIB}>" + "<b/>" * 100_000 + f"</{'a' * MIB}></gpu>",
    "a namespace": f"<gpu xmlns='{'a' * MIB}'>" + "".join(f"<b{n}/>" for n in range(100_000)) + "</gpu>",
    "many values": "<gpu>" + "".join(f"<b{n}>{n}</b{n}>" for n in range(100_000)) + "</gpu>",
}
DEFAULTS = f"<!DOCTYPE nvidia_smi_log [<!ATTLIST b c CDATA '{'a' * MIB}'>]>"


@pytest.mark.parametrize("case", XML)
def test_documents_that_expand(case: str) -> None:
    parser = registry.parser_of("nvidia-smi-xml")
    assert parser is not None
    for head in ("", DEFAULTS):
        text = f"<?xml version='1.0'?>{head}<nvidia_smi_log>{XML[case]}</nvidia_smi_log>"
        assert spent_s(parser.plain, text) < allowed_s(parser, text)


def test_a_document_cannot_hide_what_is_refused_in_another_encoding() -> None:
    parser = registry.parser_of("nvidia-smi-xml")
    assert parser is not None
    bomb = (
        "<!DOCTYPE a [<!ENTITY b 'boom'>]><nvidia_smi_log><gpu id='1'><uuid>&b;</uuid></gpu></nvidia_smi_log>"
    )
    head = "<?xml version='1.0' encoding='cp037'?>"
    found = parser.plain(head + bomb.encode("cp037").decode("latin-1") + "<nvidia_smi_log>")
    assert not found["gpus"]


YAML = {
    "brackets": "[" * 10_000,
    "brackets in a spec": "config:\n  railbed:cluster: " + "[" * 250_000,
    "brackets behind an error": "a: &\n" + "[" * 15_000,
    "brackets closed in text": "[ ']', " * 2_000,
    "braces": "{a: " * 60_000,
    "dashes": "- " * 120_000,
    "questions": "? " * 120_000,
    "a list that never ends": "[" + "a, " * 80_000,
    "keys": "".join(f"key{n}: 1\n" for n in range(20_000)),
    "one key again and again": "key: 1\n" * 30_000,
    "lines": "a:\n " * 60_000,
    "quotes": "'" * 250_000,
    "spaces": "a:" + " " * 250_000 + "b",
    "digits": "1" * 250_000,
}


@pytest.mark.parametrize("case", YAML)
def test_yaml(case: str) -> None:
    begin = time.process_time()
    with contextlib.suppress(strict_yaml.YamlProblem):
        strict_yaml.parse(YAML[case])
    assert time.process_time() - begin < 4.0


SLURM = {
    "spaces behind a reason": "NodeName=n State=IDLE Reason=a" + " " * LINE + "[",
    "who, again and again": "NodeName=n State=IDLE Reason=" + " [a@" * (LINE // 4),
    "fields": "NodeName=n State=IDLE " + " Reason=a [b@" * (LINE // 12),
    "brackets": "NodeName=n Partitions=" + "a[" * (LINE // 2),
    "equals": "NodeName=" * (LINE // 9),
    "one word": "NodeName=n Reason=" + "a" * LINE,
}


@pytest.mark.parametrize("case", SLURM)
def test_what_slurm_prints(case: str) -> None:
    text = "\n".join([SLURM[case]] * 4)
    assert spent_s(slurm.nodes, text) < SHORTEST_S


@pytest.mark.parametrize(
    "text",
    [
        "n[0-99999999]", "n[" * LINE, "n[0-9]," * 65_536, "n[0-65535],m[0-65535]", "n[" + "1," * LINE, "a" * 300 + "[0-60000]",
        f"n[0-{'9' * 5000}]", f"{'a,' * LINE}[",
    ],
    ids=range(8),
)  # fmt: skip
def test_host_lists_that_are_none(text: str) -> None:
    begin = time.process_time()
    with pytest.raises(ValueError, match="not a host list"):
        slurm.hostlist(text)
    assert time.process_time() - begin < SHORTEST_S
