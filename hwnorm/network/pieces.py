"""Layer, rms, group and batch norms that were left in pieces: mean, difference, square, mean, root, quotient.

Both readers walk a program in order and tell ``Pieces`` of every elementary operation. A value gets a *mark* that
says what is known of it; a quotient of the right marks is a norm. So every spelling is one path through few marks::

    x -> MEAN -> x - mean: CENTRED -> SQUARE -> mean: VARIANCE -> sqrt: DEVIATION -> CENTRED / DEVIATION: NORMED
    x -> SQUARE -> mean: VARIANCE (not centred) -> rsqrt: INVERSE -> x * INVERSE: NORMED
    x -> length: LENGTH -> x / length: UNIT -> * sqrt(d) or a gamma of size d: NORMED
    x - mean: CENTRED -> ABSOLUTE -> mean: DEVIATION -> CENTRED / DEVIATION: NORMED     (L1 batch norm)
    INVERSE * gamma, beta - mean * INVERSE: OFFSET, x * INVERSE + OFFSET: NORMED      (TensorFlow's order)

A SUM is divided by how many it is of, and then the mean. A following product with a parameter of the right size is the
norm's gamma, a sum its beta. Where a centred value, or a value and its own spread, meet in another way, a norm may have
been missed, and ``warnings`` says where.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isclose, prod, sqrt

from hwnorm.network.marks import Found, Key, Mark, Stage


class Pieces:
    """``parameter(key)`` gives the size of a trained tensor, ``scalar(key)`` the value of a known constant,
    ``shape(key)`` that of any tensor, else None.

    Every method takes the key of the result first. Keys of values that were only renamed or cast are one (``same``).
    """

    def __init__(
        self,
        parameter: Callable[[Key], int | None],
        scalar: Callable[[Key], float | None],
        shape: Callable[[Key], Sequence[int] | None],
    ) -> None:
        self.found: list[Found] = []
        self._doubts: list[tuple[str, Key]] = []  # where, and the source
        self._parameter = parameter
        self._scalar = scalar
        self._shape = shape
        self._marks: dict[Key, Mark] = {}
        self._roots: dict[Key, Key] = {}
        self._whole: dict[Key, tuple[int, ...]] = {}

    def _root(self, key: Key) -> Key:
        return self._roots.get(key, key)

    def _mark(self, key: Key) -> Mark | None:
        return self._marks.get(self._root(key))

    def same(self, out: Key, a: Key) -> None:
        """A cast, a copy, a broadcast."""
        self._roots[out] = self._root(a)
        mark = self._mark(a)
        if mark is not None and mark.norm is not None and mark.norm.output == a:
            mark.norm.output = out

    def reshape(self, out: Key, before: Sequence[int], after: Sequence[int], a: Key) -> None:
        mark = self._mark(a)
        if mark is not None and (norm := mark.norm) and norm.output == a and self._is_regrouped(norm, tuple(after)):
            norm.whole, norm.output, self._marks[out] = tuple(after), out, mark
            return
        if len(before) > 1 and len(after) > 2 and before[0] == after[0]:
            self._whole[out] = tuple(before)
        if mark is not None and prod(before) == prod(after) and (mark.stage in _SMALL or self._mean_squared(mark)):
            self._marks[out] = mark  # a kept axis of size one put back by hand

    def _is_regrouped(self, norm: Found, after: tuple[int, ...]) -> bool:
        """Whether a reshape to ``after`` ends a group norm; of vectors, a gamma before it is a layer norm's."""
        of_parts = len(after) == 2 and not norm.operator and (norm.scale or norm.shift)
        return self._whole.get(norm.source) == after and not of_parts

    def grouped(self, name: str, out: Key, a: Key, shape: Sequence[int], scale: bool, shift: bool) -> bool:
        """InstanceNormalization of a tensor that was reshaped to (N, groups, rest): the middle of a group norm."""
        if len(shape) < 3 or self._root(a) not in self._whole:
            return False
        axes = tuple(range(2, len(shape)))
        self._found(name, out, Mark(Stage.CENTRED, self._root(a), tuple(shape), axes, True, scale, shift))
        self.found[-1].operator = True
        return True

    def mean(self, out: Key, a: Key, shape: Sequence[int], axes: Sequence[int]) -> None:
        self._marks[out] = self._mean(a, tuple(shape), tuple(axes))

    def _mean(self, a: Key, shape: tuple[int, ...], axes: tuple[int, ...]) -> Mark:
        mark = self._mark(a)
        if mark is not None and mark.stage is Stage.SQUARE:
            return Mark(Stage.VARIANCE, mark.source, shape, axes, mark.centred and mark.axes == axes)
        if mark is not None and mark.stage is Stage.ABSOLUTE and mark.axes == axes:
            return Mark(Stage.DEVIATION, mark.source, shape, axes, True)
        return Mark(Stage.MEAN, self._root(a), shape, axes)

    def sum(self, out: Key, a: Key, shape: Sequence[int], axes: Sequence[int]) -> None:
        mean = self._mean(a, tuple(shape), tuple(axes))
        self._marks[out] = replace(mean, stage=Stage.SUM, mean=mean)

    def variance(self, out: Key, a: Key, shape: Sequence[int], axes: Sequence[int], root: bool = False) -> None:
        stage = Stage.DEVIATION if root else Stage.VARIANCE
        mark = self._mark(a)
        source = mark.source if mark is not None and mark.stage is Stage.CENTRED else self._root(a)
        self._marks[out] = Mark(stage, source, tuple(shape), tuple(axes), True)

    def length(self, out: Key, a: Key, shape: Sequence[int], axes: Sequence[int]) -> None:
        self._marks[out] = self._vector(Stage.LENGTH, a, tuple(shape), tuple(axes))

    def unit(self, out: Key, a: Key, shape: Sequence[int], axes: Sequence[int]) -> Key:
        """The source of the norm that it may become."""
        self._marks[out] = self._vector(Stage.UNIT, a, tuple(shape), tuple(axes))
        return self._marks[out].source

    def _vector(self, stage: Stage, a: Key, shape: tuple[int, ...], axes: tuple[int, ...]) -> Mark:
        mark = self._mark(a)
        if mark is not None and mark.stage is Stage.CENTRED and mark.axes == axes:
            return Mark(stage, mark.source, shape, axes, True)
        return Mark(stage, self._root(a), shape, axes)

    def square(self, out: Key, a: Key) -> None:
        mark = self._mark(a)
        if mark is not None and mark.stage is Stage.CENTRED:
            self._marks[out] = replace(mark, stage=Stage.SQUARE, centred=True)
        else:
            self._marks[out] = Mark(Stage.SQUARE, self._root(a))

    def _mean_squared(self, mark: Mark) -> Mark | None:
        """The mean that the mark is of the square of."""
        mean = self._marks.get(mark.source) if mark.stage is Stage.SQUARE and not mark.centred else None
        return mean if mean is not None and mean.stage is Stage.MEAN else None

    def absolute(self, out: Key, a: Key) -> None:
        self._step(out, a, Stage.CENTRED, Stage.ABSOLUTE)

    def negate(self, out: Key, a: Key) -> None:
        self._step(out, a, Stage.MEAN, Stage.NEGATED_MEAN)

    def sqrt(self, out: Key, a: Key) -> None:
        mark = self._mark(a)
        if mark is not None and mark.stage is Stage.SUM and mark.mean is not None and mark.mean.stage is Stage.VARIANCE:
            self._marks[out] = replace(mark.mean, stage=Stage.LENGTH)
        self._step(out, a, Stage.VARIANCE, Stage.DEVIATION)

    def rsqrt(self, out: Key, a: Key) -> None:
        self._step(out, a, Stage.VARIANCE, Stage.INVERSE)

    def reciprocal(self, out: Key, a: Key) -> None:
        self._step(out, a, Stage.DEVIATION, Stage.INVERSE)

    def power(self, out: Key, a: Key, exponent: float) -> None:
        match exponent:
            case 2.0:
                self.square(out, a)
            case 0.5:
                self.sqrt(out, a)
            case -0.5:
                self.rsqrt(out, a)
            case -1.0:
                self.reciprocal(out, a)

    def clamp(self, out: Key, a: Key) -> None:
        """A statistic held above epsilon."""
        mark = self._mark(a)
        if mark is not None and mark.stage in _STATISTICS:
            self._marks[out] = mark

    def sub(self, out: Key, a: Key, b: Key) -> None:
        left, right = self._mark(a), self._mark(b)
        for mean, other in ((right, a), (left, b)):
            if mean is not None and mean.stage is Stage.MEAN and mean.source == self._root(other):
                self._marks[out] = replace(mean, stage=Stage.CENTRED)
                return
        if right is None:
            return
        if left is not None and left.stage is Stage.VARIANCE and (mean := self._mean_squared(right)) is not None:
            if left.source == mean.source:
                self._marks[out] = replace(left, centred=True)
        elif right.stage is Stage.OFFSET and self._parameter(b) is None:
            self._marks[out] = replace(right, shift=self._parameter(a) is not None)

    def add(self, out: Key, a: Key, b: Key) -> None:
        for one, other in ((a, b), (b, a)):
            mark = self._mark(one)
            if mark is None:
                continue
            second = self._mark(other)
            if mark.stage in _STATISTICS and self._scalar(other) is not None:
                self._marks[out] = mark
                return
            if mark.stage is Stage.NEGATED_MEAN and mark.source == self._root(other):
                self._marks[out] = replace(mark, stage=Stage.CENTRED)
                return
            if mark.stage is Stage.NORMED and mark.norm is not None and mark.norm.output == one:
                norm = mark.norm
                size = self._parameter(other)
                if second is not None and second.stage is Stage.OFFSET and second.source == mark.source:
                    norm.shift, norm.output, self._marks[out] = second.shift, out, mark
                    norm.centred = True
                    return
                if size is not None and norm.affine(size) and not norm.shift:
                    norm.shift, norm.output, self._marks[out] = True, out, mark
                    return
                if self._scalar(other) == 0:  # in the place of a beta
                    norm.output, self._marks[out] = out, mark
                    return

    def mul(self, name: str, out: Key, a: Key, b: Key) -> None:
        if self._root(a) == self._root(b) or self._are_one_centred(a, b):
            self.square(out, a)
        elif not any(self._times(name, out, *pair) for pair in ((a, b), (b, a))):
            for one, other in ((a, b), (b, a)):
                if self._parameter(one) is None and self._parameter(other) is not None:
                    self._marks[out] = Mark(Stage.SCALED, self._root(one))
            self._doubt(name, out, a, b)

    def _times(self, name: str, out: Key, one: Key, other: Key) -> bool:
        """Marks the product, where the mark of ``one`` leads on."""
        mark, second = self._mark(one), self._mark(other)
        if mark is None:
            return False
        size, scalar = self._parameter(other), self._scalar(other)
        match mark.stage:
            case Stage.INVERSE if size is not None:
                self._marks[out] = replace(mark, scale=True)
            case Stage.INVERSE if self._is_source(mark, other, second):
                self._found(name, out, replace(mark, scale=_scaled(mark, second)))
            case Stage.INVERSE if second is not None and second.stage is Stage.MEAN:
                self._marks[out] = replace(mark, stage=Stage.OFFSET)
            case Stage.SUM if scalar and (mean := _average(mark, 1 / scalar)) is not None:
                self._marks[out] = mean
            case Stage.LENGTH if scalar and self._is_gain(mark, None, 1 / scalar):
                self._marks[out] = replace(mark, stage=Stage.DEVIATION)
            case Stage.VARIANCE | Stage.DEVIATION | Stage.INVERSE | Stage.CENTRED if scalar is not None:
                self._marks[out] = mark
            case Stage.UNIT if self._is_gain(mark, size, scalar):
                self._found(name, out, replace(mark, scale=size is not None))
            case Stage.NORMED if self._is_gamma(mark, one, size):
                assert mark.norm is not None
                mark.norm.scale, mark.norm.output, self._marks[out] = True, out, mark
            case Stage.NORMED if mark.norm is not None and mark.norm.output == one and scalar == 1:
                mark.norm.output, self._marks[out] = out, mark  # in the place of a gamma
            case Stage.CENTRED if size is not None:
                self._marks[out] = replace(mark, scale=True)
            case _:
                return False
        return True

    def div(self, name: str, out: Key, a: Key, b: Key) -> None:
        mark, top = self._mark(b), self._mark(a)
        scalar = self._scalar(b)
        if top is not None and scalar is not None:
            match top.stage:
                case Stage.SUM if (mean := _average(top, scalar)) is not None:
                    self._marks[out] = mean
                case Stage.LENGTH if self._is_gain(top, None, scalar):
                    self._marks[out] = replace(top, stage=Stage.DEVIATION)
                case Stage.VARIANCE | Stage.DEVIATION | Stage.INVERSE:
                    self._marks[out] = top
        elif mark is not None and mark.stage is Stage.DEVIATION:
            if self._scalar(a) is not None or self._parameter(a) is not None:
                self._marks[out] = replace(mark, stage=Stage.INVERSE, scale=self._parameter(a) is not None)
            elif self._is_source(mark, a, top):
                self._found(name, out, replace(mark, scale=_scaled(mark, top)))
        elif mark is not None and mark.stage is Stage.LENGTH and self._is_source(mark, a, top):
            self._marks[out] = replace(mark, stage=Stage.UNIT)
        self._doubt(name, out, a, b)

    def _doubt(self, name: str, out: Key, a: Key, b: Key) -> None:
        if out in self._marks:
            return
        for one, other in ((a, b), (b, a)):
            mark, second = self._mark(one), self._mark(other)
            if mark is None or self._scalar(other) is not None or self._parameter(other) is not None:
                continue
            if mark.stage is Stage.CENTRED:
                doubtful = self._may_be_statistic(other, mark)
            else:
                doubtful = mark.stage in _SPREADS and self._is_source(mark, other, second)
            if doubtful:
                self._doubts.append((name, mark.source))
                return

    def _may_be_statistic(self, key: Key, mark: Mark) -> bool:
        """Unless it has more than one number for each group of the mark."""
        shape = self._shape(key)
        return shape is None or len(shape) != len(mark.shape) or all(shape[axis] == 1 for axis in mark.axes)

    def warnings(self) -> list[str]:
        normed = {norm.source for norm in self.found}
        names = [name for name, source in self._doubts if source not in normed]
        if not names:
            return []
        some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        count = f"{len(names)} operation{'s' * (len(names) > 1)}"
        return [f"{count} may end a normalization in a form that is not recognised or counted: {some}"]

    def _step(self, out: Key, a: Key, before: Stage, after: Stage) -> None:
        mark = self._mark(a)
        if mark is not None and mark.stage is before:
            self._marks[out] = replace(mark, stage=after)

    def _is_source(self, mark: Mark, key: Key, top: Mark | None) -> bool:
        return mark.source == self._root(key) or _led_to(top, mark.source)

    def _are_one_centred(self, a: Key, b: Key) -> bool:
        """Whether both are the same value less the same mean, computed twice."""
        left, right = self._mark(a), self._mark(b)
        return left is not None and left.stage is Stage.CENTRED and left == right

    @staticmethod
    def _is_gamma(mark: Mark, one: Key, size: int | None) -> bool:
        norm = mark.norm
        return norm is not None and norm.output == one and size is not None and norm.affine(size) and not norm.scale

    @staticmethod
    def _is_gain(mark: Mark, size: int | None, scalar: float | None) -> bool:
        if not mark.shape:
            return size is not None
        length = prod(mark.shape[axis] for axis in mark.axes)
        if size is not None:
            return size == length > 1
        return scalar is not None and isclose(scalar, sqrt(length), rel_tol=1e-3)

    def _found(self, name: str, out: Key, mark: Mark) -> None:
        norm = Found(name, out, mark.centred, mark.shape, mark.axes, mark.source, mark.scale, mark.shift)
        self.found.append(norm)
        self._marks[out] = Mark(Stage.NORMED, mark.source, mark.shape, mark.axes, norm=norm)


_SPREADS = frozenset({Stage.VARIANCE, Stage.DEVIATION, Stage.INVERSE})
_STATISTICS = frozenset({Stage.SUM, Stage.VARIANCE, Stage.DEVIATION, Stage.LENGTH})
_SMALL = _STATISTICS | {Stage.MEAN, Stage.INVERSE, Stage.OFFSET}  # one number a group


def _average(total: Mark, divisor: float) -> Mark | None:
    """What a sum becomes when it is divided by how many it is of; a spread about the mean by one less, too."""
    mean = total.mean
    if mean is None or not total.shape:
        return mean
    count = prod(total.shape[axis] for axis in total.axes)
    counts = (count, count - 1) if mean.centred else (count,)
    return mean if any(isclose(divisor, one, rel_tol=1e-6) for one in counts) else None


def _led_to(top: Mark | None, source: Key) -> bool:
    """Whether a value is the source less its mean, or times a gamma."""
    return top is not None and top.stage in (Stage.CENTRED, Stage.SCALED) and top.source == source


def _scaled(statistic: Mark, top: Mark | None) -> bool:
    """Whether a gamma was multiplied into the statistic, or into what it divides."""
    factor = top is not None and _led_to(top, statistic.source) and (top.scale or top.stage is Stage.SCALED)
    return statistic.scale or factor
