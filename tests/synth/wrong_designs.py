"""Verilog of a module ``top`` that is wrong, by what is wrong with it: the caller's fault, whatever the target."""

from __future__ import annotations

HEAD = "module top(input clk, input d, output reg q);"
PART = "module part(input a, output y); assign y = a; endmodule"

WRONG = {
    "a module is missing": f"{HEAD} wire w; missing u(.a(d), .y(w)); always @(posedge clk) q <= w; endmodule",
    "a port is missing": f"{HEAD} wire w; part u(.b(d), .y(w)); always @(posedge clk) q <= w; endmodule {PART}",
    "a parameter is missing": f"{HEAD} wire w; part #(.N(2)) u(.a(d), .y(w)); always @(posedge clk) q <= w; "
    f"endmodule {PART}",
    "a module is there twice": f"{HEAD} always @(posedge clk) q <= d; endmodule {PART} {PART}",
    "a name is unknown": f"`default_nettype none\n{HEAD.replace('input', 'input wire')} assign w = d; "
    "always @(posedge clk) q <= w; endmodule",
    "a function is unknown": f"{HEAD} always @(posedge clk) q <= f(d); endmodule",
    "both edges": f"{HEAD} always @(posedge clk or negedge clk) q <= d; endmodule",
}
