"""Names in Verilog."""

from __future__ import annotations

import re

# of Verilog-2005, and those of SystemVerilog that might be met
KEYWORDS = """
    always and assign automatic begin bit buf bufif0 bufif1 byte case casex casez cell checker class cmos config
    deassign default defparam design disable do edge else end endcase endconfig endfunction endgenerate endmodule
    endprimitive endspecify endtable endtask enum event final for force forever fork function generate genvar highz0
    highz1 if ifnone import incdir include initial inout input instance int integer interface join large liblist
    library localparam logic longint macromodule medium module nand negedge nmos nor noshowcancelled not notif0 notif1
    or output package packed parameter pmos posedge primitive priority program property protected pull0 pull1 pulldown
    pullup pulsestyle_ondetect pulsestyle_onevent rcmos real realtime ref reg release repeat return rnmos rpmos rtran
    rtranif0 rtranif1 scalared sequence shortint showcancelled signed small specify specparam static string strong0
    strong1 struct supply0 supply1 table task this time tran tranif0 tranif1 tri tri0 tri1 triand trior trireg type
    union unique unsigned use var vectored void wait wand weak0 weak1 while wire wor xnor xor
"""
RESERVED = frozenset(KEYWORDS.split()) | {"clk", "rst"}


def legal(name: str) -> str:
    name = re.sub(r"\W", "_", name)
    return f"{name}_" if name in RESERVED or name[0].isdigit() else name


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
