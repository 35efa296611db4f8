"""Names in Verilog."""

from __future__ import annotations

import re

KEYWORDS = frozenset(
    "always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign default defparam "
    "design disable edge else end endcase endconfig endfunction endgenerate endmodule endprimitive endspecify endtable "
    "endtask event for force forever fork function generate genvar highz0 highz1 if ifnone incdir include initial inout "
    "input instance integer join large liblist library localparam macromodule medium module nand negedge nmos nor "
    "noshowcancelled not notif0 notif1 or output parameter pmos posedge primitive pull0 pull1 pulldown pullup "
    "pulsestyle_onevent pulsestyle_ondetect rcmos real realtime reg release repeat rnmos rpmos rtran rtranif0 rtranif1 "
    "scalared showcancelled signed small specify specparam strong0 strong1 supply0 supply1 table task time tran tranif0 "
    "tranif1 tri tri0 tri1 triand trior trireg unsigned use vectored wait wand weak0 weak1 while wire wor xnor xor "
    "bit byte checker do enum final import int interface logic longint packed priority program property protected ref "
    "return shortint static string struct this type union unique var void".split()
)


def legal(name: str) -> str:
    name = re.sub(r"\W", "_", name)
    return f"{name}_" if name in KEYWORDS or name in ("clk", "rst") or name[0].isdigit() else name


class Taken:
    """The names of one module: no two alike."""

    def __init__(self) -> None:
        self._names = {"clk", "rst"}

    def reserve(self, name: str) -> None:
        self._names.add(name)

    def unique(self, base: str) -> str:
        name, count = legal(base), 1
        while name in self._names:
            count += 1
            name = f"{base}_{count}"
        self._names.add(name)
        return name
