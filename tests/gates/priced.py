"""A Liberty file of a few cells whose tables are planes, so that every figure can be worked by hand.

Of every table the value is ``base + slew * a + load * b``: that is what interpolation gives between its points.
"""

from __future__ import annotations

Plane = tuple[float, float, float]  # base, per ns of slew, per pF of load

VOLTAGE = 2.0
SLEWS, LOADS = (0.0, 0.4, 1.0), (0.0, 0.02, 0.1)  # three, because abc takes no fewer
AXES = 'index_1 ("0, 0.4, 1"); index_2 ("0, 0.02, 0.1");'
WIRE_PF = 0.001  # of the wire's capacitance, for each reader


def table(kind: str, plane: Plane) -> str:
    base, a, b = plane
    rows = (", ".join(f"{base + a * slew + b * load:.9g}" for load in LOADS) for slew in SLEWS)
    return f"{kind} (plane) {{ {AXES} values ({', '.join(f'{chr(34)}{row}{chr(34)}' for row in rows)}); }}"


def line(kind: str, base: float, a: float) -> str:
    return f'{kind} (line) {{ values ("{base:.9g}, {base + a:.9g}"); }}'


def arc(pin: str, sense: str, rise: Plane, fall: Plane, kind: str = "combinational") -> str:
    """Slews are a tenth of the delays and four times their loads."""
    slews = [
        table(f"{edge}_transition", (p[0] / 10, p[1] / 10, 4 * p[2])) for edge, p in (("rise", rise), ("fall", fall))
    ]
    return (
        f'timing () {{ related_pin : "{pin}"; timing_sense : {sense}; timing_type : {kind};\n'
        f"{table('cell_rise', rise)} {table('cell_fall', fall)}\n{slews[0]} {slews[1]} }}"
    )


def energy(rise: Plane, fall: Plane, pin: str = "", when: str = "") -> str:
    told = (f'related_pin : "{pin}"; ' if pin else "") + (f'when : "{when}"; ' if when else "")
    if pin:
        return f"internal_power () {{ {told} {table('rise_power', rise)} {table('fall_power', fall)} }}"
    return f"internal_power () {{ {told} {line('rise_power', *rise[:2])} {line('fall_power', *fall[:2])} }}"


def pin(name: str, pf: float, more: str = "") -> str:
    both = "".join(f"{edge}capacitance : {pf}; " for edge in ("", "rise_", "fall_"))
    return f"pin ({name}) {{ direction : input; {both} {more} }}"


def output(name: str, function: str, more: str) -> str:
    return f'pin ({name}) {{ direction : output; function : "{function}"; max_capacitance : 1;\n{more} }}'


def cell(name: str, area: float, more: str) -> str:
    return f"cell ({name}) {{ area : {area};\n{more} }}"


INV_DELAY: Plane = (0.1, 0.2, 1.0)
BUF_DELAY: Plane = (0.1, 0.1, 0.5)
NAND_DELAY: Plane = (0.15, 0.3, 1.5)
CLOCK_DELAY: Plane = (0.3, 0.0, 2.0)
SETUP = 0.05
PINS = {"inv": 0.002, "buf": 0.002, "nand2": 0.003, "xor2": 0.005, "D": 0.004, "CLK": 0.006}
INV_ENERGY: tuple[Plane, Plane] = ((0.010, 0.1, 0.0), (0.006, 0.1, 0.0))
NAND_ENERGY = {"A": 0.020, "B": 0.040}
FLOP_ENERGY, CLOCK_ENERGY, IDLE_CLOCK_ENERGY = 0.050, 0.030, 0.008
INV_LEAKAGE_NW = {"A": 3.0, "!A": 1.0}


def _flat(value: float) -> tuple[Plane, Plane]:
    return (value, 0.0, 0.0), (value, 0.0, 0.0)


def _setup(rising: float) -> str:
    rows = f'values ("{rising}, {rising}", "{rising}, {rising}");'
    return (
        'timing () { related_pin : "CLK"; timing_type : setup_rising;\n'
        f"rise_constraint (both) {{ {rows} }} fall_constraint (both) {{ {rows} }} }}"
    )


LIBRARY = "\n".join(
    (
        "library (priced) {",
        'delay_model : table_lookup; time_unit : "1ns"; voltage_unit : "1V"; current_unit : "1mA";',
        'pulling_resistance_unit : "1kohm"; leakage_power_unit : "1nW"; capacitive_load_unit (1, pf);',
        f"nom_voltage : {VOLTAGE}; default_wire_load : w;",
        "slew_lower_threshold_pct_rise : 20; slew_upper_threshold_pct_rise : 80;",
        "slew_lower_threshold_pct_fall : 20; slew_upper_threshold_pct_fall : 80;",
        "input_threshold_pct_rise : 50; input_threshold_pct_fall : 50;",
        "output_threshold_pct_rise : 50; output_threshold_pct_fall : 50;",
        f"wire_load (w) {{ capacitance : {WIRE_PF}; resistance : 0; slope : 1; fanout_length (1, 1); }}",
        "lu_table_template (plane) { variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;",
        f"{AXES} }}",
        "power_lut_template (plane) { variable_1 : input_transition_time; variable_2 : total_output_net_capacitance;",
        f"{AXES} }}",
        'power_lut_template (line) { variable_1 : input_transition_time; index_1 ("0, 1"); }',
        "lu_table_template (both) { variable_1 : related_pin_transition; variable_2 : constrained_pin_transition;",
        'index_1 ("0, 1"); index_2 ("0, 1"); }',
        cell(
            "inv",
            1.5,
            "".join(f'leakage_power () {{ when : "{when}"; value : {nw}; }}' for when, nw in INV_LEAKAGE_NW.items())
            + pin("A", PINS["inv"])
            + output("Y", "!A", arc("A", "negative_unate", INV_DELAY, INV_DELAY) + energy(*INV_ENERGY, "A")),
        ),
        cell("buffer", 2.0, pin("A", PINS["buf"]) + output("Y", "A", arc("A", "positive_unate", BUF_DELAY, BUF_DELAY))),
        cell(
            "nand2",
            2.5,
            "cell_leakage_power : 2;"
            + pin("A", PINS["nand2"], energy(*_flat(0.001), when="!B"))
            + pin("B", PINS["nand2"])
            + output(
                "Y",
                "!(A&B)",
                "".join(
                    arc(name, "negative_unate", NAND_DELAY, NAND_DELAY) + energy(*_flat(pj), name)
                    for name, pj in NAND_ENERGY.items()
                ),
            ),
        ),
        cell(
            "xor2",
            4.5,
            pin("A", PINS["xor2"])
            + pin("B", PINS["xor2"])
            + output("Y", "A^B", "".join(arc(name, "non_unate", NAND_DELAY, INV_DELAY) for name in "AB")),
        ),
        cell(
            "dff",
            10.0,
            'ff (IQ, IQN) { clocked_on : "CLK"; next_state : "D"; }'
            + pin(
                "CLK",
                PINS["CLK"],
                "clock : true; "
                + energy(*_flat(CLOCK_ENERGY), when="D&!Q | !D&Q")
                + energy(*_flat(IDLE_CLOCK_ENERGY), when="D&Q | !D&!Q"),
            )
            + pin("D", PINS["D"], _setup(SETUP))
            + output(
                "Q",
                "IQ",
                arc("CLK", "non_unate", CLOCK_DELAY, CLOCK_DELAY, "rising_edge") + energy(*_flat(FLOP_ENERGY), "CLK"),
            ),
        ),
        "}",
    )
)
