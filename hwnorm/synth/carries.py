"""ECP5's carry chains with no more around them than they need; yosys leaves work to the placer that costs LUTs.

A CCU2C is two halves. Each has ``INIT``, a LUT of four pins: ``S = INIT(A, B, C, D) ^ carry in``, and the carry goes on
where that LUT says 1; else it is made by the first four bits of INIT, which look at A and B alone. Three rules; every
one keeps the function of every output.

1. *End.* A carry that nobody reads is not brought out: the placer would spend a cell on it.
2. *Beginning.* A carry in that is constant comes through a cell of the placer's too. Where the first half makes its
   carry by itself, nothing needs to come in; where the chain ends in the middle of a cell, it moves up by a half and
   makes the constant itself; else the first half makes what would have left it, and its sum moves into a LUT.
3. *Gates.* A LUT that only one half reads moves into that half's own where all inputs fit: ``a + (b & c)`` costs what
   ``a + b`` does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations, product

from hwnorm.synth.netlist import Bit, Netlist, number, parameter

CARRY, LUT = "CCU2C", "LUT4"
PINS = "ABCD"
UNKNOWN, ZERO, ONE = "x", "0", "1"


@dataclass(frozen=True, slots=True)
class _Half:
    """What stands at the pins A to D, the LUT, and the net of the sum, if anybody reads it."""

    pins: tuple[Bit, ...]
    init: int
    sum: Bit | None

    @property
    def idle(self) -> bool:
        return self.sum is None

    @property
    def makes_all(self) -> bool:
        """Whether no carry ever goes on, whatever the nets at its pins are."""
        nets: list[Bit] = [*{pin for pin in self.pins if isinstance(pin, int)}]
        cases = (dict(zip(nets, values, strict=True)) for values in product((0, 1), repeat=len(nets)))
        return not any(self.passes(_row(self.pins, case)) for case in cases)

    def passes(self, row: tuple[int, ...]) -> int:
        """Whether the carry goes on."""
        return self.init >> _index(row) & 1

    def makes(self, row: tuple[int, ...]) -> int:
        """The carry where it does not."""
        return self.init >> _index(row[:2]) & 1


def tidy(nets: Netlist) -> Counter[str]:
    """What was done, by kind."""
    done = Counter[str]()
    for name in [n for n, c in nets.cells.items() if c["type"] == CARRY]:
        done["gates_in_carries"] += sum(_take_gates(nets, name, half) for half in (0, 1))
    for chain in _chains(nets):
        done.update(_open_ends(nets, chain))
    return done


def _index(row: tuple[int, ...]) -> int:
    return sum(value << place for place, value in enumerate(row))


def _row(pins: tuple[Bit, ...], values: Mapping[Bit, int]) -> tuple[int, ...]:
    return tuple(int(pin) if pin in (ZERO, ONE) else values[pin] for pin in pins)


def _read(nets: Netlist, name: str, half: int) -> _Half:
    total = nets.bit(name, f"S{half}")
    pins = tuple(_pin(nets, name, f"{pin}{half}") for pin in PINS)
    used = isinstance(total, int) and nets.users[total]
    return _Half(pins, number(nets.cells[name], f"INIT{half}", 0), total if used else None)


def _pin(nets: Netlist, name: str, port: str) -> Bit:
    """An open pin is high."""
    bit = nets.bit(name, port)
    return ONE if bit is None or bit in ("x", "z") else bit


def _write(nets: Netlist, name: str, half: int, found: _Half) -> None:
    for pin, bit in zip(PINS, found.pins, strict=True):
        nets.connect(name, f"{pin}{half}", bit)
    nets.cells[name]["parameters"][f"INIT{half}"] = f"{found.init:016b}"
    nets.connect(name, f"S{half}", UNKNOWN if found.sum is None else found.sum, "output")


# Ends and beginnings


def _chains(nets: Netlist) -> list[list[str]]:
    cells = [n for n, c in nets.cells.items() if c["type"] == CARRY]
    after: dict[str, str] = {}
    for name in cells:
        driver, port = nets.driver.get(nets.bit(name, "CIN") or ZERO, ("", ""))
        if driver and port == "COUT":
            after[driver] = name
    behind = set(after.values())
    chains = []
    for name in cells:
        if name not in behind:
            chain = [name]
            while chain[-1] in after:
                chain.append(after[chain[-1]])
            chains.append(chain)
    return chains


def _plain(nets: Netlist, name: str) -> bool:
    return all(parameter(nets.cells[name], f"INJECT1_{half}", "YES") == "NO" for half in (0, 1))


def _open_ends(nets: Netlist, chain: list[str]) -> Counter[str]:
    done = Counter[str]()
    out, given = nets.bit(chain[-1], "COUT"), nets.bit(chain[0], "CIN")
    if isinstance(out, int) and not nets.users[out]:
        nets.connect(chain[-1], "COUT", UNKNOWN, "output")
        done["carry_ends"] += 1
    if given not in (ZERO, ONE) or not all(_plain(nets, name) for name in chain):
        return done
    halves = [_read(nets, name, half) for name in chain for half in (0, 1)]
    first = halves[0]
    if first.idle and first.makes_all:
        nets.connect(chain[0], "CIN", UNKNOWN)
        done["carry_beginnings"] += 1
    elif halves[-1].idle and _ends_within(nets, chain):
        maker = _Half((ONE,) * 4, 0xF if given == ONE else 0, None)
        for place, half in enumerate([maker, *halves[:-1]]):
            _write(nets, chain[place // 2], place % 2, half)
        nets.connect(chain[0], "CIN", UNKNOWN)
        done["carry_beginnings"] += 1
    elif _begin_within(nets, chain[0], first, int(given)):
        nets.connect(chain[0], "CIN", UNKNOWN)
        done["carry_beginnings"] += 1
    return done


def _begin_within(nets: Netlist, name: str, first: _Half, given: int) -> bool:
    """The carry behind a first half, made by A and B alone: of two nets at most."""
    wanted: list[Bit] = sorted({pin for pin in first.pins if isinstance(pin, int)})
    cases = [dict(zip(wanted, values, strict=True)) for values in product((0, 1), repeat=len(wanted))]
    rows = [_row(first.pins, case) for case in cases]
    carries = [given if first.passes(row) else first.makes(row) for row in rows]
    weights = {net: 1 << (len(wanted) - 1 - place) for place, net in enumerate(wanted)}  # of a net in a case's number
    deciding = [net for net in wanted if any(c != carries[n ^ weights[net]] for n, c in enumerate(carries))]
    if len(deciding) > 2:
        return False
    spare: list[Bit] = [ONE] * 2
    pins = (deciding + spare)[:2]
    made = {_index(_row((*pins,), case)): carry for case, carry in zip(cases, carries, strict=True)}
    if first.sum is not None:
        sums = {_index(tuple(case.values())): first.passes(row) ^ given for case, row in zip(cases, rows, strict=True)}
        _add_lut(nets, f"{name}_first", wanted, _table(sums), first.sum)
    _write(nets, name, 0, _Half((*pins, ONE, ONE), _table(made), None))
    return True


def _table(bits: Mapping[int, int]) -> int:
    return sum(value << index for index, value in bits.items())


def _add_lut(nets: Netlist, name: str, pins: list[Bit], table: int, output: Bit) -> None:
    """``table`` is indexed by the pins; those that are missing are low."""
    entries = [*pins, *[ZERO] * (len(PINS) - len(pins))]
    connections = {pin: [bit] for pin, bit in zip((*PINS, "Z"), (*entries, output), strict=True)}
    nets.add(name, LUT, connections, "Z", {"INIT": f"{table:016b}"})


def _ends_within(nets: Netlist, chain: list[str]) -> bool:
    """Whether nobody but the chain itself reads its carries."""
    read = [nets.users[bit] for name in chain if isinstance(bit := nets.bit(name, "COUT"), int)]
    return read == [{(name, "CIN")} for name in chain[1:]]


# Gates


def _take_gates(nets: Netlist, name: str, half: int) -> int:
    """LUTs that a half took in."""
    taken = 0
    while _plain(nets, name):
        found = _read(nets, name, half)
        for place, pin in enumerate(found.pins):
            gate = _gate(nets, pin, (name, f"{PINS[place]}{half}"))
            merged = _merged(nets, found, place, gate) if gate else None
            if gate and merged:
                _write(nets, name, half, merged)
                nets.remove(gate)
                taken += 1
                break
        else:
            break
    return taken


def _gate(nets: Netlist, pin: Bit, reader: tuple[str, str]) -> str | None:
    """The LUT that drives a pin, and nothing else."""
    driver, _ = nets.driver.get(pin, ("", ""))
    if not driver or nets.cells[driver]["type"] != LUT or "keep" in nets.cells[driver].get("attributes", {}):
        return None
    return driver if nets.users[pin] == {reader} else None


def _merged(nets: Netlist, half: _Half, place: int, gate: str) -> _Half | None:
    """A half whose pins are the gate's and its own but that one, in an order for which INIT can be both: the LUT of
    all four pins, and in its first four bits the carry that A and B make."""
    entries = tuple(_pin(nets, gate, pin) for pin in PINS)
    table = number(nets.cells[gate], "INIT", 0)
    wanted: list[Bit] = sorted({p for p in (*entries, *half.pins) if isinstance(p, int)} - {half.pins[place]})
    if len(wanted) > len(PINS):
        return None
    spare: list[Bit] = [ONE] * (len(PINS) - len(wanted))
    for pins in permutations(wanted + spare):
        bits: dict[int, int] = {}
        for values in product((0, 1), repeat=len(wanted)):
            at: dict[Bit, int] = dict(zip(wanted, values, strict=True))
            at[half.pins[place]] = table >> _index(_row(entries, at)) & 1
            old, new = _row(half.pins, at), _row(pins, at)
            goes_on = half.passes(old)
            claims = [(_index(new), goes_on)]
            if not goes_on:
                claims.append((_index(new[:2]), half.makes(old)))
            if any(bits.setdefault(index, value) != value for index, value in claims):
                break
        else:
            return _Half(pins, _table(bits), half.sum)
    return None
