"""Who decides that a beat enters a sweep: its data are there, its group's operands are, and there is room behind it.

The last beat of a group waits until the stage behind the sweep is free, too. What may go is known in the cycle before
(``may_go``, ``may_end``), as nothing else would leave time to count and to arm what follows; so memories are seen to be
full a cycle late. Everything that is decided comes out one cycle before the beat's data stand at depth 0, as
``valid, first, last, tail``.

Where data come from a port and the length is given at run time, ``in_last`` ends a group. A group that is too long is
cut at the maximum, the rest of it dropped; where the length is fixed, one that is too short is filled up. Both are told
as ``length_error`` of that group, and the next one starts as if nothing had been.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Mux, Signal

from hwnorm.rtl.plan import Shape, SweepPlan
from hwnorm.units.hdl import Block
from hwnorm.units.lfsr import TAPS, Lfsr


class Control(Block):
    """``token``: whether a stage stands in front of the sweep. ``stage``: whether one stands behind it."""

    def __init__(self, plan: SweepPlan, shape: Shape, token: bool, stage: bool, port: bool) -> None:
        super().__init__(f"control_{plan.number}")
        self.plan, self.shape, self.port = plan, shape, port
        m = self.m
        self.space = self.input("space")
        self.stage_free = self.input("stage_free") if stage else None
        self.token = self.input("token") if token else None
        self.release = self.input("release") if token else None
        self.armed: Any = None
        self.dropping: Any = None
        self.padding: Any = None
        self.counted = shape.fixed or plan.number > 1
        given = self.counted and not shape.fixed
        self.last_beat = self.input("last_beat", shape.beat_bits) if given else None
        self.last_lane = self.input("last_lane", shape.lane_bits) if given and shape.partial else None
        if port:
            self.in_valid, self.in_ready = self.input("in_valid"), self.output("in_ready")
            self.in_last: Any = None
            if plan.number == 1:
                self.in_last = self.input("in_last")
            self.in_keep = self.input("in_keep", shape.lanes) if shape.partial and not self.counted else None
        self.issue = self.output("issue")
        self.issue_last = self.output("issue_last")
        self.ended = Signal(name="group_ended")  # a cycle later
        self.first = Signal(name="at_first", init=1)
        self.at_last = Signal(name="at_last", init=int(shape.max_beats == 1))
        self.may_go, self.may_end = self._known_before(self._arms())
        allowed: Any = Mux(self._last(), self.may_end, self.may_go)
        self.length_error: Any = None
        self.beat_reached: Any = None
        self.lane_reached: Any = None
        m.d.comb += self.issue.eq(self._fed(allowed) & allowed)
        m.d.comb += self.issue_last.eq(self.issue & self._last())
        m.d.sync += self.ended.eq(self.issue_last)
        m.d.comb += self.output("ended").eq(self.ended)
        with m.If(self.issue):
            m.d.sync += self.first.eq(self._last())
        self._count()
        self._tell()

    # Whether the group's operands are there

    def _arms(self) -> Any:
        """In the next cycle the length of the group is known, and the stage in front holds what it needs."""
        if self.token is None or self.release is None:
            return 1
        m = self.m
        taken, waiting, arms = Signal(name="taken"), Signal(name="group_waiting"), Signal(name="arms")
        armed = self.armed = Signal(name="armed")
        self.arm = self.output("arm")
        m.d.comb += self.arm.eq((~armed | self.issue_last) & waiting)
        m.d.comb += arms.eq(waiting | (armed & ~self.issue_last))
        m.d.sync += [
            taken.eq((taken | self.token) & ~self.release),
            waiting.eq((self.token & ~taken) | (waiting & ~self.arm)),
            armed.eq(arms),
        ]
        return arms

    def _known_before(self, arms: Any) -> tuple[Any, Any]:
        """Whether a beat may be issued, if it is not a group's last one, and if it is."""
        may_go = Signal(name="may_go")
        self.m.d.sync += may_go.eq(arms & self.space)
        if self.stage_free is None:
            return may_go, may_go
        may_end, at_once = Signal(name="may_end"), not self.shape.fixed or self.shape.max_beats == 1
        ending = self.ended | self.issue_last if at_once else self.ended  # else no last beat follows a last one
        self.m.d.sync += may_end.eq(arms & self.space & self.stage_free & ~ending)
        return may_go, may_end

    # Where the group ends

    def _last(self) -> Any:
        if self.counted:
            return self.at_last
        assert self.in_last is not None
        return self.in_last | self.at_last

    def _fed(self, allowed: Any) -> Any:
        """Whether there is a beat to issue; of a port also its ready."""
        if not self.port:
            return 1
        m = self.m
        if self.plan.number > 1:
            m.d.comb += self.in_ready.eq(allowed)
            return self.in_valid
        dropping = self.dropping = Signal(name="dropping")
        going_on = self.in_valid & ~self.in_last
        if not self.counted:
            m.d.sync += dropping.eq(
                Mux(dropping, ~(self.in_valid & self.in_last), going_on & self.at_last & self.may_end)
            )
            m.d.comb += self.in_ready.eq(allowed | dropping)
            return self.in_valid & ~dropping
        # Written out, and not by ``issue``: these are the shortest ways around.
        padding = self.padding = Signal(name="padding")
        cut = going_on & self.at_last & self.may_end & ~padding
        m.d.sync += dropping.eq(Mux(dropping, ~(self.in_valid & self.in_last), cut))
        short = self.in_valid & self.in_last & ~self.at_last & self.may_go & ~dropping
        m.d.sync += padding.eq(Mux(padding, ~(self.at_last & self.may_end), short))
        m.d.comb += self.in_ready.eq(Mux(dropping, 1, allowed & ~padding))
        return (self.in_valid | padding) & ~dropping

    def _count(self) -> None:
        """Down from the last beat's number where it is known, else up to the maximum. Where it never changes, through
        the states of a shift register with feedback, which needs no carry."""
        most = self.shape.max_beats - 1
        if most == 0 and self.last_beat is None:
            self.beat: Any = 0
            return
        if self.counted and self.last_beat is None and (most + 1).bit_length() in TAPS:
            self._wander(Lfsr((most + 1).bit_length()), most)
            return
        if self.counted:
            self._count_down(most)
        else:
            self._count_up(most)

    def _count_down(self, most: int) -> None:
        """How many beats are to come behind this one; with the first of a group it is the stage that says so. Of a
        length that is told, what the first beat will be is known beforehand: it is taken as long as none is armed."""
        m, told = self.m, self.last_beat
        beat = Signal(range(most + 1), name="beat")
        number = Mux(self.first, most if told is None else told, beat)
        with m.If(self.issue):
            m.d.sync += beat.eq(number - 1)
        if told is None:
            with m.If(self.issue):
                m.d.sync += self.at_last.eq(number == 1)
            return
        near, *beats = (Signal(name=name) for name in ("near_last", "one_beat", "two_beats", "three_beats"))
        m.d.sync += [is_so.eq(told == n) for n, is_so in enumerate(beats)]
        anew, following = self.at_last | ~self.armed, Mux(self.first, beats[2], beat == 2)
        with m.If(self.issue | ~self.armed):
            m.d.sync += [self.at_last.eq(Mux(anew, beats[0], near)), near.eq(Mux(anew, beats[1], following))]

    def _count_up(self, most: int) -> None:
        """The number of the beat that was issued last, 0 being the first's. The maximum is compared a beat early."""
        m, beat, going_on = self.m, Signal(range(most + 1), name="beat"), ~self._last()
        near: Any = self.first
        with m.If(self.issue):
            m.d.sync += beat.eq(Mux(self.first, 0, beat + 1))
            if most > 1:
                near = Signal(name="near_last")
                far = self.first if most == 2 else ~self.first & (beat == most - 3)
                m.d.sync += near.eq(far & going_on)
            m.d.sync += self.at_last.eq(near & going_on)
        self.beat = beat

    def _wander(self, lfsr: Lfsr, most: int) -> None:
        """The count begins with the second beat, as the first may come in the cycle in which it starts anew; it is
        compared two beats early, in halves."""
        m, beat = self.m, Signal(lfsr.width, name="beat", init=1)
        near, half, halves = Signal(name="near_last"), lfsr.width // 2, Signal(2, name="before_near")
        before_near = Const(lfsr.compute(1, most - 4), lfsr.width)
        with m.If(self.issue):
            m.d.sync += [
                beat.eq(lfsr.following(beat)),
                halves.eq(Cat(beat[:half] == before_near[:half], beat[half:] == before_near[half:])),
                near.eq(halves.all()),
                self.at_last.eq(near),
            ]
        with m.If(self.first):
            m.d.sync += beat.eq(1)

    # What the sweep and later stages are told

    def _tell(self) -> None:
        m, late = self.m, self.plan.issue_latency - 1
        tail = self._tail()
        self.told = {"valid": self.issue, "first": self.first, "last": self._last()}
        if tail is not None:
            self.told["tail"] = tail
        for name, value in self.told.items():
            width = 1 if name != "tail" else (self.shape.lanes - 1).bit_length()
            told = self.output(f"sweep_{name}", width)
            for _ in range(late):
                held = Signal(width, name=f"{name}_issued", reset_less=name != "valid")
                m.d.sync += held.eq(value)
                value = held
            m.d.comb += told.eq(value)
            self.told[name] = told
        if self.plan.number == 1:
            self._find_out(tail)

    def _tail(self) -> Any:
        """The number of the last lane that carries an element, in the last beat."""
        if not self.shape.partial:
            return None
        if self.shape.fixed:
            return (self.shape.max_elements - 1) % self.shape.lanes
        if self.last_lane is not None:
            held = Signal(range(self.shape.lanes), name="tail")
            with self.m.If(self.first):
                self.m.d.sync += held.eq(self.last_lane)
            return Mux(self.first, self.last_lane, held)
        assert self.in_keep is not None
        tail = Signal(range(self.shape.lanes), name="tail")
        for lane in range(1, self.shape.lanes):
            with self.m.If(self.in_keep[lane]):
                self.m.d.comb += tail.eq(lane)
        return tail

    def _find_out(self, tail: Any) -> None:
        """Registers that hold from the second cycle after a group's last beat until that of the next one's, which waits
        for the stage; the sums come no sooner."""
        m = self.m
        held, self.length_error = Signal(name="length_wrong"), self.output("length_error")
        # With a reset: else it would be told again.
        found = Signal(name="wrong_found")
        m.d.sync += found.eq(~self.in_last | (self.padding if self.counted else 0))
        m.d.comb += self.length_error.eq(Mux(self.ended, found, held))
        m.d.sync += held.eq(self.length_error)
        if self.counted:
            return
        self.beat_reached = self.output("beat_reached", self.shape.beat_bits)
        reached = [(self.beat_reached, self.beat)]
        if tail is not None:
            tail_issued = Signal(len(tail), name="tail_issued")
            self.lane_reached = self.output("lane_reached", self.shape.lane_bits)
            m.d.sync += tail_issued.eq(tail)
            reached.append((self.lane_reached, tail_issued))
        with m.If(self.ended):
            m.d.sync += [register.eq(value) for register, value in reached]
