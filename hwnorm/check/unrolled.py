"""Which faults change nothing, proven by unrolling the one block that they are in: a stage, a sweep, or another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hwnorm.bundle.manifest import engine_of
from hwnorm.check.equivalence import LATE, PROVEN
from hwnorm.check.folder import Folder
from hwnorm.check.proof import TIMEOUT_S, Layers, Proof, Range
from hwnorm.check.reset_proof import ResetProof
from hwnorm.check.stage_proof import StageProof, known_of
from hwnorm.check.window_proof import Operand, Window, WindowProof
from hwnorm.gates import Mutant, Netlist
from hwnorm.ir import Op
from hwnorm.rtl.cells import Cell
from hwnorm.rtl.design import Design
from hwnorm.rtl.engine import EngineBlock
from hwnorm.rtl.plan import Plan, SweepPlan
from hwnorm.rtl.stage import StageBlock
from hwnorm.rtl.sweep import SweepBlock

WINDOW = 24  # cycles of what is no pipeline
MOST_LAYERS = 64


def verdicts(folder: Folder, faults: Sequence[Mutant], seconds: float = TIMEOUT_S) -> list[str]:
    """Of each fault: "proven", or what is not: "refuted" where it shows if a block's inputs may be anything that its
    neighbours promised, else "open"."""
    found = [""] * len(faults)
    engine, netlist = EngineBlock(folder.design.plan, folder.name), folder.optimised
    words = layers_of(folder.design)
    lengths = range(1, len(words) + 1)
    shorter = [replace(folder.design, engine=engine_of({**folder.about, "max_elements": m})) for m in lengths]
    blocks = defaultdict[str, list[int]](list)
    for k, fault in enumerate(faults):
        blocks[fault.instance.split(".")[0]].append(k)

    def prove(instance: str, numbers: Sequence[int]) -> None:
        proofs = _proofs(engine, netlist, instance, [faults[k] for k in numbers], words, shorter)
        while any(found[k] != PROVEN for k in numbers) and (proof := next(proofs, None)):
            for place, k in enumerate(numbers):
                if found[k] != PROVEN:
                    verdict = proof.verdict(place, seconds)
                    found[k] = verdict if verdict == PROVEN or found[k] in ("", LATE) else found[k]

    for instance, numbers in blocks.items():
        prove(instance, numbers)
        for k in numbers if len(numbers) > 1 else ():
            if found[k] == LATE:  # the gates of the others stood in its way
                prove(instance, [k])
    return found


def layers_of(design: Design) -> list[dict[str, int]]:
    """All that a host may load together, but for epsilon; none where that is too many to be looked at one by one."""
    engine = design.engine
    if engine.elements is not None or engine.norm.sampling or engine.max_elements > MOST_LAYERS:
        return []
    words = [design.layer_words(engine.setting(m)) for m in range(1, engine.max_elements + 1)]
    return [{name: value for name, value in one.items() if name != "E"} for one in words]


def ranges_of(stage: StageBlock, designs: Iterable[Design]) -> list[dict[str, Range]]:
    """Of what a stage starts from, by port, in designs for other lengths: a sum of fewer elements is smaller."""
    found = []
    for design in designs:
        plan = design.plan.stages.get(stage.plan.number)
        own = {cell.name: Range(cell.lo, cell.hi) for cell in plan.captured if cell.name} if plan else {}
        found.append({port.name: own[cell.name] for cell, port in stage.captured.items() if cell.name in own})
    return found


def worlds_of(stage: StageBlock, plan: Plan) -> list[dict[str, Range]]:
    """Ranges that are looked at one after the other, by port. A reciprocal that a stage is handed with its exponent is
    of a whole number or the root of one, so no more than 1; of 0 there is none, but 0 in its place."""
    ports, found = {cell.name: (cell, port.name) for cell, port in stage.captured.items()}, [dict[str, Range]()]
    for node, kind in plan.program.types.items():
        if node.op is Op.INPUT and [scale.op for scale in kind.scale] == [Op.RECIP] and node.name in ports:
            (_, mantissa), (frac, exponent) = ports[node.name], ports[f"{node.name}_frac"]
            least = kind.format.width - 1
            if frac.lo < least:
                some = {exponent: Range(least, frac.hi)}
                found = [{**one, **more} for one in found for more in ({mantissa: Range(0, 0)}, some)]
    return found


def _proofs(
    engine: EngineBlock,
    netlist: Netlist,
    instance: str,
    faults: Sequence[Mutant],
    words: Sequence[Mapping[str, int]],
    shorter: Sequence[Design],
) -> Iterator[Proof]:
    """One, or what another one may still prove."""
    kind, _, number = instance.partition("_")
    if kind == "stage":
        stage = engine.stages[int(number)]
        captured = {port.name: Range(cell.lo, cell.hi) for cell, port in stage.captured.items()}
        ranges = ranges_of(stage, shorter)
        layer = Layers({cell.name: port.name for cell, port in stage.layer.items()}, words, ranges)
        known, quiet = known_of(instance, stage), engine.plan.sweeps[int(number) - 1].sums_at if int(number) else 0
        worlds = worlds_of(stage, engine.plan)
        yield StageProof(netlist, instance, faults, stage.plan.latency, captured, layer, known, quiet, worlds)
    elif kind == "sweep" and isinstance(engine.sweeps[int(number) - 1], SweepBlock):
        sweep, plan = engine.sweeps[int(number) - 1], engine.plan.sweeps[int(number) - 1]
        shown = dict.fromkeys(sweep.outputs, "")
        shown |= dict.fromkeys([*_names(sweep.sums), *_names(sweep.carried)], "start")
        shown |= dict.fromkeys(_names(sweep.passed), "pass_valid")
        shown |= dict.fromkeys([*_names(sweep.written), "write_last", "write_tail"], "write_valid")
        cycles = max(plan.sums_at, plan.released_at, plan.passes_at, plan.writes_at) + 3
        layer = Layers({cell.name: port.name for cell, port in sweep.layer.items()}, words)
        operands = {port.name: _operand(instance, cell, port, plan) for cell, port in sweep.operands.items()}
        before = engine.stages.get(int(number) - 1)
        window = Window(cycles, shown, layer, operands, before.plan.latency if before else 0)
        yield WindowProof(netlist, instance, faults, window)
        yield ResetProof(netlist, instance, faults, window)
    else:
        yield WindowProof(netlist, instance, faults, Window(WINDOW, {}))


def _operand(instance: str, cell: Cell, port: Any, plan: SweepPlan) -> Operand:
    """Its copies at the depths where it is used are made as the first beat comes there."""
    depths, name = [depth for c, depth in plan.operands if c is cell], port.name.removesuffix("_in")
    copies = {f"{instance}.{name}_at_{d}": f"{instance}.first_{d - 1}" if d else "" for d in depths}
    return Operand(Range(cell.lo, cell.hi), copies)


def _names(ports: Mapping[Any, Any]) -> list[str]:
    return [port.name for port in ports.values()]
