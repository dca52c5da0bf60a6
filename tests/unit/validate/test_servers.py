"""Real output of MooseFS 3.0.117 from a lab, before and after one data server was killed."""

from pathlib import Path

from railbed.parse.moosefs import data_servers, fewest_copies

DATA = Path(__file__).parent / "data"


def test_connected_servers() -> None:
    servers = data_servers((DATA / "mfscli-servers.txt").read_text())
    assert servers == {f"10.90.0.{i}": True for i in range(11, 15)}


def test_a_killed_server_is_not_alive() -> None:
    servers = data_servers((DATA / "mfscli-servers-dead.txt").read_text())
    assert servers == {"10.90.0.11": True, "10.90.0.12": False, "10.90.0.13": True, "10.90.0.14": True}


def test_a_server_that_offers_no_space_is_not_alive() -> None:
    line = "chunk servers:|10.90.0.11|9422|1|-|3.0.117|0|maintenance_off|0|0|0|-|0|0|0"
    assert data_servers(line) == {"10.90.0.11": False}


def test_copies_of_the_worst_chunk() -> None:
    text = (DATA / "mfsfileinfo.txt").read_text()
    assert fewest_copies(text) == 2
    assert fewest_copies(text.replace("VALID", "INVALID", 1)) == 1
    cut = "\n".join(line for line in text.splitlines() if "copy 2" not in line)
    assert fewest_copies(cut) == 1
    assert fewest_copies("\tchunk 0: 0A_01 / (id:1 ver:1)\n\t\tno valid copies !!!\n") == 0


def test_no_chunk_says_nothing() -> None:
    assert fewest_copies("can't open file\n") is None
    assert data_servers("can't connect to master\n") == {}
