"""Layer, rms, group and batch norms that were left in pieces: mean, difference, square, mean, root, quotient.

Both readers walk a program in order and tell ``Pieces`` of every elementary operation. A value gets a *mark* that
says what is known of it; a quotient of the right marks is a norm. So every spelling is one path through few marks::

    x -> MEAN -> x - mean: CENTRED -> SQUARE -> mean: VARIANCE -> sqrt: DEVIATION -> CENTRED / DEVIATION: NORMED
    x -> SQUARE -> mean: VARIANCE (not centred) -> rsqrt: INVERSE -> x * INVERSE: NORMED
    x -> length: LENGTH -> x / length: UNIT -> * sqrt(d) or a gamma of size d: NORMED
    INVERSE * gamma, beta - mean * INVERSE: OFFSET, x * INVERSE + OFFSET: NORMED      (TensorFlow's order)

A following product with a parameter of the right size is the norm's gamma, a sum its beta.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from math import isclose, prod, sqrt

from hwnorm.network.model import Layer
from hwnorm.network.norm_shapes import channel_layer, reduced_layer

Key = Hashable


class Stage(Enum):
    MEAN = auto()
    CENTRED = auto()
    SCALED = auto()  # the value times a parameter, before it is divided
    SQUARE = auto()
    SQUARED_MEAN = auto()
    VARIANCE = auto()
    LENGTH = auto()  # the root of the sum of squares
    DEVIATION = auto()
    INVERSE = auto()
    OFFSET = auto()  # mean * inverse, and beta less that
    UNIT = auto()  # divided by its length
    NORMED = auto()


@dataclass(slots=True, eq=False)
class Found:
    """A norm that was recognised; later operations fill in its affine part and where its output is."""

    name: str
    output: Key
    centred: bool
    shape: tuple[int, ...]  # () where it is not known
    axes: tuple[int, ...]
    source: Key
    scale: bool = False
    shift: bool = False
    whole: tuple[int, ...] | None = None  # the shape around a reshape to (N, groups, rest) and back: group norm
    operator: bool = False  # the middle is an InstanceNormalization

    def affine(self, size: int) -> bool:
        """Whether a parameter of ``size`` numbers can be this norm's gamma or beta."""
        if not self.shape:
            return size > 1
        sizes = {prod(self.shape[axis] for axis in self.axes), *self.shape[1:2]}
        return size > 1 and size in (sizes | set(self.whole[1:2]) if self.whole else sizes)

    def layer(self, batch: int) -> Layer:
        affine = {"scale": self.scale, "shift": self.shift}
        if self.operator and self.whole is None:
            return channel_layer(self.name, "instance_norm", self.shape, batch, **affine)
        if self.whole and self.centred and self.axes == tuple(range(2, len(self.shape))):
            groups = self.shape[1]
            if groups == self.whole[1] and not self.operator:
                return channel_layer(self.name, "instance_norm", self.whole, batch, **affine)
            if self.whole[1] % groups == 0:
                return channel_layer(self.name, "group_norm", self.whole, batch, channel_groups=groups, **affine)
        return reduced_layer(self.name, self.centred, self.shape, self.axes, batch, scale=self.scale, shift=self.shift)


@dataclass(frozen=True, slots=True)
class _Mark:
    stage: Stage
    source: Key
    shape: tuple[int, ...] = ()
    axes: tuple[int, ...] = ()
    centred: bool = False
    scale: bool = False
    shift: bool = False
    norm: Found | None = None


class Pieces:
    """``parameter(key)`` gives the size of a trained tensor, ``scalar(key)`` the value of a known constant, else None.

    Every method takes the key of the result first. Keys of values that were only renamed or cast are one (``same``).
    """

    def __init__(self, parameter: Callable[[Key], int | None], scalar: Callable[[Key], float | None]) -> None:
        self.found: list[Found] = []
        self._parameter = parameter
        self._scalar = scalar
        self._marks: dict[Key, _Mark] = {}
        self._roots: dict[Key, Key] = {}
        self._whole: dict[Key, tuple[int, ...]] = {}

    def _root(self, key: Key) -> Key:
        return self._roots.get(key, key)

    def _mark(self, key: Key) -> _Mark | None:
        return self._marks.get(self._root(key))

    def same(self, out: Key, a: Key) -> None:
        """A cast, a copy, a broadcast."""
        self._roots[out] = self._root(a)
        mark = self._mark(a)
        if mark is not None and mark.norm is not None and mark.norm.output == a:
            mark.norm.output = out

    def reshape(self, out: Key, before: Sequence[int], after: Sequence[int], a: Key) -> None:
        mark = self._mark(a)
        if mark is not None and mark.stage is Stage.NORMED and mark.norm is not None:
            norm = mark.norm
            if norm.output == a and self._whole.get(norm.source) == tuple(after):
                norm.whole, norm.output = tuple(after), out
                self._marks[out] = mark
        elif (
            (mark is None or mark.stage is Stage.SCALED)
            and len(before) > 2
            and len(after) > 2
            and before[0] == after[0]
        ):
            self._whole[out] = tuple(before)
        elif mark is not None and prod(before) == prod(after) and mark.stage in _STATISTICS:
            self._marks[out] = mark  # a kept axis of size one put back by hand

    def grouped(self, name: str, out: Key, a: Key, shape: Sequence[int], scale: bool, shift: bool) -> bool:
        """InstanceNormalization of a tensor that was reshaped to (N, groups, rest): the middle of a group norm."""
        if len(shape) < 3 or self._root(a) not in self._whole:
            return False
        axes = tuple(range(2, len(shape)))
        self._found(name, out, _Mark(Stage.CENTRED, self._root(a), tuple(shape), axes, True, scale, shift))
        self.found[-1].operator = True
        return True

    def mean(self, out: Key, a: Key, shape: Sequence[int], axes: Sequence[int]) -> None:
        mark = self._mark(a)
        if mark is not None and mark.stage is Stage.SQUARE:
            centred = mark.centred and mark.axes == tuple(axes)
            self._marks[out] = _Mark(Stage.VARIANCE, mark.source, tuple(shape), tuple(axes), centred)
        else:
            self._marks[out] = _Mark(Stage.MEAN, self._root(a), tuple(shape), tuple(axes))

    def variance(self, out: Key, a: Key, shape: Sequence[int], axes: Sequence[int], root: bool = False) -> None:
        stage = Stage.DEVIATION if root else Stage.VARIANCE
        mark = self._mark(a)
        source = mark.source if mark is not None and mark.stage is Stage.CENTRED else self._root(a)
        self._marks[out] = _Mark(stage, source, tuple(shape), tuple(axes), True)

    def length(self, out: Key, a: Key, shape: Sequence[int], axes: Sequence[int]) -> None:
        self._marks[out] = _Mark(Stage.LENGTH, self._root(a), tuple(shape), tuple(axes))

    def unit(self, out: Key, a: Key, shape: Sequence[int], axes: Sequence[int]) -> None:
        self._marks[out] = _Mark(Stage.UNIT, self._root(a), tuple(shape), tuple(axes))

    def square(self, out: Key, a: Key) -> None:
        mark = self._mark(a)
        if mark is None or mark.stage in (Stage.NORMED, Stage.UNIT, Stage.SCALED):
            self._marks[out] = _Mark(Stage.SQUARE, self._root(a))
        elif mark.stage is Stage.CENTRED:
            self._marks[out] = replace(mark, stage=Stage.SQUARE, centred=True)
        elif mark.stage is Stage.MEAN:
            self._marks[out] = replace(mark, stage=Stage.SQUARED_MEAN)

    def sqrt(self, out: Key, a: Key) -> None:
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
        if right is None:
            return
        if right.stage is Stage.MEAN and right.source == self._root(a):
            self._marks[out] = replace(right, stage=Stage.CENTRED)
        elif right.stage is Stage.SQUARED_MEAN and left is not None and left.stage is Stage.VARIANCE:
            if left.source == right.source:
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
        if self._root(a) == self._root(b):
            self.square(out, a)
            return
        for one, other in ((a, b), (b, a)):
            mark = self._mark(one)
            if mark is None:
                continue
            second = self._mark(other)
            size, scalar = self._parameter(other), self._scalar(other)
            match mark.stage:
                case Stage.INVERSE if size is not None:
                    self._marks[out] = replace(mark, scale=True)
                case Stage.INVERSE if self._is_source(mark, other, second):
                    self._found(name, out, replace(mark, scale=_scaled(mark, second)))
                case Stage.INVERSE if second is not None and second.stage is Stage.MEAN:
                    self._marks[out] = replace(mark, stage=Stage.OFFSET)
                case Stage.LENGTH if scalar is not None:
                    self._marks[out] = replace(mark, stage=Stage.DEVIATION)
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
                    continue
            return
        for one, other in ((a, b), (b, a)):
            if self._mark(one) is None and self._parameter(one) is None and self._parameter(other) is not None:
                self._marks[out] = _Mark(Stage.SCALED, self._root(one))

    def div(self, name: str, out: Key, a: Key, b: Key) -> None:
        mark, top = self._mark(b), self._mark(a)
        if mark is None:
            if top is not None and top.stage is Stage.LENGTH and self._scalar(b) is not None:
                self._marks[out] = replace(top, stage=Stage.DEVIATION)
        elif mark.stage is Stage.DEVIATION:
            if self._scalar(a) is not None or self._parameter(a) is not None:
                self._marks[out] = replace(mark, stage=Stage.INVERSE, scale=self._parameter(a) is not None)
            elif self._is_source(mark, a, top):
                self._found(name, out, replace(mark, scale=_scaled(mark, top)))
        elif mark.stage is Stage.LENGTH and mark.source == self._root(a):
            self._marks[out] = replace(mark, stage=Stage.UNIT)

    def _step(self, out: Key, a: Key, before: Stage, after: Stage) -> None:
        mark = self._mark(a)
        if mark is not None and mark.stage is before:
            self._marks[out] = replace(mark, stage=after)

    def _is_source(self, mark: _Mark, key: Key, top: _Mark | None) -> bool:
        if top is not None and top.stage in (Stage.CENTRED, Stage.SCALED):
            return top.source == mark.source
        return mark.source == self._root(key)

    @staticmethod
    def _is_gamma(mark: _Mark, one: Key, size: int | None) -> bool:
        norm = mark.norm
        return norm is not None and norm.output == one and size is not None and norm.affine(size) and not norm.scale

    @staticmethod
    def _is_gain(mark: _Mark, size: int | None, scalar: float | None) -> bool:
        if not mark.shape:
            return size is not None
        length = prod(mark.shape[axis] for axis in mark.axes)
        if size is not None:
            return size == length > 1
        return scalar is not None and isclose(scalar, sqrt(length), rel_tol=1e-3)

    def _found(self, name: str, out: Key, mark: _Mark) -> None:
        norm = Found(name, out, mark.centred, mark.shape, mark.axes, mark.source, mark.scale, mark.shift)
        self.found.append(norm)
        self._marks[out] = _Mark(Stage.NORMED, mark.source, mark.shape, mark.axes, norm=norm)


_STATISTICS = frozenset({Stage.VARIANCE, Stage.DEVIATION, Stage.LENGTH})


def _scaled(statistic: _Mark, top: _Mark | None) -> bool:
    """Whether a gamma was multiplied into the statistic, or into what it divides."""
    return statistic.scale or (top is not None and (top.scale or top.stage is Stage.SCALED))
