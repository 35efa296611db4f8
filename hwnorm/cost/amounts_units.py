"""What a serial unit is made of: a count of each kind, and the bits that its registers and adders are long."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hwnorm.fixed import Format
from hwnorm.units import (
    Aligner,
    Divider,
    Gain,
    Multiplier,
    NewtonReciprocal,
    RestoringReciprocal,
    Root,
    Rounder,
    TableReciprocal,
)

Amounts = Counter[str]


def unit_amounts(unit: Any, formats: list[Format]) -> Amounts:
    """``formats`` of its operands, of a multiplier only the factor's."""
    match unit:
        case Multiplier():
            return Amounts(multiplier=1, multiplier_bits=formats[0].width)
        case Divider(width, frac):
            n, d = formats
            return Amounts(divider=1, divider_bits=d.width, divider_held_bits=n.width + frac + width)
        case Root(width):
            return Amounts(root=1, root_bits=width, root_held_bits=formats[0].width)
        case RestoringReciprocal(width):
            return Amounts(reciprocal=1, reciprocal_bits=width, exponent_bits=formats[0].width.bit_length())
        case TableReciprocal() | NewtonReciprocal():
            return Amounts(other_reciprocal=1, other_reciprocal_bits=unit.width)
        case Gain(width):
            reach = formats[1].width + 1
            return Amounts(gain=1, gain_bits=width, exponent_bits=reach)
        case Aligner(span):
            width = formats[0].width + span
            return Amounts(aligner=1, counted_bits=width.bit_length(), collected_bits=width)
        case Rounder(lo, hi, result):
            clips = unit.clips(formats[0])
            steps = (hi - lo).bit_length()
            return Amounts(rounder=1, rounder_bits=result.width, rounder_clips=int(clips), exponent_bits=steps)
        case _:
            raise AssertionError(f"{unit!r} has no amounts")
