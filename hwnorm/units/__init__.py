"""The arithmetic that is more than one operator: each unit a file with its equation, its bit-true ``compute()``, its
hardware, its latency.

A unit is a frozen dataclass of its parameters. ``compute()`` takes NumPy integer arrays (int64, or object with Python
integers where values pass 63 bits), defines the result for every input, and knows no normalization. From the operands'
formats ``hardware()`` makes the module that computes the same, and ``latency()`` tells how long it takes.

The serial units (divider, root, reciprocals, normaliser, gain, multiplier, rounder) compute one value per group. Their
operands stand still from the cycle of ``start`` until the result is there, ``latency`` cycles later; it stays until the
next start. The tree and the accumulator take a beat every cycle.
"""

from hwnorm.units.accumulator import Accumulator as Accumulator
from hwnorm.units.adder_tree import AdderTree as AdderTree
from hwnorm.units.aligner import Aligner as Aligner
from hwnorm.units.divider import Divider as Divider
from hwnorm.units.gain import Gain as Gain
from hwnorm.units.lfsr import Lfsr as Lfsr
from hwnorm.units.multiplier import Multiplier as Multiplier
from hwnorm.units.normaliser import Normaliser as Normaliser
from hwnorm.units.reciprocal import NewtonReciprocal as NewtonReciprocal
from hwnorm.units.reciprocal import Reciprocal as Reciprocal
from hwnorm.units.reciprocal import RestoringReciprocal as RestoringReciprocal
from hwnorm.units.reciprocal import TableReciprocal as TableReciprocal
from hwnorm.units.reciprocal import reciprocal_unit as reciprocal_unit
from hwnorm.units.root import Root as Root
from hwnorm.units.rounder import Rounder as Rounder
