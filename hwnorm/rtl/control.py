"""Who decides that a beat enters a sweep: its data are there, its group's operands are, and there is room behind it.

The last beat of a group waits until the stage behind the sweep is free, too (``may_end`` says both). Everything that
is decided comes out one cycle before the beat's data stand at depth 0, as ``valid, first, last, tail``.

Where data come from a port and the length is given at run time, ``in_last`` ends a group. A group that is too long is
cut at the maximum, the rest of it dropped; where the length is fixed, one that is too short is filled up. Both are told
as ``length_error`` of that group, and the next one starts as if nothing had been.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Mux, Signal

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
        self.may_end = self.input("may_end") if stage else None
        self.token = self.input("token") if token else None
        self.release = self.input("release") if token else None
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
        self.first = Signal(name="at_first", init=1)
        self.at_last = Signal(name="at_last", init=int(shape.max_beats == 1))
        self.armed: Any = self._armed()
        allowed: Any = self.armed & Mux(self._last(), self._may_end(), self.space)
        self.length_error: Any = None
        self.beat_reached: Any = None
        self.lane_reached: Any = None
        m.d.comb += self.issue.eq(self._fed(allowed) & allowed)
        m.d.comb += self.issue_last.eq(self.issue & self._last())
        with m.If(self.issue):
            m.d.sync += self.first.eq(self._last())
        self._count()
        self._tell()

    # Whether the group's operands are there

    def _armed(self) -> Any:
        """The length of the group is known, and the stage in front holds what it needs."""
        if self.token is None:
            return 1
        m = self.m
        armed, taken, waiting = Signal(name="armed"), Signal(name="taken"), Signal(name="group_waiting")
        self.arm = self.output("arm")
        ending = Signal(name="ending")  # if it is armed
        m.d.comb += ending.eq(self.issue_last if self.port else self._last() & self._may_end())
        m.d.comb += self.arm.eq((~armed | ending) & waiting)
        m.d.sync += [waiting.eq(self.token & ~taken & ~self.arm), armed.eq(waiting | (armed & ~ending))]
        with m.If(self.arm):
            m.d.sync += taken.eq(1)
        with m.If(self.release):
            m.d.sync += taken.eq(0)
        return armed

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
        dropping, armed = Signal(name="dropping"), self.armed
        self.dropping = dropping
        if not self.counted:
            cut = self.in_valid & self.at_last & ~self.in_last & self._may_end() & armed
            m.d.sync += dropping.eq(Mux(dropping, ~(self.in_valid & self.in_last), cut))
            m.d.comb += self.in_ready.eq(allowed | dropping)
            return self.in_valid & ~dropping
        # Written out, and not by ``issue``: these are the shortest ways around.
        padding = self.padding = Signal(name="padding")
        cut = self.in_valid & ~self.in_last & self.at_last & self._may_end() & armed & ~padding
        m.d.sync += dropping.eq(Mux(dropping, ~(self.in_valid & self.in_last), cut))
        short = self.in_valid & self.in_last & ~self.at_last & self.space & armed & ~dropping
        m.d.sync += padding.eq(Mux(padding, ~(self.at_last & self._may_end() & armed), short))
        m.d.comb += self.in_ready.eq(Mux(dropping, 1, allowed & ~padding))
        return (self.in_valid | padding) & ~dropping

    def _may_end(self) -> Any:
        """Whether a group's last beat may go."""
        return self.space if self.may_end is None else self.may_end

    def _count(self) -> None:
        """Down from the last beat's number where it is known, else up to the maximum. Where it never changes, through
        the states of a shift register with feedback, which needs no carry."""
        m, most = self.m, self.shape.max_beats - 1
        if most == 0 and self.last_beat is None:
            self.beat: Any = 0
            return
        if self.counted and self.last_beat is None and (most + 1).bit_length() in TAPS:
            self._wander(Lfsr((most + 1).bit_length()), most)
            return
        beat = self.beat = Signal(range(self.shape.max_beats), name="beat", init=most if self.counted else 0)
        if not self.counted:
            with m.If(self.issue):
                m.d.sync += beat.eq(Mux(self._last(), 0, beat + 1))
                m.d.sync += self.at_last.eq(~self._last() & (beat == most - 1))
            return
        given = self.last_beat is not None
        reload: Any = self.last_beat if given else most
        with m.If(self.issue):
            m.d.sync += [beat.eq(beat - 1), self.at_last.eq(beat == 1)]
        if given:
            assert self.token is not None
            with m.If(self.arm):
                m.d.sync += [beat.eq(reload), self.at_last.eq(reload == 0)]
        elif most & (most + 1):  # else it comes by itself
            with m.If(self.issue & self.at_last):
                m.d.sync += beat.eq(most)

    def _wander(self, lfsr: Lfsr, most: int) -> None:
        """The count begins with the second beat, as the first may come in the cycle in which it starts anew; it is
        compared a beat early."""
        m, beat, near = self.m, Signal(lfsr.width, name="beat", init=1), Signal(name="near_last")
        with m.If(self.issue):
            m.d.sync += [
                beat.eq(lfsr.following(beat)),
                near.eq(beat == lfsr.compute(1, most - 3)),
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
            if self.token is not None:
                with self.m.If(self.arm):
                    self.m.d.sync += held.eq(self.last_lane)
            return held
        assert self.in_keep is not None
        tail = Signal(range(self.shape.lanes), name="tail")
        for lane in range(1, self.shape.lanes):
            with self.m.If(self.in_keep[lane]):
                self.m.d.comb += tail.eq(lane)
        return tail

    def _find_out(self, tail: Any) -> None:
        """Registers that hold from a group's last beat until the next one's: the next waits for the stage."""
        m = self.m
        held, self.length_error = Signal(name="length_wrong"), self.output("length_error")
        # With a reset: else it would be told again.
        found, ended = Signal(name="wrong_found"), Signal(name="group_ended")
        m.d.sync += [found.eq(~self.in_last | (self.padding if self.counted else 0)), ended.eq(self.issue_last)]
        m.d.comb += self.length_error.eq(Mux(ended, found, held))
        m.d.sync += held.eq(self.length_error)
        if self.counted:
            return
        self.beat_reached = self.output("beat_reached", self.shape.beat_bits)
        with m.If(self.issue_last):
            m.d.sync += self.beat_reached.eq(self.beat)
        if tail is not None:
            self.lane_reached = self.output("lane_reached", self.shape.lane_bits)
            with m.If(self.issue_last):
                m.d.sync += self.lane_reached.eq(tail)
