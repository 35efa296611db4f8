"""The time of a streaming engine, by hand."""

from __future__ import annotations

from math import ceil

import pytest

from hwnorm.cost.streaming import Machine, Pass, Stream
from hwnorm.engine import Engine
from hwnorm.ir import mask_symbol
from hwnorm.norms.catalog import CATALOG
from hwnorm.rtl.design import Design
from hwnorm.views.count import Traffic

# A norm of three sweeps that reads 8 bits in each and writes 8: L1's forward pass
THREE = Stream(Traffic(read=24, inputs=8, written=8, replayed=16, sweeps=3), sweeps=3, interval=24, overhead=60)
# One of two sweeps that keeps a flag an element for its second: 16 bits in, 17 read again, 8 out
KEEPING = Stream(
    Traffic(read=33, inputs=16, written=9, kept=1, replayed=17, sweeps=2), sweeps=2, interval=5, overhead=20
)


# One of two sweeps that takes 34 bits an element, 26 of them the same in every group: layer norm's forward pass
SHARING = Stream(
    Traffic(read=42, read_shared=26, inputs=34, inputs_shared=26, written=8, replayed=34, sweeps=2), 2, 5, 20
)


def of(norm: str, direction: str, lanes: int = 16, elements: int = 1 << 16, external: bool = False) -> Stream:
    return Stream.of(Design(Engine(norm, 8, max_elements=elements), direction, lanes, external))


@pytest.mark.parametrize(
    ("groups", "elements", "lanes", "cycles"),
    [
        (1, 400, 16, 3 * 24 + 60),
        (10, 400, 16, 3 * 24 + 9 * 25 + 60),
        (10, 401, 16, 3 * 25 + 9 * 26 + 60),  # the last beat is not full
        (10, 400, 1, 3 * 399 + 9 * 400 + 60),
        (10, 400, 64, 3 * 6 + 9 * 24 + 60),  # 7 beats, but the scalar stage takes a group every 24 cycles
        (512, 128, 16, 3 * 7 + 511 * 24 + 60),
    ],
)
def test_cycles_by_hand(groups: int, elements: int, lanes: int, cycles: int) -> None:
    assert THREE.time(groups, elements, Machine(lanes=lanes)).cycles == cycles


def test_one_sweep_waits_for_no_other() -> None:
    stream = Stream(Traffic(read=8, inputs=8, written=8, sweeps=1), sweeps=1, interval=0, overhead=4)
    assert stream.time(3, 32, Machine(16)) == Pass(1 + 2 * 2 + 4, 0, 3 * 32 * 2, 9 / 200e6, False)


def test_on_chip_the_memory_sees_the_first_read_and_the_output() -> None:
    found = THREE.time(16, 1000, Machine())
    assert found.dram_bytes == 16 * 1000 * 2
    assert found.sram_bytes == 16 * 1000 * 2 * 2  # two further sweeps, written and read


def test_off_chip_every_sweep_reads_from_memory() -> None:
    machine = Machine(onchip_kib=1)
    longest = 1024 * 8 // 16  # 16 bits an element are held between sweeps
    fits, not_quite = THREE.time(1, longest, machine), THREE.time(1, longest + 1, machine)
    assert (fits.dram_bytes, fits.sram_bytes) == (2 * longest, 4 * longest)
    assert (not_quite.dram_bytes, not_quite.sram_bytes) == (4 * (longest + 1), 0)


def test_what_is_kept_is_written_off_chip_too() -> None:
    on, off = KEEPING.time(1, 800, Machine()), KEEPING.time(1, 800, Machine(onchip_kib=1))
    assert on.dram_bytes == 800 * (16 + 8) // 8
    assert off.dram_bytes == 800 * (16 + 8 + 17 + 1) // 8


def test_what_every_group_shares_comes_from_on_chip() -> None:
    on, off = SHARING.time(1, 200, Machine()), SHARING.time(1, 800, Machine(onchip_kib=1))
    assert (on.dram_bytes, on.sram_bytes) == (200 * (8 + 8) // 8, 200 * (26 + 2 * 34) // 8)
    assert (off.dram_bytes, off.sram_bytes) == (800 * (2 * 8 + 8) // 8, 800 * 26 // 8)
    assert of("layer", "forward").traffic == SHARING.traffic


def test_backward_off_chip_no_flag_is_kept() -> None:
    """Without replay memories an engine reads dy and x in both sweeps, whatever the norm."""
    machine = Machine(onchip_kib=4)
    found = [of(norm, "backward", external=True).time(8, 1 << 16, machine) for norm in ("l2", "l1", "range")]
    assert {one.dram_bytes for one in found} == {(8 << 16) * (16 + 16 + 8) // 8}


def test_what_is_replayed_is_what_the_memories_hold() -> None:
    """But for a sample's flags, which are an address."""
    for norm in CATALOG.values():
        for form in norm.forms:
            engine = Engine(norm.name, 8, max_elements=64, form=form)
            for design in (Design(engine, direction, 1) for direction in engine.directions):
                held = [n for sweep in design.plan.sweeps[1:] for n in sweep.arriving if mask_symbol(n) is None]
                assert sum(design.program.types[n].format.width for n in held) == design.traffic.replayed, engine


def test_l1_reads_a_third_time_where_a_group_does_not_fit() -> None:
    machine = Machine(onchip_kib=4)
    l1, l2 = (of(norm, "forward").time(8, 1 << 16, machine) for norm in ("l1", "l2"))
    assert l1.dram_bytes - l2.dram_bytes == 8 << 16  # one byte an element
    l1, l2 = (of(norm, "forward").time(8, 1 << 10, machine) for norm in ("l1", "l2"))
    assert l1.dram_bytes == l2.dram_bytes


def test_memory_bound() -> None:
    found = THREE.time(100, 16_000, Machine(lanes=64, clock_mhz=400, dram_gbps=1))
    assert found.dram_bytes == 3_200_000
    assert found.memory_bound and found.seconds == 3_200_000 / 1e9
    free = THREE.time(100, 16_000, Machine(lanes=64, clock_mhz=400, dram_gbps=1000))
    assert not free.memory_bound and free.seconds == free.cycles / 400e6
    assert free.cycles == found.cycles


@pytest.mark.parametrize("norm", ["l1", "l2", "range", "layer", "rms", "mean-only"])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_the_tree_is_the_only_part_of_the_latency_that_knows_the_lanes(norm: str, direction: str) -> None:
    """A cycle a level for sums; of extremes two, beside which a long sum takes one more for its upper half."""
    one = of(norm, direction, 1)
    for lanes in (2, 3, 16, 64):
        stream, levels = of(norm, direction, lanes), (lanes - 1).bit_length()
        tree = 2 * levels - 1 if (norm, direction) == ("range", "forward") else levels
        assert stream.overhead - one.overhead == tree * (stream.sweeps - 1)
        assert 0 <= stream.interval - one.interval <= 2 * levels
    assert one.overhead >= one.interval


def test_sweeps_of_the_norms() -> None:
    assert [of(n, "forward").traffic.sweeps for n in ("l1", "l2", "range", "rms", "srelu")] == [3, 2, 2, 2, 1]
    assert [of(n, "backward").traffic.sweeps for n in ("l1", "l2", "range")] == [2, 2, 2]


def test_cycles_over_random_shapes() -> None:
    import random

    rng = random.Random(3)
    for _ in range(300):
        sweeps, interval, overhead = rng.randint(1, 3), rng.randint(0, 50), rng.randint(0, 99)
        groups, elements, lanes = rng.randint(1, 100), rng.randint(1, 5000), rng.randint(1, 64)
        stream = Stream(Traffic(read=8 * sweeps, inputs=8, sweeps=sweeps), sweeps, interval, overhead)
        beats = ceil(elements / lanes)
        expected = sum(max(beats, interval) for _ in range(groups - 1)) + sweeps * (beats - 1) + overhead
        assert stream.time(groups, elements, Machine(lanes)).cycles == expected


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"lanes": 0}, "lanes must be an integer from 1 to 64, not 0"),
        ({"lanes": 65}, "lanes must be an integer from 1 to 64, not 65"),
        ({"clock_mhz": 0}, "clock_mhz must be from 1e-6 to 1e12, not 0"),
        ({"onchip_kib": -1}, "onchip_kib must be from 1e-6 to 1e12, not -1"),
        ({"dram_gbps": float("nan")}, "dram_gbps must be from 1e-6 to 1e12, not nan"),
    ],
)
def test_a_machine_that_cannot_be(arguments: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Machine(**arguments)  # type: ignore[arg-type]
