"""Storage against the published tables, and the sums of what an offer sells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railbed import catalog
from railbed.errors import UsageError
from railbed.laws import price, storage


def superpod(name: str, nodes: int) -> storage.StorageRates:
    return storage.rates(catalog.load_filesystem(f"metal/superpod-{name}"), nodes, 1)


@pytest.mark.parametrize(
    ("name", "node", "one_su", "four_su"),
    [
        ("good", (4, 2), (15, 7), (60, 30)),
        ("better", (8, 4), (40, 20), (160, 80)),
        ("best", (40, 20), (125, 62), (500, 250)),
    ],
)
def test_superpod_table_6(
    name: str, node: tuple[float, float], one_su: tuple[float, float], four_su: tuple[float, float]
) -> None:
    """NVIDIA RA-11333-001 V11, table 6, GB/s; four SU are four times one within the table's own rounding."""
    one, four = superpod(name, 32), superpod(name, 128)
    assert (one.read_gbytes_per_s, one.write_gbytes_per_s) == one_su
    assert four.read_gbytes_per_s == pytest.approx(four_su[0], rel=0.01)
    assert four.write_gbytes_per_s == pytest.approx(four_su[1], rel=0.07)
    assert (one.node_read_alone_gbytes_per_s, one.node_write_alone_gbytes_per_s) == node


@pytest.mark.parametrize(("name", "seconds"), [("better", 66), ("best", 21)])
def test_405b_checkpoint_on_four_su(name: str, seconds: float) -> None:
    """mlcommons/storage: a 405B model's checkpoint is 5.29 TB."""
    assert storage.checkpoint_write_s(5290, superpod(name, 128)) == pytest.approx(seconds, abs=0.6)


def test_jean_zay_wrote_2_3_tb_in_40_s() -> None:
    """stas00/ml-engineering storage: 57 GB/s."""
    given = storage.StorageRates(nodes=1, write_gbytes_per_s=57.5, basis="measured", derivation=[])
    assert storage.checkpoint_write_s(2300, given) == pytest.approx(40)


def test_few_nodes_are_bound_by_themselves() -> None:
    two = superpod("better", 2)
    assert (two.read_gbytes_per_s, two.write_gbytes_per_s) == (16, 8)
    assert superpod("better", 33).read_gbytes_per_s == 80, "a scalable unit's storage is bought whole"


def test_throughput_sold_by_size() -> None:
    offer = catalog.load_filesystem("aws/fsx-lustre-persistent-2")
    given = storage.rates(offer, 64, 120, 500)
    assert given.read_gbytes_per_s == given.write_gbytes_per_s == pytest.approx(60)
    assert given.node_read_gbytes_per_s == pytest.approx(60 / 64)
    assert given.node_read_alone_gbytes_per_s is None, "no limit of one client is published"
    assert storage.checkpoint_write_s(912, given) == pytest.approx(15.2)
    assert storage.rates(offer, 64, 120).read_gbytes_per_s == pytest.approx(15), (
        "the slowest step is the default"
    )


def test_a_node_s_ethernet_bounds_it() -> None:
    offer = catalog.load_filesystem("azure/managed-lustre")
    given = storage.rates(offer, 2, 480, 500, frontend_gbps=80)
    assert given.node_read_alone_gbytes_per_s == 10
    assert given.read_gbytes_per_s == 20, "two nodes of 10 GB/s each, out of 240"


def test_oracle_counts_per_tb() -> None:
    offer = catalog.load_filesystem("oci/lustre")
    terabytes = 31.2
    given = storage.rates(offer, 8, terabytes * 1e12 / 2**40, 500)
    assert given.read_gbytes_per_s == pytest.approx(terabytes * 500 / 1000, rel=1e-4)


def test_a_step_that_is_not_sold_is_refused() -> None:
    offer = catalog.load_filesystem("azure/managed-lustre")
    with pytest.raises(UsageError, match="not sold at 300") as refused:
        storage.rates(offer, 2, 16, 300)
    assert refused.value.allowed == [40, 125, 250, 500]


@pytest.mark.parametrize(
    "key", ["nebius/shared-filesystem", "lab/moosefs", "aws/fsx-lustre-intelligent-tiering"]
)
def test_what_nobody_published_stays_unknown(key: str) -> None:
    given = storage.rates(catalog.load_filesystem(key), 4, 10)
    assert given.basis == "none"
    assert given.read_gbytes_per_s is None
    assert storage.checkpoint_write_s(1, given) is None
    assert storage.checkpoint_restore_s(1, given) is None
    assert given.derivation


@given(st.integers(1, 4096), st.sampled_from(catalog.keys("filesystems")), st.floats(1, 10_000))
def test_shares_never_exceed_the_whole(nodes: int, key: str, size: float) -> None:
    given = storage.rates(catalog.load_filesystem(key), nodes, size, None, 400)
    for whole, share, alone in (
        (given.read_gbytes_per_s, given.node_read_gbytes_per_s, given.node_read_alone_gbytes_per_s),
        (given.write_gbytes_per_s, given.node_write_gbytes_per_s, given.node_write_alone_gbytes_per_s),
    ):
        if whole is not None and share is not None:
            assert share * nodes <= whole * (1 + 1e-9)
            assert alone is None or share <= alone * (1 + 1e-9)


def test_prices_add_up_and_gaps_are_said() -> None:
    h100, unknown = catalog.load_machine("aws/p5.48xlarge"), catalog.load_machine("aws/p6e-gb200.36xlarge")
    fsx = catalog.load_filesystem("aws/fsx-lustre-persistent-2")
    found = price.estimate([(h100, 65)], [], 75)
    assert found.hourly == pytest.approx(65 * 55.04)
    assert found.monthly == pytest.approx(found.hourly * 730)
    assert found.term == pytest.approx(found.hourly * 24 * 75)
    assert found.unknown == []
    assert "us-east-1" in found.note
    partly = price.estimate([(h100, 2), (unknown, 18)], [(fsx, 120, 500)])
    assert partly.unknown == ["18 × aws/p6e-gb200.36xlarge", "120 TiB of aws/fsx-lustre-persistent-2"]
    assert not partly.nothing_known
    assert price.estimate([(unknown, 18)], []).nothing_known


def test_a_filesystem_s_price_is_by_step() -> None:
    fsx = catalog.load_filesystem("aws/fsx-lustre-persistent-2")
    priced = fsx.model_copy(update={"price_usd_per_tib_month": {"500": 73.0}})
    assert price.estimate([], [(priced, 10, 500)]).hourly == pytest.approx(1)
    assert price.estimate([], [(priced, 10, 250)]).unknown
    anything = fsx.model_copy(update={"price_usd_per_tib_month": {"any": 7.3}})
    assert price.estimate([], [(anything, 100, None)]).hourly == pytest.approx(1)
